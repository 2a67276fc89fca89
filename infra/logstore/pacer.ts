/**
 * Keeps the number of requests per second in bounds once there are many: each costs the same whatever it carries, so under load
 * fewer and fuller ones save most of the processor on both sides. Below the rate nothing ever waits.
 */
export interface Pacer {
  /** Takes one turn and answers 0, or how many milliseconds until the next one is free. */
  waitMs(nowMs: number): number
  /** Takes a turn whether one is free or not. */
  force(nowMs: number): void
}

export function createPacer(perSecondMax: number, burst: number): Pacer {
  let turns = burst
  let last = 0
  const refill = (nowMs: number) => {
    // The clock may step back; then nothing is added.
    turns = Math.min(burst, turns + (Math.max(0, nowMs - last) * perSecondMax) / 1_000)
    last = nowMs
  }
  return {
    waitMs(nowMs) {
      refill(nowMs)
      if (turns < 1) return ((1 - turns) * 1_000) / perSecondMax
      turns -= 1
      return 0
    },
    force(nowMs) {
      refill(nowMs)
      turns = Math.max(-burst, turns - 1)
    },
  }
}
