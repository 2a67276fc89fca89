import fc from 'fast-check'
import { expect, test } from 'vitest'
import { add, has } from '../../../processors/intervals.ts'

test('a set of intervals holds what a plain set holds, sorted, disjoint and as compact as can be', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -20, max: 60 }), { maxLength: 80 }), (values) => {
      const pairs: number[] = []
      const plain = new Set<number>()
      for (const value of values) {
        add(pairs, value)
        plain.add(value)
      }
      for (let value = -22; value <= 62; value++) expect(has(pairs, value)).toBe(plain.has(value))
      // Between the end of one pair and the beginning of the next lies at least one number that is in none.
      for (let i = 1; i < pairs.length; i++) {
        const step = (pairs[i] as number) - (pairs[i - 1] as number)
        expect(step).toBeGreaterThanOrEqual(i % 2 === 1 ? 0 : 2)
      }
    }),
    { numRuns: 500 },
  )
})
