import type { Clock as PureClock } from '../schemas/ports.ts'

export interface Timer {
  readonly id: unknown
}

/**
 * Time as a dependency, so that a simulation can run the whole topology on virtual time. Processors, projections and
 * the gateway need only the smaller `Clock` of the ports; this one adds what shells find handy.
 */
export interface Clock extends PureClock {
  /** Runs `fn` once after `ms`; the timer keeps the process alive like Node's own. */
  setTimeout(fn: () => void, ms: number): Timer
  clearTimeout(timer: Timer | undefined): void
  /** Runs `fn` every `ms` until cleared. Does not keep the process alive: periodic work never should. */
  setInterval(fn: () => void, ms: number): Timer
  clearInterval(timer: Timer | undefined): void
  /** Resolves after `ms`. */
  sleep(ms: number): Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after: (ms, fn) => {
    const id = setTimeout(fn, ms)
    return () => clearTimeout(id)
  },
  setTimeout: (fn, ms) => ({ id: setTimeout(fn, ms) }),
  clearTimeout: (timer) => clearTimeout(timer?.id as NodeJS.Timeout | undefined),
  setInterval: (fn, ms) => {
    const id = setInterval(fn, ms)
    id.unref()
    return { id }
  },
  clearInterval: (timer) => clearInterval(timer?.id as NodeJS.Timeout | undefined),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
}
