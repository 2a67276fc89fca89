/**
 * The shell of projections: a consumer group over im.events, `accept()`, batches, and a sink that keeps its own position. A
 * failed write holds its partition back and is tried again, with the same batch; the reader never moves past it.
 */
import { formatPosition, type Position } from '../schemas/accept.ts'
import {
  type Clock,
  Fault,
  type GroupConsumer,
  type Logger,
  type LogRecord,
  sleepOf,
} from '../schemas/ports.ts'
import { readRecord } from '../schemas/read.ts'
import { topics } from '../schemas/topics.ts'
import type { Accepted, Sink } from './projection.ts'

export interface ReaderOptions {
  readonly name: string
  readonly consumer: GroupConsumer
  readonly sink: Sink
  readonly clock: Clock
  readonly logger: Logger
  /** Records of one call to the sink; a greater run is cut. */
  readonly recordsPerBatchMax: number
  readonly bytesPerBatchMax: number
  /** Opens sealed contents, before each call to the sink. Default: as they are. */
  readonly open?: (records: readonly Accepted[]) => Promise<readonly Accepted[]>
  /** Copies what cannot be decoded; awaited and tried again like a write. */
  readonly deadLetter: (partition: number, record: LogRecord, reason: string, detail: string) => Promise<void>
  readonly failed: (fault: Fault) => void
}

export interface ReaderStats {
  applied: number
  undecodable: number
  holes: number
  stale: number
  retries: number
  restarts: number
  partitions: number
  /** Partitions whose start is not known yet, as when the sink does not answer. */
  beginning: number
  /** Records between the positions and the log's ends as last seen. */
  lag: number
}

export interface Reader {
  start(): Promise<void>
  stop(): Promise<void>
  stats(): ReaderStats
  /** Next offset of each partition whose start is known. */
  positions(): ReadonlyMap<number, Position>
}

interface Owned {
  position: Position | null
  end: number
  committed: number
}

const TICK_MS = 200
const COMMIT_TICKS = 25
const RETRY_MS_MIN = 50
const RETRY_MS_MAX = 2_000

