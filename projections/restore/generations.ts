/** Generations of the logs that a restore has begun or completed, on im.generations; and what they refuse. */
import { open, seal } from '../../schemas/avro.ts'
import { history } from '../../schemas/codec.ts'
import { Fault, type LogStore } from '../../schemas/ports.ts'
import { type LogGeneration, records } from '../../schemas/records.ts'
import { topics } from '../../schemas/topics.ts'
import { scan } from '../scan.ts'

/** The newest record of each, by number. Creates nothing: without the topic there was no restore. */
export async function readGenerations(store: LogStore): Promise<LogGeneration[]> {
  const admin = await store.admin()
  try {
    if (!(await admin.listTopics()).includes(topics.generations)) return []
    const { begin, end } = await admin.range(topics.generations, 0)
    if (begin === end) return []
  } finally {
    await admin.close()
  }
  const found = new Map<number, LogGeneration>()
  await scan({
    store,
    topic: topics.generations,
    partitions: 1,
    compacted: true,
    take(_, batch) {
      for (const { value } of batch) {
        if (!value) continue
        const generation = open(records.LogGeneration, value, history)
        found.set(generation.generation, generation)
      }
    },
  })
  return [...found.values()].sort((a, b) => a.generation - b.generation)
}

export async function appendGeneration(store: LogStore, generation: LogGeneration): Promise<void> {
  const appender = await store.appender('generations')
  try {
    await appender.append(topics.generations, 0, {
      key: String(generation.generation),
      value: seal(records.LogGeneration, generation),
    })
  } finally {
    await appender.close()
  }
}

/** The generation that record 0 of each partition names. */
export const oldestGeneration = (all: readonly LogGeneration[]): number => all.at(-1)?.generation ?? 0

/** The settings that name the logs. */
export interface LogSettings {
  readonly generation: number
  readonly partitions: number
}

/** Why nothing may run on these logs with these settings, in words that say what to do; null: it may. */
export function refusalOf(
  all: readonly LogGeneration[],
  { generation, partitions }: LogSettings,
): string | null {
  const newest = all.at(-1)
  if (!newest) return null
  const wanted = `set LONGWIRE_GENERATION=${Math.max(generation, newest.generation + 1)} and LONGWIRE_PARTITIONS=${newest.partitions}`
  if (newest.state === 'restoring')
    return `the logs are being restored as generation ${newest.generation}, and that is not complete: run \`npm run restore\` to its end, with the settings that it was begun with`
  if (generation <= newest.generation)
    return `LONGWIRE_GENERATION is ${generation}, but the logs were restored as generation ${newest.generation}: ${wanted}`
  if (partitions !== newest.partitions)
    return `LONGWIRE_PARTITIONS is ${partitions}, but the logs have ${newest.partitions} partitions since generation ${newest.generation}: ${wanted}`
  return null
}

/** Rejects with Fault `generation_refused`, whose message is for people. Answers the generations. */
export async function checkGenerations(
  store: LogStore,
  settings: LogSettings,
): Promise<readonly LogGeneration[]> {
  const all = await readGenerations(store)
  const refusal = refusalOf(all, settings)
  if (refusal !== null) throw new Fault('generation_refused', refusal, { retriable: false })
  return all
}
