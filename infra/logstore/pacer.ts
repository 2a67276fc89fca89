/**
 * Keeps the number of requests per second in bounds once there is much to carry: each costs the same whatever it carries, so
 * under load fewer and fuller ones save most of the processor on both sides. Below `perSecondMax` nothing ever waits.
 */
export interface Pacer {
  /** Takes one turn and answers 0, or how many milliseconds until the next one is free. */
  waitMs(nowMs: number): number
  /** Takes a turn whether one is free or not. */
  force(nowMs: number): void
  /** So many records were carried: the more in a second, the fewer requests there may be. */
  carried(records: number, nowMs: number): void
}

export interface Pace {
  /** As long as few records are carried. */
  readonly perSecondMax: number
  /** However many are. */
  readonly perSecondMin: number
  /** Up to so many records per second are few; at twice as many the requests are halved, and so on. */
  readonly recordsFew: number
  /** Requests at once after a pause. */
  readonly burst: number
}

const WINDOW_MS = 250
/** Share of the newest window in what is taken for the current load: a burst is no load yet. */
const NEWEST = 0.4

export function createPacer(pace: Pace): Pacer {
  const { perSecondMax, perSecondMin, recordsFew, burst } = pace
  let turns = burst
  let last = 0
  let perSecond = perSecondMax
  let windowFrom = 0
  let inWindow = 0
  let load = 0
  const refill = (nowMs: number) => {
    // The clock may step back; then nothing is added.
    turns = Math.min(burst, turns + (Math.max(0, nowMs - last) * perSecond) / 1_000)
    last = nowMs
  }
  const closeWindow = (nowMs: number) => {
    const elapsedMs = nowMs - windowFrom
    const seen = (inWindow * 1_000) / elapsedMs
    // After a pause what was before it says nothing.
    load = elapsedMs > 4 * WINDOW_MS ? seen : load + (seen - load) * NEWEST
    perSecond = Math.max(
      perSecondMin,
      Math.min(perSecondMax, (perSecondMax * recordsFew) / Math.max(1, load)),
    )
    windowFrom = nowMs
    inWindow = 0
  }
  return {
    waitMs(nowMs) {
      refill(nowMs)
      if (turns < 1) return ((1 - turns) * 1_000) / perSecond
      turns -= 1
      return 0
    },
    force(nowMs) {
      refill(nowMs)
      turns = Math.max(-burst, turns - 1)
    },
    carried(records, nowMs) {
      inWindow += records
      if (nowMs < windowFrom) windowFrom = nowMs
      else if (nowMs - windowFrom >= WINDOW_MS) closeWindow(nowMs)
    },
  }
}
