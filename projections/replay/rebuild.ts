/**
 * Folds the log into a namespace from where that namespace stands, to the log's end or to the end of a window. The same reader,
 * `accept()` and sinks as the projections process, so that what is built is what would have been built. It writes to the sink and
 * to no topic.
 */
import { randomBytes } from 'node:crypto'
import type { Position } from '../../schemas/accept.ts'
import { type Clock, Fault, type Logger, type LogStore, sleepOf } from '../../schemas/ports.ts'
import { topics } from '../../schemas/topics.ts'
import type { Accepted, Sink } from '../projection.ts'
import { createReader } from '../reader.ts'
import { isBehind, isWithin, placeOf, type Window } from './window.ts'

export interface RebuildOptions {
  /** For one consumer; its connections are its own. */
  readonly store: LogStore
  /** Of the namespace: it keeps the position, from which an interrupted rebuild goes on. */
  readonly sink: Sink
  readonly partitions: number
  /** Opens sealed contents. Default: as they are. */
  readonly open?: (records: readonly Accepted[]) => Promise<readonly Accepted[]>
  readonly clock: Clock
  readonly logger: Logger
  readonly signal?: AbortSignal
  /** Default: all of the log. */
  readonly window?: Window
  /** Take what is written in schemas unknown here as a record that nobody can read, and go on. Default: refuse, with Fault `unknown_schema`. */
  readonly passUnknown?: boolean
  readonly recordsPerBatchMax?: number
  readonly onProgress?: (progress: RebuildProgress) => void
  /** Called at the log's end while the reader goes on; it is stopped when this resolves. Default: at once. */
  readonly atEnd?: () => Promise<void>
}

export interface RebuildProgress {
  /** Records of the log, those that do not count included. */
  readonly done: number
  readonly total: number
  /** Accepted records that were written in this run. */
  readonly applied: number
}

export interface RebuildResult extends RebuildProgress {
  readonly elapsedMs: number
  /** Records that nobody can read. */
  readonly undecodable: number
}

const POLL_MS = 100
/** The end as it was at most so long ago counts as reached. */
const END_MS_MAX = 3_000
const FETCH = { maxWaitMs: 100, minBytes: 262_144 }
const RECORDS_PER_BATCH = 5_000
const BYTES_PER_BATCH = 8_000_000

/** Rejects with Fault `aborted` after the signal, with what had been built kept. */
export async function rebuild(options: RebuildOptions): Promise<RebuildResult> {
  const { store, clock, logger, signal, window } = options
  const startedMs = clock.now()
  const behind = new Set<number>()
  let applied = 0
  const sink = within(options.sink, window ?? null, behind, (records) => {
    applied += records
  })
  const group = `replay-${randomBytes(6).toString('hex')}`
  const { promise: failed, reject } = Promise.withResolvers<never>()
  // Awaited by race below; it may come before.
  failed.catch(() => {})
  const reader = createReader({
    name: group,
    consumer: store.consumer({ group, topics: [topics.events], ...FETCH }),
    sink,
    ...(options.open ? { open: options.open } : {}),
    clock,
    logger,
    recordsPerBatchMax: options.recordsPerBatchMax ?? RECORDS_PER_BATCH,
    bytesPerBatchMax: BYTES_PER_BATCH,
    async deadLetter(partition, { offset }, _reason, detail) {
      if (options.passUnknown || !detail.startsWith('unknown payload schema')) return
      reject(unknownSchema(partition, offset, detail))
      await failed
    },
    failed: reject,
  })
  const admin = await store.admin()

  async function ends(): Promise<Map<number, number>> {
    const found = new Map<number, number>()
    for (let partition = 0; partition < options.partitions; partition++)
      found.set(partition, (await admin.range(topics.events, partition)).end)
    return found
  }

  async function untilDone(): Promise<RebuildProgress> {
    let noted = await ends()
    let notedAt = clock.now()
    const begins = new Map<number, number>()
    for (;;) {
      if (signal?.aborted) throw new Fault('aborted', 'stopped before the end', { retriable: true })
      const positions = reader.positions()
      let [done, total] = [0, 0]
      let reached = true
      for (const [partition, end] of noted) {
        const at = positions.get(partition)?.offset ?? null
        if (at !== null && !begins.has(partition)) begins.set(partition, at)
        total += end
        done += Math.min(end, at ?? 0)
        if (!behind.has(partition) && (at === null || at < end)) reached = false
      }
      const progress = { done, total, applied }
      options.onProgress?.(progress)
      const isFresh = clock.now() - notedAt <= END_MS_MAX
      if (reached && (isFresh || window?.until)) {
        await sink.settled?.()
        return progress
      }
      if (!isFresh) {
        noted = await ends()
        notedAt = clock.now()
      }
      await sleepOf(clock)(POLL_MS)
    }
  }

  try {
    await reader.start()
    const progress = await Promise.race([untilDone(), failed])
    const elapsedMs = clock.now() - startedMs
    if (options.atEnd) await Promise.race([options.atEnd(), failed])
    return { ...progress, elapsedMs, undecodable: reader.stats().undecodable }
  } finally {
    await reader.stop()
    await admin.deleteGroup(group).catch(() => {})
    await admin.close()
  }
}

const unknownSchema = (partition: number, offset: number, detail: string): Fault =>
  new Fault(
    'unknown_schema',
    `${topics.events}/${partition} offset ${offset}: ${detail}. Replay with the release that wrote it or a later one; with --pass-unknown such records are kept as ones that nobody can read`,
    { retriable: false },
  )

/** Hands on what lies within, and counts it; positions move all the same. */
function within(
  sink: Sink,
  window: Window | null,
  behind: Set<number>,
  count: (records: number) => void,
): Sink {
  return {
    begin: (...args) => sink.begin(...args),
    async apply(partition: number, records: readonly Accepted[], next: Position) {
      const last = records.at(-1)
      const some = window ? records.filter((record) => isWithin(window, placeOf(record))) : records
      const result = await sink.apply(partition, some, next)
      if (result === 'applied') count(some.length)
      if (window && last && isBehind(window, placeOf(last))) behind.add(partition)
      return result
    },
    settled: async () => sink.settled?.(),
    tick: () => sink.tick(),
    release: (partition) => sink.release(partition),
  }
}
