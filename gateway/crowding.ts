/**
 * Whether so much is being pushed to many that each push must wait for others to share a system call, so that what is meant for few
 * finds the processor free. Pure; time is passed in.
 */
import { createRecentCount } from './recent-count.ts'

export interface Crowding {
  /** Notes pushes to many. True: these may wait. */
  note(count: number, now: number): boolean
}

/** Pushes to connections in one window above which they wait: 5,000 a second, a quarter of what one core does with ease. */
export const CROWDED_PER_WINDOW = 1_250
export const CROWDING_WINDOW_MS = 250

export function createCrowding(): Crowding {
  const recent = createRecentCount(CROWDING_WINDOW_MS)
  return { note: (count, now) => recent(count, now) > CROWDED_PER_WINDOW }
}
