/**
 * Destroys the contents that a storage policy no longer keeps, in Redis first and then in the archive; the bytes in the log and in
 * `events` stay. It follows the archive's own copy of the log, partition by partition, in the process that archives the partition:
 * what it goes by was inserted behind everything it destroys, nothing comes later below where it has been, and doing a stretch
 * twice changes nothing.
 */
import { type Clock, Fault, type Logger } from '../../schemas/ports.ts'
import { keys } from '../keys.ts'
import type { ArchivePort, RedisPort } from '../ports.ts'
import type { Policies, Policy } from '../reads/policy.ts'
import { forgetItems } from '../timeline/scripts.ts'
import { type Bound, boundsOf, type Kind, kinds, periodMs, policyText, type StreamEnd } from './forgetting.ts'

export interface JanitorOptions {
  readonly clickhouse: ArchivePort & {
    /** It may still be at work when this resolves. */
    command(sql: string, params?: Readonly<Record<string, unknown>>): Promise<void>
  }
  readonly redis: RedisPort
  readonly policies: Policies
  readonly generation: number
  readonly clock: Clock
  readonly logger: Logger
  /** Partitions that this process archives. */
  readonly partitions: () => Iterable<number>
}

export interface Janitor {
  start(): void
  stop(): Promise<void>
  /** One stretch of each partition. Answers whether there is more to do at once. Rejects with a Fault where a store does not answer. */
  turn(): Promise<boolean>
}

const EVENTS_PER_STRETCH = 5_000
const STREAMS_PER_STATEMENT = 500
/** Each is some hundred kilobytes that Redis looks through while others wait. */
const TIMELINES_PER_BATCH = 20
const MUTATIONS_WAITING_MAX = 4
const FIRST_MS = 2_000
const MORE_MS = 500

