/** The archive against the fold: count and hash of stretches of a partition, and where they differ, row by row. */
import { type Position, START } from '../../schemas/accept.ts'
import type { LogStore } from '../../schemas/ports.ts'
import { readRecord } from '../../schemas/read.ts'
import { topics } from '../../schemas/topics.ts'
import type { ArchivePort } from '../ports.ts'
import { scan } from '../scan.ts'
import type { Find } from './findings.ts'
import { recordHash, type Sum, text64 } from './fingerprints.ts'

type Query = Pick<ArchivePort, 'query'>

/** Accepted records of one partition by their sources. */
export interface Stretch {
  readonly generation: number
  readonly partition: number
  /** Both included. */
  readonly from: number
  readonly to: number
}

export interface Total {
  readonly count: number
  readonly xor: bigint
  readonly sum: bigint
  readonly events: number
  /** Rows of which there are two that differ, or whose stored hash is not that of their bytes. */
  readonly bad: number
}

/** From the payload as it stands there, not from the hash that was stored beside it when it came in. */
const HASH = "reinterpretAsUInt64(substring(SHA256(concat(stream, ' ', toString(seq), ' ', payload)), 1, 8))"
const IN_STRETCH =
  'generation = {generation:UInt32} AND partition = {partition:UInt32} AND source BETWEEN {from:UInt64} AND {to:UInt64}'
const SOURCES_PER_QUERY = 250_000
const ROWS_PER_LOOK = 10_000
const UINT64 = 2n ** 64n

export const totalOf = ({ count, xorHigh, xorLow, sumHigh, sumLow }: Sum, events: number): Total => ({
  ...{ count, events, bad: 0 },
  xor: BigInt(text64(xorHigh, xorLow)),
  sum: BigInt(text64(sumHigh, sumLow)),
})

export const difference = (all: Total, before: Total): Total => ({
  count: all.count - before.count,
  events: all.events - before.events,
  bad: 0,
  xor: all.xor ^ before.xor,
  sum: (all.sum - before.sum + UINT64) % UINT64,
})

export const isSame = (a: Total, b: Total): boolean =>
  a.count === b.count && a.xor === b.xor && a.sum === b.sum && a.events === b.events && a.bad === b.bad

/** Rows that came twice count once. */
export async function archivedTotal(clickhouse: Query, stretch: Stretch): Promise<Total> {
  let total: Total = { count: 0, xor: 0n, sum: 0n, events: 0, bad: 0 }
  for (let from = stretch.from; from <= stretch.to; from += SOURCES_PER_QUERY) {
    const to = Math.min(stretch.to, from + SOURCES_PER_QUERY - 1)
    const [row] = await clickhouse.query<Record<'n' | 'x' | 's' | 'e' | 'bad', string>>(
      `SELECT toString(count()) AS n, toString(groupBitXor(low)) AS x, toString(sumWithOverflow(low)) AS s,
         toString(sum(is_event)) AS e, toString(countIf(low != high OR low != stored)) AS bad
       FROM (
         SELECT min(hash) AS low, max(hash) AS high, min(record_hash) AS stored, max(kind = 'event') AS is_event FROM (
           SELECT source, kind, record_hash, ${HASH} AS hash FROM events WHERE ${IN_STRETCH}
         ) GROUP BY source
       )`,
      { ...stretch, from, to },
    )
    if (!row) continue
    total = {
      count: total.count + Number(row.n),
      events: total.events + Number(row.e),
      bad: total.bad + Number(row.bad),
      xor: total.xor ^ BigInt(row.x),
      sum: (total.sum + BigInt(row.s)) % UINT64,
    }
  }
  return total
}

/** Greatest source by generation and partition, as `generation/partition`. */
export async function archivedEnds(clickhouse: Query): Promise<Map<string, number>> {
  const rows = await clickhouse.query<{ generation: number; partition: number; top: string }>(
    'SELECT generation, partition, toString(max(source)) AS top FROM events GROUP BY generation, partition',
  )
  return new Map(rows.map(({ generation, partition, top }) => [`${generation}/${partition}`, Number(top)]))
}

interface Row {
  readonly source: number
  readonly stream: string
  readonly seq: number
  readonly hash: string
  readonly kind: string
}

/**
 * Reads the partition once more, up to `end`, and names what is missing in the archive, what is there and not in the log, and what
 * has other bytes. Rows that lie in no generation of this log are not looked at. Answers how many rows were wrong.
 */
export async function locate(
  {
    store,
    clickhouse,
    partitions,
    signal,
  }: {
    readonly store: LogStore
    readonly clickhouse: Query
    readonly partitions: number
    readonly signal?: AbortSignal
  },
  partition: number,
  end: number,
  find: Find,
): Promise<number> {
  let position: Position = START
  let logged: Row[] = []
  let generation = -1
  let next = 0
  let wrong = 0

  function report(kind: 'archive-missing' | 'archive-extra' | 'archive-bytes', row: Row, more = ''): void {
    wrong += 1
    find(kind, `${row.stream} seq ${row.seq} (partition ${partition}, source ${row.source})${more}`)
  }

  /** Sources from `next` up to and including `to`. */
  async function look(to: number): Promise<void> {
    const wanted = new Map(logged.map((row) => [row.source, row]))
    logged = []
    const stretch = { generation, partition, from: next, to }
    next = to + 1
    if (stretch.from > to) return
    const rows = await clickhouse.query<
      Record<'source_' | 'stream' | 'seq_' | 'hash_' | 'stored_' | 'kind', string>
    >(
      `SELECT toString(source) AS source_, stream, toString(seq) AS seq_, toString(${HASH}) AS hash_,
         toString(record_hash) AS stored_, kind FROM events WHERE ${IN_STRETCH} ORDER BY source`,
      stretch,
    )
    const met = new Set<number>()
    for (const { source_, stream, seq_, hash_, stored_, kind } of rows) {
      const row: Row = { source: Number(source_), stream, seq: Number(seq_), hash: hash_, kind }
      const log = wanted.get(row.source)
      met.add(row.source)
      if (!log) report('archive-extra', row)
      else if (log.hash !== hash_ || log.kind !== kind)
        report('archive-bytes', log, ': other bytes than the log')
      else if (stored_ !== hash_)
        report(
          'archive-bytes',
          log,
          ': its stored hash is not that of its bytes, though they are those of the log',
        )
    }
    for (const row of wanted.values()) if (!met.has(row.source)) report('archive-missing', row)
  }

  await scan({
    ...{ store, topic: topics.events, partitions, ...(signal ? { signal } : {}) },
    until: (of, range) => (of === partition ? end : range.begin),
    async take(_partition, records) {
      for (const record of records) {
        const { verdict, envelope, next: behind } = readRecord(position, record)
        position = behind
        if (verdict === 'missed-claim') return
        if (verdict === 'claim' && envelope && envelope.generation !== generation) {
          if (logged.length > 0) await look((logged.at(-1) as Row).source)
          generation = envelope.generation
          next = envelope.source
        }
        if (verdict !== 'accept' || !envelope) continue
        const { stream, seq, source, kind } = envelope
        const { high, low } = recordHash(stream, seq, envelope.payload)
        logged.push({ source, stream, seq, kind, hash: text64(high, low) })
        if (logged.length >= ROWS_PER_LOOK) await look(source)
      }
    },
  })
  if (logged.length > 0) await look((logged.at(-1) as Row).source)
  return wrong
}
