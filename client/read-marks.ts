/** Read marks, coalesced: at most one per conversation in 2 s, the newest counts. */
import type { Clock } from '../schemas/ports.ts'

const EVERY_MS = 2_000

interface Mark {
  wanted: number
  done: number
  nextAtMs: number
  /** A timer or a command is under way. */
  busy: boolean
  cancel: (() => void) | null
  waiters: { seq: number; resolve(): void; reject(error: unknown): void }[]
}

export interface ReadMarks {
  mark(conversationId: string, seq: number): Promise<void>
  /** A mark that stands already, set here or on another device. */
  noted(conversationId: string, seq: number): void
  /** Sends what waits for its time. */
  flush(): Promise<unknown>
}

export interface ReadMarksDeps {
  readonly clock: Clock
  /** The message at or before `seq` that a mark can name; null: there is none. */
  readonly placeOf: (conversationId: string, seq: number) => Promise<{ seq: number; ordinal: number } | null>
  readonly submit: (conversationId: string, seq: number, ordinal: number) => Promise<unknown>
}

export function createReadMarks(deps: ReadMarksDeps): ReadMarks {
  const marks = new Map<string, Mark>()

  function markOf(conversationId: string): Mark {
    let mark = marks.get(conversationId)
    if (!mark) {
      mark = { wanted: 0, done: 0, nextAtMs: 0, busy: false, cancel: null, waiters: [] }
      marks.set(conversationId, mark)
    }
    return mark
  }

  function plan(conversationId: string, mark: Mark): void {
    if (mark.busy || mark.waiters.length === 0) return
    mark.busy = true
    mark.cancel = deps.clock.after(Math.max(0, mark.nextAtMs - deps.clock.now()), () => {
      mark.cancel = null
      void go(conversationId, mark)
    })
  }

  async function go(conversationId: string, mark: Mark): Promise<void> {
    const seq = mark.wanted
    mark.nextAtMs = deps.clock.now() + EVERY_MS
    try {
      const place = await deps.placeOf(conversationId, seq)
      if (place && place.seq > mark.done) await deps.submit(conversationId, place.seq, place.ordinal)
      done(mark, seq)
    } catch (error) {
      const failed = mark.waiters
      mark.waiters = []
      for (const waiter of failed) waiter.reject(error)
    }
    mark.busy = false
    plan(conversationId, mark)
  }

  function done(mark: Mark, seq: number): void {
    mark.done = Math.max(mark.done, seq)
    const waiters = mark.waiters
    mark.waiters = waiters.filter((waiter) => waiter.seq > mark.done)
    for (const waiter of waiters) if (waiter.seq <= mark.done) waiter.resolve()
  }

  return {
    mark(conversationId, seq) {
      const mark = markOf(conversationId)
      if (seq <= mark.done) return Promise.resolve()
      mark.wanted = Math.max(mark.wanted, seq)
      const marked = new Promise<void>((resolve, reject) => {
        mark.waiters.push({ seq, resolve, reject })
      })
      // Most callers do not wait for it; a refusal must not end their process.
      marked.catch(() => {})
      plan(conversationId, mark)
      return marked
    },
    noted(conversationId, seq) {
      const mark = marks.get(conversationId)
      if (mark) done(mark, seq)
    },
    flush() {
      const under: Promise<unknown>[] = []
      for (const [conversationId, mark] of marks) {
        if (mark.cancel) {
          mark.cancel()
          mark.cancel = null
          under.push(go(conversationId, mark))
        }
      }
      return Promise.all(under)
    },
  }
}
