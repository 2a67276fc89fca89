import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { answerKey, emptyAnswers, type FirstAnswer, remember } from '../../../processors/answers.ts'
import { packId, T0 } from '../../support/commands.ts'

vi.mock('../../../schemas/limits.ts', async (original) => {
  const { limits } = await original<typeof import('../../../schemas/limits.ts')>()
  return { limits: { ...limits, dedupEntriesPerStreamMax: 5 } }
})

test('the map keeps the greatest ids, the first answer of each, and a floor over all that went', () => {
  const arrival = fc.record({ sender: fc.constantFrom('a', 'b'), time: fc.integer({ min: 0, max: 12 }) })
  fc.assert(
    fc.property(fc.array(arrival, { maxLength: 60 }), (arrivals) => {
      const answers = emptyAnswers()
      const evicted: number[] = []
      const first = new Map<string, FirstAnswer>()
      for (const [seq, { sender, time }] of arrivals.entries()) {
        const key = answerKey(sender, packId(T0 + time))
        const before = [...answers.order]
        const answer: FirstAnswer = { seq, ordinal: seq, time: 0, code: null, bodyHash: 0 }
        // As decide does it: at or below the floor an unknown id is refused and never comes here.
        if (!answers.byKey.has(key) && T0 + time <= answers.floor) continue
        if (!answers.byKey.has(key)) first.set(key, answer)
        remember(answers, key, answer)
        for (const old of before)
          if (!answers.byKey.has(old)) evicted.push(Number.parseInt(old.slice(0, 12), 16))
        if (!answers.byKey.has(key)) evicted.push(T0 + time)
      }
      expect(answers.order).toEqual([...answers.byKey.keys()].sort())
      expect(answers.order.length).toBeLessThanOrEqual(5)
      expect(answers.floor).toBe(Math.max(-1, ...evicted))
      for (const [key, answer] of answers.byKey) expect(answer).toEqual(first.get(key))
    }),
    { numRuns: 500 },
  )
})
