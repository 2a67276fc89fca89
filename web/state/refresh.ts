/** Reading again what may have changed: soon, not more often than needed, and once more while the answer trails. */

export interface Refresher {
  /** Reads at once, or once more behind a reading that is on its way. */
  now(): Promise<void>
  /** Reads after a little while; many asks are one. */
  soon(): void
}

const SOON_MS = 250
const TRAILS_MS = 600

/** `load` resolves to true when its answer trails the log. It handles its own failures. */
export function refresher(load: () => Promise<boolean>): Refresher {
  let running: Promise<void> | null = null
  let again = false
  let timer: ReturnType<typeof setTimeout> | null = null

  function later(ms: number): void {
    if (timer !== null) return
    timer = setTimeout(() => {
      timer = null
      void now()
    }, ms)
  }
  function now(): Promise<void> {
    if (running) {
      again = true
      return running
    }
    running = load().then((trails) => {
      running = null
      if (again || trails) later(trails ? TRAILS_MS : 0)
      again = false
    })
    return running
  }
  return { now, soon: () => later(SOON_MS) }
}
