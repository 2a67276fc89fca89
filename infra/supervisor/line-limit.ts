/** Lets a few lines through in each window and counts the rest: when a service is down, every part says so many times. */
export interface LineLimit {
  /** Whether a line that comes at `nowMs` may be shown, and how many were held back since the last that was. */
  take(nowMs: number): { show: boolean; heldBack: number }
}

export function createLineLimit(linesMax: number, windowMs: number): LineLimit {
  let windowStartMs = Number.NEGATIVE_INFINITY
  let shown = 0
  let heldBack = 0
  return {
    take: (nowMs) => {
      if (nowMs - windowStartMs >= windowMs) {
        windowStartMs = nowMs
        shown = 0
      }
      if (shown >= linesMax) {
        heldBack += 1
        return { show: false, heldBack: 0 }
      }
      shown += 1
      const before = heldBack
      heldBack = 0
      return { show: true, heldBack: before }
    },
  }
}
