import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createAllowances } from '../../../gateway/allowances.ts'

const rate = { perSecond: 10, burst: 5 }
const T0 = 1_800_000_000_000
const asking = fc.record({ key: fc.constantFrom('a', 'b', 'c', '__proto__'), afterMs: fc.nat(400) })

describe('an allowance per key', () => {
  it('lets through in any span of time no more than the burst and what was refilled, for each key alone', () => {
    fc.assert(
      fc.property(fc.array(asking, { maxLength: 200 }), (askings) => {
        const allowances = createAllowances(rate, 1_000)
        const taken = new Map<string, number[]>()
        let now = T0
        for (const { key, afterMs } of askings) {
          now += afterMs
          const waitMs = allowances.take(key, now)
          if (waitMs === null) taken.set(key, [...(taken.get(key) ?? []), now])
          else expect(waitMs).toBeGreaterThan(0)
        }
        for (const times of taken.values())
          for (const [from, began] of times.entries())
            for (const [i, at] of times.slice(from).entries())
              expect(i + 1).toBeLessThanOrEqual(rate.burst + ((at - began) * rate.perSecond) / 1000 + 1e-6)
      }),
      { numRuns: 500 },
    )
  })

  it('has one again exactly when it says so', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.nat(50), (times, stepMs) => {
        const allowances = createAllowances(rate, 1_000)
        let now = T0
        for (let i = 0; i < times; i++) {
          now += stepMs
          const waitMs = allowances.take('a', now)
          if (waitMs === null) continue
          expect(allowances.take('a', now + waitMs)).toBeNull()
          now += waitMs
        }
      }),
    )
  })

  it('is forgotten once it is full again, and memory stays bounded whoever comes', () => {
    const allowances = createAllowances(rate, 100)
    for (let i = 0; i < 10_000; i++) {
      allowances.take(`key-${i}`, T0)
      expect(allowances.size()).toBeLessThanOrEqual(100)
    }
    allowances.take('late', T0 + 500)
    expect(allowances.size()).toBe(1)
  })
})
