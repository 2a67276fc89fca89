import { describe, expect, test } from 'vitest'
import { findMax } from '../../../bench/find-max.ts'
import { createTally } from '../../../bench/load/tally.ts'
import type { Measurement } from '../../../bench/measure.ts'
import { usageBetween } from '../../../bench/support/processes.ts'
import { createSamples, joined, summarise } from '../../../bench/support/samples.ts'
import { table } from '../../../infra/terminal.ts'

test('percentiles are exact, by nearest rank, whatever the order and the number of parts', () => {
  const samples = createSamples()
  for (let i = 10_000; i > 0; i--) samples.add(i)
  expect(samples.summary()).toEqual({
    count: 10_000,
    p50Ms: 5_000,
    p95Ms: 9_500,
    p99Ms: 9_900,
    maxMs: 10_000,
  })
  const parts = joined([samples.values(), new Float32Array([1, 2])])
  expect(summarise(parts).count).toBe(10_002)
  expect(summarise(new Float32Array())).toMatchObject({ count: 0, p50Ms: Number.NaN })
  expect(summarise(new Float32Array([7]))).toMatchObject({ p50Ms: 7, p99Ms: 7, maxMs: 7 })
})

describe('the tally of a run', () => {
  const extras = { resends: 0, reconnects: 0 }

  test('finds what was committed and never came, came twice, or came in another order', () => {
    const tally = createTally(4, 2)
    for (const n of [0, 1, 2, 3]) tally.sent(n, n)
    for (const n of [0, 1, 2]) tally.committed(n, 5)
    tally.refused(3)
    tally.received(0, 1, 5)
    expect(tally.isSettled()).toBe(false)
    tally.received(0, 0, 5)
    tally.received(0, 0, 5)
    expect(tally.result(extras)).toMatchObject({
      lost: 1,
      doubled: 1,
      outOfOrder: 1,
      refused: 1,
      sendLateMsMax: 3,
    })
  })

  test('a message without any answer is told apart from a lost one', () => {
    const tally = createTally(1, 2)
    tally.sent(0, 0)
    expect(tally.result(extras)).toMatchObject({ lost: 0, unanswered: 1 })
  })

  test('two directions have orders of their own', () => {
    const tally = createTally(2, 2)
    tally.received(0, 1, 5)
    tally.received(1, 0, 5)
    expect(tally.result(extras).outOfOrder).toBe(0)
  })
})

describe('the search for the highest rate', () => {
  const machine = (limit: number) => {
    const asked: number[] = []
    const run = async (perSec: number, seconds: number) => {
      asked.push(perSec)
      // A longer run is harder to stand.
      return { perSec, ok: perSec <= (seconds > 10 ? limit * 0.9 : limit) } as Measurement
    }
    return { asked, find: () => findMax(1_000, 20, run, async () => {}) }
  }

  test('ends at a confirmed rate near the limit, from below', async () => {
    for (const limit of [1_000, 2_345, 5_400, 12_345]) {
      const best = await machine(limit).find()
      expect(best?.ok).toBe(true)
      expect(best?.perSec).toBeLessThanOrEqual(limit)
      expect(best?.perSec).toBeGreaterThan(limit * 0.65)
    }
  })

  test('says so when not even the first rate holds', async () => {
    expect(await machine(500).find()).toBeNull()
  })
})

test('processes of one name are added up, and only what was used between two looks counts', () => {
  const before = [{ name: 'gateway', cpuSec: 1, rssBytes: 5 }]
  const after = [
    { name: 'gateway', cpuSec: 3, rssBytes: 7 },
    { name: 'gateway', cpuSec: 0.5, rssBytes: 2 },
  ]
  expect(usageBetween(before, after)).toEqual([{ name: 'gateway', cpuSec: 2.5, rssBytes: 9 }])
})

test('tables align numbers to the right and words to the left', () => {
  expect(
    table(
      ['what', 'n'],
      [
        ['a', 5],
        ['bcd', '1,234'],
      ],
    ),
  ).toBe(['  what       n', '  ────────────', '  a          5', '  bcd    1,234'].join('\n'))
})
