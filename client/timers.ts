import type { Clock } from '../schemas/ports.ts'

const TICK_MS = 10

/**
 * Coarse timers that share: all that is due within one tick hangs on one timer of the runtime, so that a process with
 * thousands of clients does not run thousands of timers. Never early; late by up to 10 ms.
 */
export function sharedClock(now: () => number = Date.now): Clock {
  const ticks = new Map<number, Set<() => void>>()
  const run = (tick: number): void => {
    const due = ticks.get(tick)
    ticks.delete(tick)
    for (const fn of due ?? []) fn()
  }
  return {
    now,
    after(ms, fn) {
      const at = now()
      const tick = Math.ceil((at + Math.max(0, ms)) / TICK_MS) * TICK_MS
      let due = ticks.get(tick)
      if (!due) {
        due = new Set()
        ticks.set(tick, due)
        setTimeout(run, tick - at, tick)
      }
      // One function may be asked for twice in one tick: each call is a timer of its own.
      const call = (): void => fn()
      due.add(call)
      return () => void due.delete(call)
    },
  }
}
