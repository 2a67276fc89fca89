/**
 * Shell of one owned partition: restore → claim → fold up to the claim → decide → append, and again from the claim
 * whenever the claim may be lost. Everything that decides is in owner.ts.
 */
import { seal } from '../../schemas/avro.ts'
import { sealEnvelope } from '../../schemas/codec.ts'
import {
  type Appender,
  type Clock,
  Fault,
  type GroupConsumer,
  type Logger,
  type LogRecord,
} from '../../schemas/ports.ts'
import type { Read } from '../../schemas/read.ts'
import { records as schemas } from '../../schemas/records.ts'
import { topics } from '../../schemas/topics.ts'
import type { Feed } from '../feed.ts'
import { emptyFold } from '../fold.ts'
import type { Decide } from '../processor.ts'
import { readRestorable } from '../restore.ts'
import { restoreSnapshot } from '../snapshot.ts'
import type { Written } from '../write.ts'
import { createOwner, type Owner, SourceGap } from './owner.ts'
import { createSnapshotWriter } from './snapshot-writer.ts'
import type { SequencerStats } from './stats.ts'

export interface PartitionOptions {
  readonly partition: number
  readonly generation: number
  /** Name of this process in its claims. */
  readonly owner: string
  readonly decide: Decide
  readonly consumer: GroupConsumer
  readonly feed: Feed
  readonly appender: Appender
  readonly clock: Clock
  readonly logger: Logger
  readonly stats: SequencerStats
  /** Accepted records between two snapshots. */
  readonly snapshotEvery: number
  failed(fault: Fault): void
}

export interface OwnedPartition {
  /** True while this process decides for the partition. */
  owning(): boolean
  /** Source behind the last accepted one, for lag tools. */
  nextSource(): number
  /** Stops deciding at once and waits for the append in flight. */
  stop(): Promise<void>
}

const QUEUE_MAX = 20_000
const BATCH_MAX = 2_000
const RECLAIM_MS = 100

