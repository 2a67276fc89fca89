/** Fan-out's reading of one partition: from a snapshot silently up to what was committed, then with effect. */
import { formatPosition, type Position, parsePosition, START } from '../../schemas/accept.ts'
import type { CommittedPosition, Fault, GroupConsumer, Logger, LogRecord } from '../../schemas/ports.ts'
import { Fault as fault } from '../../schemas/ports.ts'
import { type Read, readRecord } from '../../schemas/read.ts'
import { topics } from '../../schemas/topics.ts'
import type { Feed } from '../feed.ts'
import { type Restorable, readRestorable } from '../restore.ts'
import { positionOf, restoreSnapshot } from '../snapshot.ts'
import { type Plan, planRecord } from './plan.ts'
import { foldRoster, type Rosters, restoreRoster } from './roster.ts'
import type { FanoutStats } from './stats.ts'

/** Records that were read together, with the position behind them. */
export interface Batch {
  readonly source: FanoutPartition
  readonly plans: readonly Plan[]
  readonly position: Position
}

export interface FanoutPartition {
  readonly partition: number
  readonly rosters: Rosters
  /** Everything up to here has taken effect. */
  done: Position | null
  stop(): void
}

export interface FanoutPartitionOptions {
  readonly partition: number
  readonly consumer: GroupConsumer
  readonly feed: Feed
  readonly logger: Logger
  readonly stats: FanoutStats
  now(): number
  /** Takes what was read; a promise holds the partition back. */
  take(batch: Batch): void | Promise<void>
  deadLetter(folded: Read, record: LogRecord): void
  failed(fault: Fault): void
}

export function startFanoutPartition(options: FanoutPartitionOptions): FanoutPartition {
  const { partition, consumer, feed, logger, stats } = options
  let live = true
  let position = START
  /** Records below were handled before: they are folded, and nobody is told again. */
  let silentBelow = 0
  const self: FanoutPartition = {
    partition,
    rosters: new Map(),
    done: null,
    stop() {
      live = false
      feed.stop(topics.events, partition)
      feed.stop(topics.snapshots, partition)
    },
  }

  const restore = async () => {
    const [restorable, committed] = await Promise.all([
      readRestorable(consumer, feed, partition),
      consumer.committed(topics.events, partition),
    ])
    if (!live) return
    const resume = validPosition(committed, restorable)
    silentBelow = resume?.offset ?? 0
    // The newest snapshot may lie above what was committed; one at or below it is folded forward.
    const usable = restorable.snapshots.find((slices) => positionOf(slices).offset <= silentBelow)
    if (usable) {
      const fold = restoreSnapshot(usable)
      position = fold.position
      for (const [stream, state] of fold.streams) restoreRoster(self.rosters, stream, state, fold.now)
    }
    logger.info(
      { partition, from: position.offset, silentBelow, end: restorable.events.end },
      'fan-out begins',
    )
    feed.read(topics.events, partition, position.offset, onRecords)
  }

  const onRecords = (records: readonly LogRecord[]): void | Promise<void> => {
    if (!live) return
    const plans: Plan[] = []
    for (const record of records) {
      const read = readRecord(position, record)
      const { verdict, envelope, payload } = read
      if (verdict === 'missed-claim') {
        stats.missedClaims++
        live = false
        const message = `record ${record.offset} of im.events/${partition} belongs to a claim that was never read`
        options.failed(new fault('missed_claim', message, { retriable: false }))
        return
      }
      position = read.next
      if (envelope === null) {
        options.deadLetter(read, record)
        continue
      }
      if (verdict === 'stale') stats.stale++
      else if (verdict === 'hole') stats.holes++
      if (verdict !== 'accept') continue
      if (record.offset < silentBelow) {
        if (payload && envelope.kind === 'event')
          foldRoster(self.rosters, envelope.stream, payload, envelope.time)
        continue
      }
      stats.accepted++
      if (payload === null) options.deadLetter(read, record)
      plans.push(planRecord(self.rosters, envelope, payload, record.value as Buffer, options.now()))
    }
    return options.take({ source: self, plans, position })
  }

  restore().catch((cause) => {
    if (!live) return
    const message = `fan-out of partition ${partition}: ${cause instanceof Error ? cause.message : String(cause)}`
    // What it is keeps its name: alarms ask for it.
    const { code, retriable } = cause instanceof fault ? cause : { code: 'fanout_failed', retriable: true }
    options.failed(new fault(code, message, { retriable, cause }))
  })
  return self
}

/** A committed position counts only if we wrote its metadata, in this generation of the log, and it lies within it. */
function validPosition(committed: CommittedPosition | null, log: Restorable): Position | null {
  const position = parsePosition(committed?.metadata)
  if (!position || position.offset !== committed?.offset) return null
  return position.generation >= log.logGeneration && position.offset <= log.events.end ? position : null
}

export const committedForm = (position: Position): CommittedPosition => ({
  offset: position.offset,
  metadata: formatPosition(position),
})
