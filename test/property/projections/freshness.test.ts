/** How much of im.keys a gateway knows for certain, whatever its reading, its questions and their answers wait for. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createFreshness, maySeal, sealedFor, TAKEN_MS } from '../../../projections/content-keys/freshness.ts'
import { limits } from '../../../schemas/limits.ts'
import type { ContentKey } from '../../../schemas/records.ts'

type Step =
  | { readonly do: 'pass'; readonly ms: number }
  /** Whichever question or answer it is about, by its place among those that wait. */
  | { readonly do: 'write' | 'read' | 'ask' | 'look' | 'answer' | 'lose' | 'seal'; readonly which: number }

const steps = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 20_000 }) }),
    },
    {
      weight: 9,
      arbitrary: fc.record({
        do: fc.constantFrom('write', 'read', 'ask', 'look', 'answer', 'lose', 'seal'),
        which: fc.nat({ max: 5 }),
      }),
    },
  ),
  { maxLength: 120, size: 'max' },
)

const taken = <T>(from: T[], which: number): T[] => from.splice(which % Math.max(1, from.length), 1)

/** A topic of keys, and a gateway that reads it some time later and asks for its end; the broker looks at a question some time later. */
function gateway() {
  const freshness = createFreshness()
  const written: number[] = []
  const asked: number[] = []
  const looked: { at: number; end: number }[] = []
  let [now, readTo, sealed] = [0, 0, 0]

  function step(one: Step): void {
    if (one.do === 'pass') now += one.ms
    else if (one.do === 'write') written.push(now)
    else if (one.do === 'read') readTo = Math.min(written.length, readTo + one.which)
    else if (one.do === 'ask') asked.push(now)
    else if (one.do === 'look') {
      for (const at of taken(asked, one.which)) looked.push({ at, end: written.length })
    } else if (one.do === 'answer') {
      for (const { at, end } of taken(looked, one.which)) freshness.ended(end, at, readTo)
    } else if (one.do === 'lose') taken(looked, one.which)
    else if (maySeal(freshness.knownTo(readTo), now)) {
      sealed++
      for (const [offset, at] of written.entries())
        if (at < now - limits.keysAgeMsMax) expect(offset, `sealed at ${now}`).toBeLessThan(readTo)
    }
  }

  function well(): void {
    readTo = written.length
    freshness.ended(readTo, now, readTo)
  }

  return {
    step,
    well,
    may: () => maySeal(freshness.knownTo(readTo), now),
    isBehind: () => freshness.isBehind(readTo),
    sealed: () => sealed,
  }
}

test('a gateway that seals knows every key that was taken longer ago than the limit', () => {
  let sealed = 0
  fc.assert(
    fc.property(steps, (all) => {
      const one = gateway()
      for (const step of all) one.step(step)
      sealed += one.sealed()
    }),
    { numRuns: 3_000 },
  )
  expect(sealed).toBeGreaterThan(300)
})

test('one that reads and is answered seals, whatever was before; without answers it does not for ever', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const one = gateway()
      for (const step of all) if (step.do !== 'look' && step.do !== 'answer') one.step(step)
      expect(one.may()).toBe(false)
      one.well()
      expect([one.may(), one.isBehind()]).toEqual([true, false])
      one.step({ do: 'pass', ms: limits.keysAgeMsMax })
      expect(one.may()).toBe(true)
      one.step({ do: 'pass', ms: 1 })
      expect(one.may()).toBe(false)
    }),
  )
})

test('an answer is waited for until it is read up to, and later ones do not take its place', () => {
  const freshness = createFreshness()
  freshness.ended(5, 1_000, 4)
  freshness.ended(9, 2_000, 4)
  expect([freshness.isBehind(4), freshness.knownTo(4)]).toEqual([true, Number.NEGATIVE_INFINITY])
  expect([freshness.isBehind(5), freshness.knownTo(5)]).toEqual([false, 1_000])
  freshness.ended(9, 3_000, 5)
  freshness.ended(9, 500, 9)
  expect(freshness.knownTo(9)).toBe(3_000)
})

test('whoever erases waits for the newest key that was taken, through a whole append, a stale view and another append', () => {
  const key = (state: ContentKey['state'], at: number) => ({ state, at }) as ContentKey
  const ring = (...keys: ContentKey[]) => ({
    ofUser: () => keys.map((_, i) => String(i)),
    get: (id: string) => keys[Number(id)],
  })
  expect(TAKEN_MS).toBe(2 * limits.appendTimeoutMs + limits.keysAgeMsMax)
  expect(sealedFor(ring(), 'ann', 1_000)).toBe(0)
  expect(sealedFor(ring(key('live', 900)), 'ann', 1_000)).toBe(0)
  expect(sealedFor(ring(key('held', 900), key('destroyed', 400), key('live', 950)), 'ann', 1_000)).toBe(
    TAKEN_MS - 100,
  )
  expect(sealedFor(ring(key('held', 0)), 'ann', TAKEN_MS)).toBe(0)
})