export function createJanitor(options: JanitorOptions): Janitor {
  const { clickhouse, redis, policies, generation, clock, logger } = options
  let cancel: (() => void) | null = null
  let running: Promise<void> = Promise.resolve()
  let stopped = false

  /** True: the stretch was full. */
  async function goOn(generation: number, partition: number, kind: Kind, policy: Policy): Promise<boolean> {
    const place = { generation, partition, kind, policy: policyText(policy) }
    const from = await reached(place)
    const end = policy.keep === 'recent' ? clock.now() - policy.ms : Number.MAX_SAFE_INTEGER
    const { ends, to, full } = await stretch(generation, partition, from, end)
    if (to === from) return false
    const bounds = boundsOf(kind, policy, ends)
    for (let at = 0; at < bounds.length; at += STREAMS_PER_STATEMENT)
      await forget(bounds.slice(at, at + STREAMS_PER_STATEMENT))
    const now = clock.now()
    const row = { ...place, source: to, time: (now / 1_000).toFixed(3) }
    await clickhouse.insert('purges', [row], { dedupToken: `${partition}:${kind}:${to}:${now}` })
    return full
  }

  async function oldestGeneration(): Promise<number> {
    const [row] = await clickhouse.query<{ generation: number }>(
      'SELECT generation FROM events ORDER BY generation LIMIT 1',
    )
    return Number(row?.generation ?? generation)
  }

  async function reached(place: Readonly<Record<string, unknown>>): Promise<number> {
    const [row] = await clickhouse.query<{ source_: string; newest: string | null }>(
      `SELECT toString(source) AS source_, (SELECT toString(max(source)) FROM events
         WHERE generation = {generation:UInt32} AND partition = {partition:UInt32}) AS newest
       FROM purges WHERE generation = {generation:UInt32} AND partition = {partition:UInt32}
         AND kind = {kind:String} AND policy = {policy:String} ORDER BY time DESC LIMIT 1`,
      place,
    )
    // Beyond the archive's end: the archive was built anew, with all contents.
    return row && Number(row.source_) <= Number(row.newest ?? -1) ? Number(row.source_) : -1
  }

  /** Where streams have come to in the next stretch of the log that ends before `end` (ms). */
  async function stretch(generation: number, partition: number, from: number, end: number) {
    const rows = await clickhouse.query<Record<'stream' | 'said' | 'top' | 'last' | 'n', string>>(
      `SELECT stream, toString(maxIf(seq, type IN ('MessageSent', 'MessageEdited'))) AS said,
         toString(max(ordinal)) AS top, toString(max(source)) AS last, toString(count()) AS n
       FROM (
         SELECT stream, seq, ordinal, type, source, time FROM events
         WHERE generation = {generation:UInt32} AND partition = {partition:UInt32} AND source > {from:Int64}
         ORDER BY source LIMIT {max:UInt32}
       ) WHERE toUnixTimestamp64Milli(time) <= {end:Int64} GROUP BY stream`,
      { generation, partition, from, max: EVENTS_PER_STRETCH, end },
    )
    const ends = rows.map(
      ({ stream, said, top }): StreamEnd => ({ stream, said: Number(said), ordinal: Number(top) }),
    )
    const count = rows.reduce((sum, { n }) => sum + Number(n), 0)
    const to = rows.reduce((max, { last }) => Math.max(max, Number(last)), from)
    return { ends, to, full: count === EVENTS_PER_STRETCH }
  }

  async function forget(bounds: readonly Bound[]): Promise<void> {
    const bySeq = bounds.filter(({ by }) => by === 'seq')
    // Where policies go by number, the timeline is never longer than what is kept.
    for (let at = 0; at < bySeq.length; at += TIMELINES_PER_BATCH)
      await redis.batch(
        bySeq.slice(at, at + TIMELINES_PER_BATCH).map(({ stream, upTo }) => ({
          script: forgetItems,
          keys: [keys.head(stream), keys.timeline(stream)],
          args: [upTo],
        })),
      )
    for (const table of ['items', 'messages'] as const)
      for (const by of ['seq', 'ordinal'] as const) await forgetRows(table, by, bounds)
  }

  async function forgetRows(table: string, by: Bound['by'], all: readonly Bound[]): Promise<void> {
    const bounds = all.filter((bound) => bound.by === by)
    if (bounds.length === 0) return
    const params = {
      streams: bounds.map(({ stream }) => stream),
      upTo: bounds.map(({ upTo }) => upTo),
    }
    const where = `conversation IN {streams:Array(String)} AND content IS NOT NULL
      AND ${by} <= transform(conversation, {streams:Array(String)}, {upTo:Array(UInt64)}, toUInt64(0))`
    const [row] = await clickhouse.query<{ n: string }>(
      `SELECT toString(count()) AS n FROM ${table} WHERE ${where}`,
      params,
    )
    if (Number(row?.n ?? 0) === 0) return
    await clickhouse.command(`ALTER TABLE ${table} UPDATE content = NULL WHERE ${where}`, params)
    logger.info({ table, rows: Number(row?.n), conversations: bounds.length }, 'contents destroyed by policy')
  }

  /** Rewriting parts takes a while: no more of it is asked for than is done. */
  async function isBusy(): Promise<boolean> {
    const [row] = await clickhouse.query<{ n: string }>(
      `SELECT toString(count()) AS n FROM system.mutations
       WHERE database = currentDatabase() AND table IN ('items', 'messages') AND NOT is_done`,
    )
    return Number(row?.n ?? 0) >= MUTATIONS_WAITING_MAX
  }

  async function turn(): Promise<boolean> {
    let more = false
    const oldest = await oldestGeneration()
    for (const partition of options.partitions())
      for (const kind of kinds) {
        const policy = policies[kind]
        // A log may hold several generations, and what was said in an older one grows too old all the same.
        for (let of = oldest; of <= generation; of++) {
          if (policy.keep === 'forever' || stopped || (await isBusy())) continue
          if (await goOn(of, partition, kind, policy)) more = true
        }
      }
    return more
  }

  function later(ms: number): void {
    if (stopped) return
    cancel = clock.after(ms, () => {
      running = turn().then(
        (more) => later(more ? MORE_MS : periodMs(policies)),
        (err: unknown) => {
          if (!(err instanceof Fault)) throw err
          logger.warn({ code: err.code, err }, 'contents could not be destroyed; trying on')
          later(periodMs(policies))
        },
      )
    })
  }

  return {
    start: () => later(FIRST_MS),
    async stop() {
      stopped = true
      cancel?.()
      await running
    },
    turn,
  }
}
