import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  drain,
  type Entry,
  emptyQueue,
  enqueue,
  expire,
  isIdle,
  settle,
  takeRequest,
} from '../../../../infra/logstore/batcher.ts'

const limits = { bytes: 100, records: 8 }

const step = fc.oneof(
  fc.record({
    kind: fc.constant('enqueue' as const),
    bytes: fc.integer({ min: 1, max: 100 }),
    records: fc.integer({ min: 1, max: 8 }),
  }),
  fc.record({ kind: fc.constant('take' as const) }),
  fc.record({ kind: fc.constant('settle' as const) }),
  fc.record({ kind: fc.constant('drain' as const) }),
  fc.record({ kind: fc.constant('expire' as const), age: fc.integer({ min: 0, max: 20 }) }),
)

test('each entry leaves exactly once, whole, in call order, one request at a time and within the limits', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const queue = emptyQueue()
      const left: Entry[] = []
      const entered: Entry[] = []
      let inFlight = false
      for (const [now, one] of steps.entries()) {
        switch (one.kind) {
          case 'enqueue': {
            const entry = entryOf(one.bytes, one.records, now)
            enqueue(queue, entry)
            entered.push(entry)
            break
          }
          case 'take': {
            const waited = entered.length - left.length
            const taken = takeRequest(queue, limits)
            expect(taken !== null).toBe(!inFlight && waited > 0)
            if (taken === null) break
            inFlight = true
            expect(total(taken, ({ bytes }) => bytes)).toBeLessThanOrEqual(limits.bytes)
            expect(total(taken, ({ records }) => records.length)).toBeLessThanOrEqual(limits.records)
            left.push(...taken)
            break
          }
          case 'settle':
            settle(queue)
            inFlight = false
            break
          case 'drain':
            left.push(...drain(queue))
            break
          case 'expire': {
            const expired = expire(queue, now - one.age)
            for (const { queuedAtMs } of expired) expect(queuedAtMs).toBeLessThan(now - one.age)
            left.push(...expired)
            break
          }
        }
        expect(left).toEqual(entered.slice(0, left.length))
        expect(isIdle(queue)).toBe(!inFlight && left.length === entered.length)
      }
    }),
  )
})

test('an entry as large as it was accepted goes out alone rather than never', () => {
  const queue = emptyQueue()
  const big = entryOf(1_000, 50, 0)
  enqueue(queue, big)
  enqueue(queue, entryOf(1, 1, 1))
  expect(takeRequest(queue, limits)).toEqual([big])
})

function entryOf(bytes: number, records: number, queuedAtMs: number): Entry {
  return {
    bytes,
    queuedAtMs,
    records: Array.from({ length: records }, () => ({ key: null, value: null })),
    resolve() {},
    reject() {},
  }
}

function total(entries: readonly Entry[], of: (entry: Entry) => number): number {
  return entries.reduce((sum, entry) => sum + of(entry), 0)
}
