import type { Clock } from '../schemas/ports.ts'

const TICK_MS = 10

/**
 * Coarse timers that share: all that is due within one tick hangs on one timer of the runtime, so that a process with
 * thousands of clients does not run thousands of timers. Never early; late by up to 10 ms.
 */
export function sharedClock(now: () => number = Date.now): Clock {
  interface Tick {
    readonly timer: ReturnType<typeof setTimeout>
    readonly due: Set<() => void>
  }
  const ticks = new Map<number, Tick>()
  const run = (at: number): void => {
    const due = ticks.get(at)?.due
    ticks.delete(at)
    for (const fn of due ?? []) fn()
  }
  return {
    now,
    after(ms, fn) {
      const nowMs = now()
      const at = Math.ceil((nowMs + Math.max(0, ms)) / TICK_MS) * TICK_MS
      const tick = ticks.get(at) ?? { timer: setTimeout(run, at - nowMs, at), due: new Set() }
      ticks.set(at, tick)
      // One function may be asked for twice in one tick: each call is a timer of its own.
      const call = (): void => fn()
      tick.due.add(call)
      return () => {
        tick.due.delete(call)
        if (tick.due.size > 0 || ticks.get(at) !== tick) return
        // A client that is closed must not keep its process alive until its next heartbeat was due.
        clearTimeout(tick.timer)
        ticks.delete(at)
      }
    },
  }
}
