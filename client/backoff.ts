/** Full jitter: anything between 0 and the cap for this attempt, so that a crowd that fell together does not return together. */
export function jitteredMs(attempt: number, baseMs: number, capMs: number, random: () => number): number {
  return Math.floor(random() * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 20)))
}
