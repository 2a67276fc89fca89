/** A clock that runs as fast as the work allows: timers fire in order of time, and all promises settle between two. */
import type { Clock } from '../../schemas/ports.ts'

export interface VirtualTime extends Clock {
  /** Runs everything that is due within the next `ms`. */
  run(ms: number): Promise<void>
}

interface Timer {
  readonly at: number
  readonly order: number
  fn: (() => void) | null
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export function virtualTime(startMs: number): VirtualTime {
  let now = startMs
  let order = 0
  // A binary heap by (at, order).
  const heap: Timer[] = []
  const before = (a: Timer, b: Timer): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

  function push(timer: Timer): void {
    let i = heap.push(timer) - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      const above = heap[parent] as Timer
      if (!before(timer, above)) break
      heap[i] = above
      i = parent
    }
    heap[i] = timer
  }

  function pop(): Timer {
    const top = heap[0] as Timer
    const last = heap.pop() as Timer
    if (heap.length === 0) return top
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1] as Timer, heap[child] as Timer)) child += 1
      if (!before(heap[child] as Timer, last)) break
      heap[i] = heap[child] as Timer
      i = child
    }
    heap[i] = last
    return top
  }

  return {
    now: () => now,
    after(ms, fn) {
      const timer: Timer = { at: now + Math.max(0, ms), order: ++order, fn }
      push(timer)
      return () => {
        timer.fn = null
      }
    },
    async run(ms) {
      const until = now + ms
      await settle()
      while (heap[0] && heap[0].at <= until) {
        const timer = pop()
        if (!timer.fn) continue
        now = timer.at
        timer.fn()
        await settle()
      }
      now = until
    },
  }
}
