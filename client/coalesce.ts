/** Positions that only grow, told at most so often per key: the newest counts. */
import type { Clock } from '../schemas/ports.ts'

interface Entry {
  wanted: number
  done: number
  nextAtMs: number
  /** A timer or a run is under way. */
  busy: boolean
  cancel: (() => void) | null
  waiters: { upTo: number; resolve(): void; reject(error: unknown): void }[]
}

export interface Coalescer {
  /** Resolves when `upTo` or more is done. */
  want(key: string, upTo: number): Promise<void>
  /** Done by other means, here or elsewhere. */
  noted(key: string, upTo: number): void
  /** Runs what waits for its time; resolves when all that was wanted is settled. */
  flush(): Promise<void>
}

export interface CoalescerDeps {
  readonly clock: Clock
  readonly everyMs: number
  /** Rejects what waits for `upTo` or less if it rejects. */
  readonly run: (key: string, upTo: number, done: number) => Promise<unknown>
}

export function createCoalescer(deps: CoalescerDeps): Coalescer {
  const { clock } = deps
  const entries = new Map<string, Entry>()
  let hurried = 0

  function entryOf(key: string): Entry {
    let entry = entries.get(key)
    if (!entry) {
      entry = { wanted: 0, done: 0, nextAtMs: 0, busy: false, cancel: null, waiters: [] }
      entries.set(key, entry)
    }
    return entry
  }

  function plan(key: string, entry: Entry): void {
    if (entry.busy || entry.waiters.length === 0) return
    entry.busy = true
    const waitMs = hurried > 0 ? 0 : Math.max(0, entry.nextAtMs - clock.now())
    entry.cancel = clock.after(waitMs, () => {
      entry.cancel = null
      void go(key, entry)
    })
  }

  async function go(key: string, entry: Entry): Promise<void> {
    const upTo = entry.wanted
    entry.nextAtMs = clock.now() + deps.everyMs
    try {
      await deps.run(key, upTo, entry.done)
      done(entry, upTo)
    } catch (error) {
      const failed = entry.waiters.filter((waiter) => waiter.upTo <= upTo)
      entry.waiters = entry.waiters.filter((waiter) => waiter.upTo > upTo)
      // What was refused must not be tried again for the sake of something smaller.
      entry.wanted = entry.waiters.reduce((most, waiter) => Math.max(most, waiter.upTo), entry.done)
      for (const waiter of failed) waiter.reject(error)
    }
    entry.busy = false
    plan(key, entry)
  }

  function done(entry: Entry, upTo: number): void {
    entry.done = Math.max(entry.done, upTo)
    const waiters = entry.waiters
    entry.waiters = waiters.filter((waiter) => waiter.upTo > entry.done)
    for (const waiter of waiters) if (waiter.upTo <= entry.done) waiter.resolve()
  }

  return {
    want(key, upTo) {
      const entry = entryOf(key)
      if (upTo <= entry.done) return Promise.resolve()
      entry.wanted = Math.max(entry.wanted, upTo)
      const wanted = new Promise<void>((resolve, reject) => {
        entry.waiters.push({ upTo, resolve, reject })
      })
      // Most callers do not wait for it; a refusal must not end their process.
      wanted.catch(() => {})
      plan(key, entry)
      return wanted
    },
    noted(key, upTo) {
      const entry = entries.get(key)
      if (entry) done(entry, upTo)
    },
    async flush() {
      hurried += 1
      const under: Promise<unknown>[] = []
      for (const [key, entry] of entries) {
        if (entry.waiters.length === 0) continue
        const upTo = entry.wanted
        under.push(
          new Promise<void>((resolve) => entry.waiters.push({ upTo, resolve, reject: () => resolve() })),
        )
        if (!entry.cancel) continue
        entry.cancel()
        entry.cancel = null
        void go(key, entry)
      }
      await Promise.all(under)
      hurried -= 1
    },
  }
}
