import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createSampling, oneOfFor, SAMPLING_HOLD_MS, SAMPLING_WINDOW_MS } from '../../../gateway/sampling.ts'
import { limits } from '../../../schemas/limits.ts'

const MAX = 1_000
/** Messages of so many rows each, so many ms apart. */
const anyLoad = fc.array(
  fc.record({ rows: fc.integer({ min: 1, max: MAX }), afterMs: fc.nat({ max: 3_000 }) }),
  { maxLength: 400 },
)
const windowOf = (now: number): number => Math.floor(now / SAMPLING_WINDOW_MS)

test('what a sample is of is the least power of two that suffices', () => {
  fc.assert(
    fc.property(fc.nat({ max: 200_000_000 }), fc.integer({ min: 1, max: 100_000 }), (perSec, max) => {
      const oneOf = oneOfFor(perSec, max)
      expect(Number.isInteger(Math.log2(oneOf))).toBe(true)
      expect(oneOf).toBeLessThanOrEqual(limits.ledgerOneOfMax)
      if (oneOf < limits.ledgerOneOfMax) expect(perSec / oneOf).toBeLessThanOrEqual(max)
      if (oneOf > 1) expect(perSec / (oneOf / 2)).toBeGreaterThan(max)
    }),
  )
})

test('a load that is never above the most there may be is written wholly', () => {
  fc.assert(
    fc.property(anyLoad, (load) => {
      const sampling = createSampling({ rowsPerSecMax: MAX })
      const noted = new Map<number, number>()
      let now = 0
      for (const { rows, afterMs } of load) {
        now += afterMs
        const sum = (noted.get(windowOf(now)) ?? 0) + rows
        if (sum > MAX) continue
        noted.set(windowOf(now), sum)
        expect(sampling(rows, now)).toBe(1)
      }
    }),
  )
})

test('however fast rows come, few more than the most are written in a second, on average over packIds', () => {
  fc.assert(
    fc.property(anyLoad, fc.integer({ min: 1, max: 60 }), (load, faster) => {
      const sampling = createSampling({ rowsPerSecMax: MAX })
      const all = new Map<number, number>()
      const written = new Map<number, number>()
      let now = 0
      for (const { rows, afterMs } of load) {
        now += Math.floor(afterMs / faster ** 2)
        const at = windowOf(now)
        all.set(at, (all.get(at) ?? 0) + rows)
        written.set(at, (written.get(at) ?? 0) + rows / sampling(rows, now))
      }
      for (const [at, expected] of written) {
        const doublings = Math.max(0, Math.log2((all.get(at) ?? 0) / MAX))
        // The first of a surge are written before it is known how large it is.
        expect(expected).toBeLessThanOrEqual(MAX * (2 + doublings))
      }
    }),
  )
})

test('it falls back to everything when the load has gone, and not while it is needed', () => {
  fc.assert(
    fc.property(anyLoad, fc.integer({ min: 2 * MAX, max: 60 * MAX }), (before, perSec) => {
      const sampling = createSampling({ rowsPerSecMax: MAX })
      let now = 0
      for (const { rows, afterMs } of before) {
        now += afterMs
        sampling(rows, now)
      }
      const needed = oneOfFor(perSec, MAX)
      const told: number[] = []
      now = (windowOf(now) + 1) * SAMPLING_WINDOW_MS
      for (let second = 0; second < 30; second++)
        for (let part = 0; part < 10; part++) {
          told.push(sampling(perSec / 10, now))
          now += SAMPLING_WINDOW_MS / 10
        }
      expect(told.slice(10).every((oneOf) => oneOf >= needed)).toBe(true)
      expect(told.slice(-10)).toEqual(Array(10).fill(needed))
      expect(sampling(0, now + 2 * SAMPLING_WINDOW_MS)).toBe(needed)
      expect(sampling(1, now + SAMPLING_HOLD_MS + 20 * SAMPLING_WINDOW_MS)).toBe(1)
    }),
  )
})

test('what is set is kept to, whatever comes', () => {
  fc.assert(
    fc.property(anyLoad, fc.nat({ max: 999_999 }), (load, oneOf) => {
      const sampling = createSampling({ oneOf })
      for (const { rows, afterMs } of load) expect(sampling(rows, afterMs)).toBe(oneOf)
    }),
  )
})
