import type { Clock } from '../../schemas/ports.ts'

/** Time that passes only when a test says so. Timers run in order of time, then of creation. */
export interface VirtualClock extends Clock {
  /** Lets `ms` pass; all that became due has run, with every promise it settled, when this resolves. */
  advance(ms: number): Promise<void>
  /** Goes from timer to timer until none is left, or `limitMs` have passed (repeating timers never end). */
  runUntilIdle(limitMs?: number): Promise<void>
  /** Goes from timer to timer until `done()`; false if that did not happen within `limitMs`. */
  runUntil(done: () => boolean, limitMs: number): Promise<boolean>
  /** Timers that wait. */
  pending(): number
}

/** A clock for one simulated process: its timers can be held, as SIGSTOP does, or dropped, as SIGKILL does. */
export interface ProcessClock extends Clock {
  stop(): void
  wake(): void
  kill(): void
}

interface TimerEntry {
  readonly at: number
  readonly order: number
  readonly fn: () => void
}

export function createVirtualClock(startMs = 1_700_000_000_000): VirtualClock {
  let now = startMs
  let order = 0
  const timers: TimerEntry[] = []

  const after = (ms: number, fn: () => void) => {
    // Whole milliseconds, as a machine tells them: what stands in records is a long.
    const entry = { at: now + Math.ceil(Math.max(0, ms)), order: order++, fn }
    push(timers, entry)
    return () => {
      remove(timers, entry)
    }
  }

  /** Runs the next timer that is due by `until`; false if there is none. */
  const step = async (until: number): Promise<boolean> => {
    const next = timers[0]
    if (next === undefined || next.at > until) return false
    timers.shift()
    now = Math.max(now, next.at)
    next.fn()
    await settle()
    return true
  }

  return {
    now: () => now,
    after,
    async advance(ms) {
      const until = now + ms
      await settle()
      while (await step(until));
      now = until
    },
    async runUntilIdle(limitMs = 60_000) {
      const until = now + limitMs
      await settle()
      while (await step(until));
    },
    async runUntil(done, limitMs) {
      const until = now + limitMs
      await settle()
      while (!done()) if (!(await step(until))) return done()
      return true
    },
    pending: () => timers.length,
  }
}

export function createProcessClock(clock: Clock): ProcessClock {
  let state: 'running' | 'stopped' | 'dead' = 'running'
  let held: (() => void)[] = []
  return {
    now: () => clock.now(),
    after(ms, fn) {
      let cancelled = false
      const run = () => {
        if (cancelled || state === 'dead') return
        if (state === 'stopped') held.push(run)
        else fn()
      }
      const cancel = clock.after(ms, run)
      return () => {
        cancelled = true
        cancel()
      }
    },
    stop() {
      if (state === 'running') state = 'stopped'
    },
    wake() {
      if (state !== 'stopped') return
      state = 'running'
      const due = held
      held = []
      for (const run of due) run()
    },
    kill() {
      state = 'dead'
      held = []
    },
  }
}

/** Every promise that can settle without time passing has settled when the event loop comes round again. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

function push(timers: TimerEntry[], entry: TimerEntry): void {
  let low = 0
  let high = timers.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const other = timers[middle]
    if (other !== undefined && other.at <= entry.at) low = middle + 1
    else high = middle
  }
  timers.splice(low, 0, entry)
}

function remove(timers: TimerEntry[], entry: TimerEntry): void {
  const index = timers.indexOf(entry)
  if (index >= 0) timers.splice(index, 1)
}
