/** A full archive, made by the engine itself, with heads and memberships of one reader in Redis. */
import { readFileSync } from 'node:fs'
import type { ClickHouse } from '../../infra/clickhouse/client.ts'
import { systemClock } from '../../infra/clock.ts'
import { silentLog } from '../../infra/log.ts'
import type { RedisClient } from '../../infra/redis/client.ts'
import { inBatches } from '../../projections/batches.ts'
import { keys } from '../../projections/keys.ts'
import { liveSink } from '../../projections/live/sink.ts'
import type { RedisCall } from '../../projections/ports.ts'

export interface Filled {
  readonly reader: string
  readonly conversations: readonly { readonly id: string; readonly seqs: number }[]
  readonly rows: number
}

const READER = 'reader'
/** Of the whole: one great group, some middling ones, and single chats for the rest. */
const GREAT = { share: 0.2, conversations: 1, prefix: 'g:great' }
const MIDDLING = { share: 0.3, conversations: 60, prefix: 'g:middling' }
const SINGLE = { share: 0.5, conversations: 500, prefix: 'p2p:peer' }
const NEWEST_MS = Date.now() - 60_000
const ROWS_PER_INSERT = 200_000

/** Twelve words of this project's own pages and eight Chinese characters for each message, common ones more often than rare ones. */
const pick = (list: string, i: string) =>
  `{${list}:Array(String)}[1 + toUInt32(length({${list}:Array(String)}) * pow((cityHash64(number, ${i}) % 1000003) / 1000003, 3))]`
const TEXT = `concat(arrayStringConcat(arrayMap(i -> ${pick('words', 'i')}, range(12)), ' '), ' ',
  arrayStringConcat(arrayMap(i -> ${pick('characters', 'i + 100')}, range(8))))`

/** From common to rare. */
export function vocabulary(): { readonly words: string[]; readonly characters: string[] } {
  const counts = new Map<string, number>()
  for (const page of ['README.md', 'docs/architecture.md', 'docs/operations.md', 'docs/protocol.md']) {
    const text = readFileSync(new URL(`../../${page}`, import.meta.url), 'utf8')
    for (const [word] of text.matchAll(/[A-Za-z]{2,}/g)) counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  const words = [...counts].sort(([, a], [, b]) => b - a).map(([word]) => word)
  return { words, characters: Array.from({ length: 2_500 }, (_, i) => String.fromCodePoint(0x4e00 + 7 * i)) }
}

export async function fill(
  clickhouse: ClickHouse,
  redis: RedisClient,
  rows: number,
  progress: (done: number) => void,
): Promise<Filled> {
  const conversations: { id: string; seqs: number }[] = []
  const texts = vocabulary()
  let done = 0
  for (const { share, conversations: count, prefix } of [GREAT, MIDDLING, SINGLE]) {
    const seqs = Math.max(1, Math.round((rows * share) / count))
    const suffix = prefix.startsWith('p2p:') ? `:${READER}` : ''
    const id = (number: number) => `${prefix}${number}${suffix}`
    for (let number = 0; number < count; number++) conversations.push({ id: id(number), seqs })
    for (let from = 0; from < count * seqs; from += ROWS_PER_INSERT) {
      const params = {
        ...{ from, count: Math.min(ROWS_PER_INSERT, count * seqs - from), seqs, prefix, suffix },
        newest: NEWEST_MS,
        ...texts,
      }
      await clickhouse.command(insertInto('items', ITEM), params)
      await clickhouse.command(insertInto('messages', MESSAGE), params)
      done += params.count
      progress(done)
    }
  }
  await admit(clickhouse, redis, conversations)
  return { reader: READER, conversations, rows: done }
}

const COMMON = `concat({prefix:String}, toString(intDiv(number, {seqs:UInt64})), {suffix:String}) AS conversation,
  number % {seqs:UInt64} + 1 AS seq`
const TIME_MS = '({newest:Int64} - ({seqs:UInt64} - seq) * 60000)'
const CONTENT = `concat('{"text":"', ${TEXT}, '"}')`
const ITEM = `${COMMON}, seq AS ordinal, 'message' AS kind, ${TIME_MS} AS time_ms, 'peer' AS sender,
  toString(generateUUIDv4()) AS pack_id, 'text' AS content_type, ${CONTENT} AS content`
const MESSAGE = `${COMMON}, seq AS version, seq AS ordinal, fromUnixTimestamp64Milli(${TIME_MS}, 'UTC') AS time,
  'peer' AS sender, '' AS pack_id, false AS recalled, 'text' AS content_type, ${CONTENT} AS content`

const insertInto = (table: string, columns: string): string =>
  `INSERT INTO ${table} (${[...columns.matchAll(/ AS (\w+)/g)].map(([, name]) => name).join(', ')})
   SELECT ${columns} FROM numbers({from:UInt64}, {count:UInt64})`

/** The reader belongs to all of them; Redis has their heads and no items, so that every page comes from the archive. */
async function admit(
  clickhouse: ClickHouse,
  redis: RedisClient,
  conversations: Filled['conversations'],
): Promise<void> {
  const groups = conversations.filter(({ id }) => id.startsWith('g:'))
  await clickhouse.insert(
    'membership',
    groups.map(({ id }) => ({
      ...{ user: READER, conversation: id, seq: 1, joined: true, ordinal: 0 },
      time: (NEWEST_MS / 1_000).toFixed(3),
    })),
  )
  await clickhouse.insert(
    'single_chats',
    conversations
      .filter(({ id }) => id.startsWith('p2p:'))
      .map(({ id }) => ({ user: READER, conversation: id })),
  )
  const calls = conversations.flatMap(({ id, seqs }): RedisCall[] => [
    ...(id.startsWith('g:') ? [['HSET', keys.memberships(READER), id, `+1:0:${NEWEST_MS}`] as const] : []),
    ['SADD', keys.conversations(READER), id],
    ['HSET', keys.head(id), ...headOf(seqs)],
  ])
  await inBatches(redis, calls)
  const sink = liveSink({ redis, generation: 0, logger: silentLog, clock: systemClock })
  await sink.begin(0, { begin: 0, end: 0 }, true)
}

const headOf = (seqs: number) => [
  ...['seq', seqs, 'ordinal', seqs, 'time', NEWEST_MS],
  ...['applied', seqs, 'message', seqs],
]
