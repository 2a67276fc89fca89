/** How much there was in a short while: the greater of this window's count and the one's before. Pure; time is passed in. */

/** Adds to the count, and answers it. Time in ms. */
export function createRecentCount(windowMs: number): (count: number, now: number) => number {
  let window = 0
  let current = 0
  let previous = 0
  return (count, now) => {
    const at = Math.floor(now / windowMs)
    if (at !== window) {
      previous = at === window + 1 ? current : 0
      current = 0
      window = at
    }
    current += count
    return Math.max(current, previous)
  }
}