export function createReader(options: ReaderOptions): Reader {
  const { name, consumer, sink, clock, logger, open = async (records) => records } = options
  const owned = new Map<number, Owned>()
  const counts = { applied: 0, undecodable: 0, holes: 0, stale: 0, retries: 0, restarts: 0 }
  const refolded = new Set<number>()
  const troubled = new Set<number>()
  let stopped = false
  let cancelTick: (() => void) | null = null
  let ticks = 0

  const sleep = sleepOf(clock)

  /** One line when the sink begins to fail and one when all partitions write again, not one for each. */
  function trouble(partition: number, code: string, reason: string): void {
    if (troubled.size === 0)
      logger.warn({ projection: name, code, reason }, 'the sink does not take writes; partitions wait')
    troubled.add(partition)
  }

  function well(partition: number): void {
    if (troubled.delete(partition) && troubled.size === 0)
      logger.info({ projection: name }, 'the sink takes writes again')
  }

  /** Tries until it works, the partition is taken away or begins anew, or the reader stops: then null. */
  async function persist<T>(partition: number, of: Owned, work: () => Promise<T>): Promise<T | null> {
    for (let wait = RETRY_MS_MIN, tries = 1; !stopped && owned.get(partition) === of; tries++) {
      try {
        const result = await work()
        well(partition)
        return owned.get(partition) === of ? result : null
      } catch (err) {
        if (!(err instanceof Fault)) throw err
        counts.retries++
        if (tries === 3) trouble(partition, err.code, reasonOf(err.cause ?? err))
        await sleep(wait)
        wait = Math.min(2 * wait, RETRY_MS_MAX)
      }
    }
    well(partition)
    return null
  }

  /** From here on, calls that still run for the partition find that it is no longer theirs. */
  async function begin(partition: number, fresh: boolean): Promise<void> {
    const of: Owned = { position: null, end: 0, committed: -1 }
    owned.set(partition, of)
    const found = await persist(partition, of, async () => {
      const range = await consumer.range(topics.events, partition)
      return { first: range.begin, position: await sink.begin(partition, range, fresh) }
    })
    if (found === null) return
    const { first, position } = found
    if (position.offset < first) return crash(cutOff(name, partition, position.offset, first))
    of.position = position
    consumer.seek(topics.events, partition, position.offset)
  }

  function begins(partition: number, fresh = false): void {
    begin(partition, fresh).catch(crash)
  }

  function crash(err: unknown): void {
    stopped = true
    options.failed(
      err instanceof Fault
        ? err
        : new Fault('projection_failed', `${name}: ${String(err)}`, { retriable: false, cause: err }),
    )
  }

  /** The stored position is not of this log, which a fold from 0 settles; if that fold meets it too, the log itself is wrong. */
  function missedClaim(partition: number, offset: number): void {
    logger.error({ projection: name, partition, offset }, 'a record names a claim that was never seen')
    if (refolded.has(partition)) {
      crash(new Fault('missed_claim', `${name}: partition ${partition} misses a claim`, { retriable: true }))
      return
    }
    refolded.add(partition)
    counts.restarts++
    begins(partition, true)
  }

  async function take(partition: number, records: readonly LogRecord[], end: number): Promise<void> {
    const of = owned.get(partition)
    if (!of?.position) return
    of.end = end
    let batch: Accepted[] = []
    let bytes = 0
    let position = of.position
    const write = async (): Promise<boolean> => {
      const [some, next] = [batch, position]
      batch = []
      bytes = 0
      const result =
        some.length === 0 && next.offset === of.position?.offset
          ? 'applied'
          : await persist(partition, of, async () => sink.apply(partition, await open(some), next))
      if (result === 'lost') {
        counts.restarts++
        begins(partition)
      }
      if (result !== 'applied') return false
      of.position = next
      counts.applied += some.length
      return true
    }
    for (const record of records) {
      if (record.offset > position.offset) {
        logger.error(
          { projection: name, partition, at: position.offset, got: record.offset },
          'offsets were skipped',
        )
        consumer.seek(topics.events, partition, position.offset)
        break
      }
      const read = readRecord(position, record)
      if (read.verdict === 'missed-claim') {
        missedClaim(partition, record.offset)
        return
      }
      if (read.fault !== null) {
        counts.undecodable++
        const detail = reasonOf(read.fault)
        const done = await persist(partition, of, async () => {
          await options.deadLetter(partition, record, 'undecodable', detail)
          return true
        })
        if (done === null) return
      }
      if (read.verdict === 'hole') {
        counts.holes++
        logger.error(
          { projection: name, partition, offset: record.offset },
          'a source is missing in im.events',
        )
      }
      if (read.verdict === 'stale') counts.stale++
      position = read.next
      if (read.verdict === 'accept' && read.envelope) {
        batch.push({
          partition,
          offset: record.offset,
          loggedAt: record.timestamp,
          envelope: read.envelope,
          payload: read.payload,
        })
        bytes += record.value?.length ?? 0
        if (batch.length >= options.recordsPerBatchMax || bytes >= options.bytesPerBatchMax)
          if (!(await write())) return
      }
    }
    await write()
  }

  async function tick(): Promise<void> {
    try {
      for (const partition of await sink.tick()) {
        if (!owned.get(partition)?.position) continue
        counts.restarts++
        logger.warn(
          { projection: name, partition },
          'the stored position is not ours; beginning again from it',
        )
        begins(partition)
      }
    } catch (err) {
      if (!(err instanceof Fault)) return crash(err)
      counts.retries++
    }
    if (++ticks % COMMIT_TICKS === 0) commit()
    if (!stopped) cancelTick = clock.after(TICK_MS, () => void tick())
  }

  /** The group's offsets are for the tools that show lag; nothing starts from them. */
  function commit(): void {
    for (const [partition, of] of owned) {
      if (!of.position || of.position.offset === of.committed) continue
      of.committed = of.position.offset
      const { offset } = of.position
      const metadata = formatPosition(of.position)
      consumer.commit(topics.events, partition, { offset, metadata }).catch((err: unknown) => {
        logger.debug({ projection: name, partition, err }, 'offset not committed')
      })
    }
  }

  return {
    async start() {
      cancelTick = clock.after(TICK_MS, () => void tick())
      await consumer.start({
        assigned(added, removed) {
          for (const partition of removed) {
            owned.delete(partition)
            sink.release(partition)
          }
          for (const partition of added) begins(partition)
        },
        records: (_topic, partition, records, end) => take(partition, records, end).catch(crash),
        failed: options.failed,
      })
    },
    async stop() {
      stopped = true
      cancelTick?.()
      await sink.tick().catch(() => [])
      commit()
      await consumer.stop()
    },
    stats() {
      let lag = 0
      let beginning = 0
      for (const of of owned.values()) {
        if (of.position) lag += Math.max(0, of.end - of.position.offset)
        else beginning++
      }
      return { ...counts, partitions: owned.size, beginning, lag }
    },
    positions: () =>
      new Map([...owned].flatMap(([partition, { position }]) => (position ? [[partition, position]] : []))),
  }
}

/** What is gone was not read: to go on behind it would leave it out for good, and nobody would know. */
const cutOff = (name: string, partition: number, next: number, first: number): Fault =>
  new Fault(
    'events_truncated',
    `${name}: ${topics.events}/${partition} begins at ${first}, and ${next} is to be read: it must be kept for ever`,
    { retriable: false },
  )

const reasonOf = (err: unknown): string => (err instanceof Error ? err.message : String(err))
