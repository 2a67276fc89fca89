/**
 * The sink of the Redis projections. Data first, then (some 200 ms later) the position by compare-and-set; what comes twice is
 * dropped by the scripts. A position that is missing or not ours any more means that Redis lost something, or that another
 * process works on the partition: begin again from what stands there.
 */
import { randomBytes } from 'node:crypto'
import { type Position, START } from '../../schemas/accept.ts'
import type { Clock, Logger } from '../../schemas/ports.ts'
import { inBatches } from '../batches.ts'
import type { RedisPort } from '../ports.ts'
import type { Sink } from '../projection.ts'
import { KEEP_ALL, type Policies } from '../reads/policy.ts'
import { callsFor, type LiveProjections } from './calls.ts'
import { formatStored, isValid, parseStored, readPosition, swapPosition } from './positions.ts'

interface Owned {
  /** What stands in Redis, as far as we know. */
  stored: string
  next: Position
  rebuildEnd: number
  rebuildId: string
  ticks: number
}

export interface LiveSinkOptions {
  readonly redis: RedisPort
  readonly generation: number
  readonly logger: Logger
  readonly clock: Pick<Clock, 'now'>
  /** Default: everything is kept for ever. */
  readonly policies?: Policies
  readonly onRebuild?: (partition: number) => void
  /** The records do not begin where their streams do: each stream begins with what comes first of it. */
  readonly partial?: boolean
  /** Default: those of this release. */
  readonly projections?: LiveProjections
}

/** Idle partitions are looked at every so many ticks, to notice a loss where nothing is written. */
const IDLE_TICKS = 4
/** Rebuilds that met the same gap before it is held to be a hole in the log itself. */
const GAP_REBUILDS_MAX = 2

export function liveSink(options: LiveSinkOptions): Sink {
  const { redis, generation, logger, clock, policies = KEEP_ALL, onRebuild } = options
  const owned = new Map<number, Owned>()
  const mustRebuild = new Set<number>()
  const gaps = new Map<string, number>()

  return {
    async begin(partition, range, fresh) {
      const [reply] = await redis.batch([readPosition(partition)])
      const text = typeof reply === 'string' ? reply : ''
      const stored = parseStored(text)
      const usable =
        stored !== null &&
        !fresh &&
        !mustRebuild.has(partition) &&
        isValid(stored.position, generation) &&
        stored.position.offset <= range.end
      const from = usable
        ? stored
        : {
            position: START,
            rebuildEnd: range.end,
            rebuildId: randomBytes(6).toString('hex'),
          }
      const next = formatStored(from)
      const [swapped] = await redis.batch([swapPosition(partition, text, next)])
      // Another process moved it in between: begin with what it wrote.
      if (swapped !== 1) return this.begin(partition, range, fresh)
      if (!usable) {
        if (range.end > 0) logger.warn({ partition, end: range.end }, 'rebuilding Redis from the log')
        onRebuild?.(partition)
      }
      mustRebuild.delete(partition)
      const { position, rebuildEnd, rebuildId } = from
      owned.set(partition, { stored: next, next: position, rebuildEnd, rebuildId, ticks: 0 })
      return from.position
    },

    async apply(partition, records, next) {
      const of = owned.get(partition)
      if (!of) return 'lost'
      const force =
        options.partial === true ||
        [...gaps].some(([key, n]) => key.startsWith(`${partition}/`) && n > GAP_REBUILDS_MAX)
      const { first, then, streams } = callsFor(records, {
        force,
        policies,
        now: clock.now(),
        ...(options.projections ? { projections: options.projections } : {}),
      })
      await inBatches(redis, first)
      const replies = await inBatches(redis, then)
      const appended = replies.slice(replies.length - streams.length)
      const gap = streams.find((_, i) => appended[i] === -1)
      if (gap !== undefined) {
        const key = `${partition}/${gap}`
        const times = (gaps.get(key) ?? 0) + 1
        gaps.set(key, times)
        mustRebuild.add(partition)
        logger.error({ partition, stream: gap, times }, 'earlier items of a stream are missing in Redis')
        return 'lost'
      }
      of.next = next
      if (next.offset >= of.rebuildEnd)
        for (const key of gaps.keys()) if (key.startsWith(`${partition}/`)) gaps.delete(key)
      return 'applied'
    },

    async tick() {
      const due = [...owned].filter(([, of]) => textOf(of) !== of.stored || ++of.ticks >= IDLE_TICKS)
      const nexts = due.map(([, of]) => textOf(of))
      const replies = await redis.batch(
        due.map(([partition, of], i) => swapPosition(partition, of.stored, nexts[i] as string)),
      )
      const lost: number[] = []
      for (const [i, [partition, of]] of due.entries()) {
        of.ticks = 0
        const next = nexts[i] as string
        // What a timed-out swap had written is no news.
        if (replies[i] === 1 || replies[i] === next) of.stored = next
        else if (owned.get(partition) === of) lost.push(partition)
      }
      return lost
    },

    release(partition) {
      owned.delete(partition)
    },
  }
}

const textOf = ({ next, rebuildEnd, rebuildId }: Owned): string =>
  formatStored({ position: next, rebuildEnd, rebuildId })
