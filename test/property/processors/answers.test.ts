import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { answerKey, answerTo, emptyAnswers, type FirstAnswer, remember } from '../../../processors/answers.ts'
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
        const answer: FirstAnswer = { key, seq, ordinal: seq, time: 0, code: null, bodyHash: 0 }
        // As decide does it: at or below the floor an unknown id is refused and never comes here.
        const known = answerTo(answers, key)
        if (!known && T0 + time <= answers.floor) continue
        if (!known) first.set(key, answer)
        remember(answers, answer)
        for (const old of new Set([...before.map((one) => one.key), key]))
          if (!answerTo(answers, old)) evicted.push(Number.parseInt(old.slice(0, 12), 16))
      }
      const keys = answers.order.map(({ key }) => key)
      expect(keys).toEqual([...new Set(keys)].sort())
      expect(answers.order.length).toBeLessThanOrEqual(5)
      expect(answers.floor).toBe(Math.max(-1, ...evicted))
      for (const answer of answers.order) expect(answer).toBe(first.get(answer.key))
    }),
    { numRuns: 500 },
  )
})
