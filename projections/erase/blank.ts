/** Takes contents out of read models whose keys are gone. What is written into them later is opened with the keys of then. */
import { type Clock, Fault, sleepOf } from '../../schemas/ports.ts'
import { keys } from '../keys.ts'
import type { ArchivePort, RedisPort } from '../ports.ts'
import { eraseItems } from '../timeline/scripts.ts'
import type { Said } from './said.ts'

export interface Blanked {
  /** Items of timelines, and rows of the archive, in all namespaces. */
  readonly redis: number
  readonly archive: number
}

export interface ReadModels {
  /** Of every namespace. */
  readonly redis: readonly RedisPort[]
  /** The one that is read comes last: what is due is looked for there. */
  readonly archives: readonly (Pick<ArchivePort, 'query'> & { command(sql: string): Promise<void> })[]
  readonly clock: Clock
}

type Place = Pick<Said, 'conversation' | 'seq'>

/** A statement is at most some 80 kilobytes long: ClickHouse reads 256. */
const PLACES_PER_STATEMENT = 500
const SEQS_PER_SCRIPT = 500
const POLL_MS = 100
const MUTATION_MS_MAX = 600_000
const BLANK = 'content = NULL, content_type = NULL, mentions = [], mention_all = false'

/** In timelines an item stands as the newest edit left it: only such as are named in `shown` are to be blank there. */
export async function blank(
  models: ReadModels,
  said: readonly Place[],
  shown: readonly Place[],
): Promise<Blanked> {
  let [inRedis, rows] = [0, 0]
  for (const redis of models.redis) inRedis += await blankTimelines(redis, shown)
  for (const archive of models.archives)
    for (let at = 0; at < said.length; at += PLACES_PER_STATEMENT) {
      const places = listOf(said.slice(at, at + PLACES_PER_STATEMENT))
      rows += await blankRows(models, archive, 'items', `(conversation, seq) IN (${places})`)
      rows += await blankRows(models, archive, 'messages', `(conversation, version) IN (${places})`)
    }
  return { redis: inRedis, archive: rows }
}

/** Ids are of letters, digits and `_.:-`: none needs to be quoted further. */
const listOf = (places: readonly Place[]): string =>
  places.map(({ conversation, seq }) => `('${conversation}', ${seq})`).join(', ')

async function blankTimelines(redis: RedisPort, places: readonly Place[]): Promise<number> {
  const byConversation = Map.groupBy(places, ({ conversation }) => conversation)
  let blanked = 0
  for (const [conversation, of] of byConversation)
    for (let at = 0; at < of.length; at += SEQS_PER_SCRIPT) {
      const args = of.slice(at, at + SEQS_PER_SCRIPT).map(({ seq }) => seq)
      const [count] = await redis.batch([
        { script: eraseItems, keys: [keys.head(conversation), keys.timeline(conversation)], args },
      ])
      blanked += Number(count)
    }
  return blanked
}

async function blankRows(
  { clock }: ReadModels,
  archive: ReadModels['archives'][number],
  table: 'items' | 'messages',
  places: string,
): Promise<number> {
  const where = `${places} AND content IS NOT NULL`
  const [row] = await archive.query<{ n: string }>(
    `SELECT toString(count()) AS n FROM ${table} WHERE ${where}`,
  )
  const count = Number(row?.n ?? 0)
  if (count === 0) return 0
  await archive.command(`ALTER TABLE ${table} UPDATE ${BLANK} WHERE ${where}`)
  for (const until = clock.now() + MUTATION_MS_MAX; clock.now() < until; ) {
    const [waiting] = await archive.query<{ n: string }>(
      `SELECT toString(count()) AS n FROM system.mutations
       WHERE database = currentDatabase() AND startsWith(table, {table:String}) AND NOT is_done`,
      { table },
    )
    if (Number(waiting?.n ?? 0) === 0) return count
    await sleepOf(clock)(POLL_MS)
  }
  throw new Fault('mutation_not_done', `ClickHouse has not rewritten ${table} yet: run it again`, {
    retriable: true,
  })
}
