/** What the checker needs from outside: Kafka's command line tools, and the schemas' texts. */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { ensureKafkaTools } from '../../infra/embedded/engines.ts'
import { commandPayloads, eventPayloads, records } from '../../schemas/records.ts'

export const ensureTools = (enginesDir: string, say: (line: string) => void): Promise<string> =>
  ensureKafkaTools(enginesDir, (what) => say(`fetching ${what}`))

/** The current schemas as data, for records written with one that is not released yet. */
export function dumpSchemas(dir: string): string {
  const folder = path.join(dir, 'schemas')
  mkdirSync(folder, { recursive: true })
  for (const codec of Object.values({ ...commandPayloads, ...eventPayloads, ...records }))
    writeFileSync(path.join(folder, `${codec.name}.avsc`), codec.canonical)
  return folder
}
