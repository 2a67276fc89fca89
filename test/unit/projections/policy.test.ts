import { describe, expect, test } from 'vitest'
import {
  FOREVER,
  horizonOf,
  isBeyond,
  KEEP_ALL,
  keptOf,
  parsePolicy,
  policyOf,
  withinHorizon,
} from '../../../projections/reads/policy.ts'
import type { Item } from '../../../schemas/frames.ts'
import { hiddenItem } from '../../../schemas/item.ts'

const item = (kind: Item['kind'], seq: number): Item => ({
  ...hiddenItem('g:1', seq),
  kind,
  ordinal: seq,
  time: seq * 1_000,
  content: '{"text":"hi"}',
})

describe('a storage policy', () => {
  test.each([
    ['forever', FOREVER],
    ['messages:200', { keep: 'newest', messages: 200 }],
    ['days:30', { keep: 'recent', ms: 2_592_000_000 }],
    ['relay:60', { keep: 'recent', ms: 60_000 }],
  ])('reads %s', (text, policy) => {
    expect(parsePolicy(text)).toEqual(policy)
  })

  test.each([
    '',
    'never',
    'messages',
    'messages:',
    'messages:0',
    'messages:-1',
    'messages:1.5',
    'messages:1e3',
  ])('refuses %j', (text) => {
    expect(parsePolicy(text)).toBeNull()
  })

  test.each(['days:36501', 'relay:604801', 'messages:1000000000', ' forever', 'forever:1', 'days:7\n'])(
    'refuses %j, which is out of its bounds or form',
    (text) => {
      expect(parsePolicy(text)).toBeNull()
    },
  )

  test('holds for its kind of conversation, and never for a user’s own stream', () => {
    const policies = { p2p: { keep: 'newest', messages: 1 }, group: FOREVER } as const
    expect(policyOf(policies, 'p2p:a:b')).toEqual(policies.p2p)
    expect(policyOf(policies, 'g:1')).toEqual(FOREVER)
    expect(policyOf({ ...policies, group: policies.p2p }, 'u:a')).toEqual(FOREVER)
    expect(policyOf(KEEP_ALL, 'p2p:a:b')).toEqual(FOREVER)
  })

  test('forever hides nothing', () => {
    const horizon = horizonOf(FOREVER, 1_000_000, 4e12)
    expect(isBeyond(horizon, { ordinal: 1, time: 1 })).toBe(false)
  })

  test('of the newest N messages keeps exactly N', () => {
    const horizon = horizonOf({ keep: 'newest', messages: 3 }, 10, 4e12)
    const kept = Array.from({ length: 10 }, (_, i) => i + 1).filter(
      (ordinal) => !isBeyond(horizon, { ordinal, time: 1 }),
    )
    expect(kept).toEqual([8, 9, 10])
  })

  test('by age keeps what is younger, to the millisecond', () => {
    const horizon = horizonOf({ keep: 'recent', ms: 1_000 }, 10, 50_000)
    expect(isBeyond(horizon, { ordinal: 1, time: 49_001 })).toBe(false)
    expect(isBeyond(horizon, { ordinal: 1, time: 49_000 })).toBe(true)
  })

  test('is stored without what was said, but with who said it and when', () => {
    const horizon = horizonOf({ keep: 'newest', messages: 1 }, 9, 0)
    const kept = keptOf({ ...item('message', 8), senderId: 'ann', replyTo: 3 }, horizon)
    expect(kept).toMatchObject({
      kind: 'message',
      senderId: 'ann',
      time: 8_000,
      content: null,
      replyTo: null,
    })
    expect(keptOf(item('message', 9), horizon)).toEqual(item('message', 9))
    expect(keptOf(item('groupSet', 2), horizon)).toEqual(item('groupSet', 2))
  })

  test('hides what was said, in its place, and leaves every other event as it is', () => {
    const horizon = horizonOf({ keep: 'newest', messages: 1 }, 9, 0)
    expect(withinHorizon(item('message', 8), horizon)).toEqual(hiddenItem('g:1', 8))
    expect(withinHorizon(item('edited', 8), horizon)).toEqual(hiddenItem('g:1', 8))
    expect(withinHorizon(item('message', 9), horizon)).toEqual(item('message', 9))
    for (const kind of ['added', 'recalled', 'reacted', 'groupSet'] as const)
      expect(withinHorizon(item(kind, 2), horizon)).toEqual(item(kind, 2))
  })
})
