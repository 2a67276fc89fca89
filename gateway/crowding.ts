/**
 * Whether so much is being pushed to many that each push must wait for others to share a system call, so that what is meant for few
 * finds the processor free. Pure; time is passed in.
 */
export interface Crowding {
  /** Notes pushes to many. True: these may wait. */
  note(count: number, now: number): boolean
}

/** Pushes to connections in one window above which they wait: 5,000 a second, a quarter of what one core does with ease. */
export const CROWDED_PER_WINDOW = 1_250
export const CROWDING_WINDOW_MS = 250

export function createCrowding(): Crowding {
  let window = 0
  let current = 0
  let previous = 0
  return {
    note(count, now) {
      const at = Math.floor(now / CROWDING_WINDOW_MS)
      if (at !== window) {
        previous = at === window + 1 ? current : 0
        current = 0
        window = at
      }
      current += count
      return Math.max(current, previous) > CROWDED_PER_WINDOW
    },
  }
}
