/**
 * Time as a dependency. Shells take a `Clock`, so that a simulation can run the whole topology on virtual time;
 * pure parts take plain timestamps.
 */
export type Timer = { readonly id: unknown }

export interface Clock {
  /** Wall time in milliseconds since the epoch. */
  now(): number
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
