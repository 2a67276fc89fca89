/** What the checker needs from outside: Kafka's command line tools, and the schemas' texts. */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { ensureKafkaTools } from '../../infra/embedded/engines.ts'
import { commandPayloads, eventPayloads, records } from '../../schemas/records.ts'
import type { Raw } from './checker/types.ts'

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

/** Those that the platform wrote down itself: of another release, nothing here has them. */
export function writtenSchemas(dir: string, records: readonly Raw[]): string {
  const folder = path.join(dir, 'schemas-written')
  mkdirSync(folder, { recursive: true })
  for (const { offset, value } of records) {
    const text = value?.toString('utf8') ?? ''
    // What is not such a text was put there by the run.
    if (/^\{"name":"longwire\.[\w.]+","type":"record"/.test(text))
      writeFileSync(path.join(folder, `${offset}.avsc`), text)
  }
  return folder
}
