import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createPacer } from '../../../../infra/logstore/pacer.ts'

test('no more turns are given than the rate and the burst allow, and a wait that was announced suffices', () => {
  const steps = fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 200 })
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2_000 }),
      fc.integer({ min: 1, max: 50 }),
      steps,
      (rate, burst, gaps) => {
        const pacer = createPacer(rate, burst)
        let now = 1_000_000
        let given = 0
        const start = now
        for (const gap of gaps) {
          now += gap
          const wait = pacer.waitMs(now)
          if (wait === 0) {
            given += 1
          } else {
            now += Math.ceil(wait + 1e-6)
            expect(pacer.waitMs(now)).toBe(0)
            given += 1
          }
          expect(given).toBeLessThanOrEqual(burst + ((now - start) * rate) / 1_000 + 1e-6)
        }
      },
    ),
  )
})