export function startPartition(options: PartitionOptions): OwnedPartition {
  const { partition, generation, consumer, feed, appender, clock, logger, stats } = options
  let live = true
  let owner: Owner | null = null
  let waiting: LogRecord[] = []
  let drained: (() => void) | null = null
  let inFlight: Promise<void> | null = null
  /** Fold at least to here before claiming: the end of the log when the need arose. */
  let foldTo = 0
  let claimTimer: (() => void) | null = null
  let claimSent = 0

  const fail = (cause: unknown) => {
    live = false
    const fault =
      cause instanceof Fault
        ? cause
        : new Fault('sequencer_failed', `partition ${partition}: ${describe(cause, generation)}`, {
            retriable: false,
            cause,
          })
    options.failed(fault)
  }
  const guarded = (work: () => void | Promise<void>) => {
    if (!live) return
    try {
      Promise.resolve(work()).catch(fail)
    } catch (cause) {
      fail(cause)
    }
  }

  const snapshots = createSnapshotWriter({ ...options, tail: () => owner?.tail() ?? null })

  const restore = async () => {
    const { snapshots: found, events, logGeneration } = await readRestorable(consumer, feed, partition)
    if (!live) return
    const newest = found[0]
    const fold = newest ? restoreSnapshot(newest) : emptyFold()
    refuseLater(Math.max(logGeneration, fold.position.generation))
    owner = createOwner({ generation, owner: options.owner, decide: options.decide }, fold)
    foldTo = events.end
    logger.info(
      { partition, from: fold.position.offset, to: events.end, streams: fold.streams.size },
      'restoring',
    )
    feed.read(topics.events, partition, fold.position.offset, onEvents)
    proceed()
  }

  const onSeen = ({ verdict, payload, offset, fault }: Read, { value }: LogRecord) => {
    if (verdict === 'accept') {
      stats.accepted++
      snapshots.accepted()
      if (payload === null) deadLetter(topics.events, offset, 'undecodable', fault, value)
    } else if (verdict === 'unreadable') deadLetter(topics.events, offset, 'unreadable', fault, value)
    else if (verdict === 'claim') stats.claims++
    else {
      stats.dropped[verdict]++
      if (verdict === 'hole') logger.error({ partition, offset }, 'a source is missing before this record')
    }
  }

  const onEvents = (read: readonly LogRecord[]) =>
    guarded(() => {
      owner?.fold(read, onSeen)
      refuseLater(owner?.tail().position.generation ?? -1)
      proceed()
    })

  const refuseLater = (logGeneration: number) => {
    if (logGeneration > generation)
      throw new Fault(
        'generation_behind',
        `im.events/${partition} is of generation ${logGeneration}; LONGWIRE_GENERATION says ${generation}`,
        { retriable: false },
      )
  }

  /** Does whatever the owner's phase calls for. */
  const proceed = () => {
    if (!live || !owner) return
    if (owner.phase() === 'reading') {
      stopDeciding()
      if (owner.tail().position.offset >= foldTo && !claimTimer) claimSoon()
    } else if (owner.phase() === 'owning') startDeciding(owner)
  }

  let deciding = false
  const stopDeciding = () => {
    if (deciding) feed.stop(topics.commands, partition)
    deciding = false
    waiting = []
    drained?.()
  }
  const startDeciding = (of: Owner) => {
    if (deciding) return
    deciding = true
    logger.info({ partition, next: of.decidedSource() + 1, takeoverMs: clock.now() - claimSent }, 'owning')
    feed.read(topics.commands, partition, of.decidedSource() + 1, onCommands)
  }

  /** After the first claim a pause, so that two who both believe they own the partition do not chase each other. */
  const claimSoon = () => {
    const wait = claimSent === 0 ? 0 : RECLAIM_MS
    claimTimer = clock.after(wait, () => {
      claimTimer = null
      guarded(claim)
    })
  }

  const claim = async () => {
    const of = owner
    if (of?.phase() !== 'reading') return
    const firstSource = await planFirstSource(of)
    if (!live || of.phase() !== 'reading') return
    claimSent = clock.now()
    try {
      const offset = await appender.append(topics.events, partition, {
        key: null,
        value: of.claim(firstSource),
      })
      of.claimed(offset)
      logger.info({ partition, generation, epoch: offset }, 'claimed')
    } catch (cause) {
      lostClaim(of, cause)
    }
    proceed()
  }

  const lostClaim = (of: Owner, cause: unknown) => {
    stats.lostClaims++
    logger.warn({ partition, err: cause }, 'the outcome of an append is unknown: claiming again')
    of.lost()
  }

  /** A later generation begins where im.commands lets it; within one generation the two logs must fit. */
  const planFirstSource = async (of: Owner): Promise<number> => {
    const { position } = of.tail()
    const { begin, end } = await consumer.range(topics.commands, partition)
    const next = position.last + 1
    if (generation > position.generation)
      return Math.min(Math.max(position.generation < 0 ? begin : next, begin), end)
    if (next < begin) throw new SourceGap(next, begin)
    if (next > end) throw new SourceGap(next, end)
    return next
  }

  const onCommands = (read: readonly LogRecord[]): void | Promise<void> => {
    if (!live || !deciding) return
    for (const record of read) waiting.push(record)
    guarded(pump)
    if (waiting.length < QUEUE_MAX) return
    return new Promise((resolve) => {
      drained = () => {
        drained = null
        resolve()
      }
    })
  }

  /** One batch in flight: what comes meanwhile is decided together, on top of it. */
  const pump = () => {
    const of = owner
    if (!of || inFlight || waiting.length === 0 || of.phase() !== 'owning') return
    const batch = waiting.length > BATCH_MAX ? waiting.splice(0, BATCH_MAX) : waiting
    if (batch === waiting) waiting = []
    if (waiting.length < QUEUE_MAX) drained?.()
    const written = of.decide(batch)
    if (written.length === 0) return
    for (const answer of written) if (answer.defect) noteDefect(answer, batch)
    inFlight = append(of, written).finally(() => {
      inFlight = null
      guarded(() => {
        proceed()
        pump()
      })
    })
  }

  const append = async (of: Owner, written: Written[]) => {
    stats.decided += written.length
    const out = written.map(({ envelope }) => ({ key: envelope.stream, value: sealEnvelope(envelope) }))
    try {
      const first = await appender.appendBatch(topics.events, partition, out)
      of.appended(first + out.length, written.at(-1)?.envelope.source ?? -1)
    } catch (cause) {
      lostClaim(of, cause)
    }
  }

  const noteDefect = ({ envelope, defect }: Written, batch: readonly LogRecord[]) => {
    const value = batch.find(({ offset }) => offset === envelope.source)?.value ?? null
    if (defect) deadLetter(topics.commands, envelope.source, defect.reason, defect.cause, value)
  }

  /** A copy for people to look at; the record itself stays where it is. */
  const deadLetter = (
    topic: string,
    offset: number,
    reason: string,
    cause: unknown,
    value: Buffer | null,
  ) => {
    stats.deadLetters++
    const detail = cause instanceof Error ? cause.message.slice(0, 500) : ''
    logger.warn({ topic, partition, offset, reason, detail }, 'dead letter')
    const letter = seal(schemas.DeadLetter, { topic, partition, offset, reason, detail, value })
    appender
      .append(topics.deadLetters, 0, { key: `${topic}/${partition}`, value: letter })
      .catch((err) => logger.error({ err, topic, partition, offset }, 'a dead letter was not written'))
  }

  guarded(restore)

  return {
    owning: () => owner?.phase() === 'owning',
    nextSource: () => (owner?.tail().position.last ?? -1) + 1,
    async stop() {
      live = false
      claimTimer?.()
      snapshots.stop()
      for (const topic of [topics.commands, topics.events, topics.snapshots]) feed.stop(topic, partition)
      drained?.()
      await inFlight
    },
  }
}

function describe(cause: unknown, generation: number): string {
  if (cause instanceof SourceGap)
    return `${cause.message}. The logs were lost or restored apart: stop all writers, set LONGWIRE_GENERATION=${generation + 1} and start again`
  return cause instanceof Error ? cause.message : String(cause)
}
