import { type Clock, Fault, type LogRange } from '../../schemas/ports.ts'
import type { AssignedPartition } from './consumer.ts'

/**
 * Notices a consumer that lives and reads nothing. It counts its own ticks instead of comparing times, so that a process
 * that was stopped and woken is not taken for a stuck one.
 */
export interface Watchdog {
  start(): void
  stop(): void
  /** A fetch has ended, with or without records. */
  fetched(): void
}

export interface WatchdogOptions {
  readonly clock: Clock
  readonly intervalMs: number
  range(topic: string, partition: number): Promise<LogRange>
  /** Partitions that ought to move if there is something to read. */
  active(): readonly AssignedPartition[]
  suspect(one: AssignedPartition): void
  fail(fault: Fault): void
}

/** Four ticks of half a session timeout: twice the session timeout. */
const idleTicksMax = 4
/** Ticks for a fetch that is under way, from the first on at which there was something to read: what is there may just have come. */
const behindTicksMax = 2

interface Watched {
  next: number | null
  idleTicks: number
  /** Ticks at which there was something to read, and nothing moved. */
  behindTicks: number
}

export function createWatchdog(options: WatchdogOptions): Watchdog {
  const watched = new Map<AssignedPartition, Watched>()
  let fetches = 0
  let ticksWithoutFetch = 0
  let fetchesAtLastTick = 0
  let cancel: (() => void) | null = null

  const tick = async (): Promise<void> => {
    ticksWithoutFetch = fetches === fetchesAtLastTick ? ticksWithoutFetch + 1 : 0
    fetchesAtLastTick = fetches
    const active = new Set(options.active())
    for (const one of watched.keys()) if (!active.has(one)) watched.delete(one)
    for (const one of active) {
      const next = one.feed.next()
      const seen = watched.get(one)
      if (seen === undefined || seen.next !== next || !one.feed.idle())
        watched.set(one, { next, idleTicks: 0, behindTicks: 0 })
      else if (++seen.idleTicks >= idleTicksMax && next !== null) await examine(one, seen, next)
    }
  }

  const examine = async (one: AssignedPartition, seen: Watched, next: number): Promise<void> => {
    const { begin, end } = await options.range(one.topic, one.partition)
    if (one.feed.next() !== next) return
    const isBehind = begin <= next && end > next
    if (!isBehind) seen.idleTicks = seen.behindTicks = 0
    if (begin > next || end < next) return options.suspect(one)
    if (!isBehind || ++seen.behindTicks <= behindTicksMax) return
    const how = ticksWithoutFetch > 0 ? 'no fetch ends' : 'fetches bring nothing'
    const text = `${one.topic}/${one.partition} stands at ${next} of ${end}: ${how}`
    options.fail(new Fault('consumer_stuck', text, { retriable: true }))
  }

  const schedule = () => {
    cancel = options.clock.after(options.intervalMs, () => {
      tick()
        // No answer about the range: the brokers are away, and that is not the consumer's fault.
        .catch(() => undefined)
        .finally(() => {
          if (cancel !== null) schedule()
        })
    })
  }

  return {
    start: schedule,
    stop() {
      cancel?.()
      cancel = null
    },
    fetched() {
      fetches += 1
    },
  }
}
