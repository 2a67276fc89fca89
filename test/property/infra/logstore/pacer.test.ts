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
        const pacer = createPacer({ perSecondMax: rate, perSecondMin: rate, recordsFew: 1, burst })
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

test('the more is carried the fewer requests there are, between the two bounds, and few records never wait', () => {
  const pace = { perSecondMax: 800, perSecondMin: 200, recordsFew: 1_000, burst: 5 }
  const requestsPerSecAt = (recordsPerSec: number): number => {
    const pacer = createPacer(pace)
    let requests = 0
    for (let now = 0; now < 10_000; now += 1) {
      pacer.carried(recordsPerSec / 1_000, now)
      if (now >= 5_000 && pacer.waitMs(now) === 0) requests += 1
    }
    return requests / 5
  }
  expect(requestsPerSecAt(0)).toBeCloseTo(800, -1)
  expect(requestsPerSecAt(1_000)).toBeCloseTo(800, -1)
  expect(requestsPerSecAt(2_000)).toBeCloseTo(400, -1)
  expect(requestsPerSecAt(50_000)).toBeCloseTo(200, -1)
})
