import { describe, expect, test } from 'vitest'
import { boundsOf, periodMs, policyText } from '../../../projections/archive/forgetting.ts'
import { FOREVER } from '../../../projections/reads/policy.ts'

const recent = (ms: number) => ({ keep: 'recent', ms }) as const
const newest = (messages: number) => ({ keep: 'newest', messages }) as const

const ends = [
  { stream: 'p2p:a:b', said: 7, ordinal: 5 },
  { stream: 'g:1', said: 90, ordinal: 60 },
  { stream: 'g:2', said: 0, ordinal: 60 },
  { stream: 'u:a', said: 0, ordinal: 0 },
]

describe('what a stretch of the log destroys', () => {
  test('by age: everything said up to the last message or edit in it, and nothing where nobody spoke', () => {
    expect(boundsOf('group', recent(1), ends)).toEqual([{ stream: 'g:1', by: 'seq', upTo: 90 }])
  })
  test('by number: all but the newest, counted from where the conversation has come to', () => {
    expect(boundsOf('group', newest(50), ends)).toEqual([
      { stream: 'g:1', by: 'ordinal', upTo: 10 },
      { stream: 'g:2', by: 'ordinal', upTo: 10 },
    ])
    expect(boundsOf('group', newest(60), ends)).toEqual([])
  })
  test('is of one kind of conversation, and never of a user’s own stream', () => {
    expect(boundsOf('p2p', newest(1), ends)).toEqual([{ stream: 'p2p:a:b', by: 'ordinal', upTo: 4 }])
  })
  test('is nothing where all is kept for ever', () => {
    expect(boundsOf('p2p', FOREVER, ends)).toEqual([])
  })
})

test('another policy has another name, so that it begins with the first event', () => {
  const names = [FOREVER, recent(1), recent(2), newest(1), newest(2)].map(policyText)
  expect(new Set(names).size).toBe(names.length)
})

test('turns are a tenth of the shortest age apart, from five seconds to ten minutes', () => {
  expect(periodMs({ p2p: recent(60_000), group: recent(86_400_000) })).toBe(6_000)
  expect(periodMs({ p2p: recent(1_000), group: FOREVER })).toBe(5_000)
  expect(periodMs({ p2p: newest(10), group: recent(86_400_000) })).toBe(600_000)
  expect(periodMs({ p2p: newest(10), group: FOREVER })).toBe(600_000)
})
