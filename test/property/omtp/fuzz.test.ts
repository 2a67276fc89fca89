import { expect, test } from 'vitest'
import { fuzzDecoder } from '../../fuzz/decoder.ts'
import { createRandom } from '../../support/random.ts'

test('20,000 broken frames crash nothing, and leave nothing behind', async () => {
  const seed = Date.now() % 1_000_000_000
  const report = await fuzzDecoder(20_000, createRandom(seed), () => {})
  expect(report.crashes, `seed ${seed}`).toEqual([])
  // Some are still good, most are not, and none is lost count of.
  expect(report.decoded).toBeGreaterThan(0)
  expect(Object.keys(report.refused)).toContain('bad_frame')
  expect(report.heapEnd - report.heapMiddle).toBeLessThan(8_000_000)
})
