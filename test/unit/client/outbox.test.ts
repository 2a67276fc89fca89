import { describe, expect, test } from 'vitest'
import {
  accepted,
  add,
  createOutbox,
  disconnected,
  isFull,
  nextDueMs,
  type Outbox,
  refused,
  renew,
  settle,
  sweep,
  takeDue,
} from '../../../client/outbox.ts'
import type { CommandFrame } from '../../../client/wire.ts'

const frame = (packId: string): CommandFrame => ({ type: 'recall', packId, conversationId: 'g:x', seq: 1 })
const put = (outbox: Outbox, packId: string, lane = 'g:x', nowMs = 0) =>
  add(outbox, { packId, lane, frame: frame(packId) }, nowMs)
const take = (outbox: Outbox, nowMs: number) => takeDue(outbox, nowMs).map((entry) => entry.packId)
const half = () => 0.5

describe('the outbox', () => {
  test('sends the next of a lane when the one before it is accepted, and lanes side by side', () => {
    const outbox = createOutbox(10)
    for (const [packId, lane] of [
      ['a1', 'a'],
      ['a2', 'a'],
      ['b1', 'b'],
    ] as const)
      put(outbox, packId, lane)
    expect(take(outbox, 0)).toEqual(['a1', 'b1'])
    expect(take(outbox, 1)).toEqual([])
    accepted(outbox, 'a1')
    expect(take(outbox, 2)).toEqual(['a2'])
  })

  test('sends again under the same packId, in order, and waits for the outcome of what it sends again', () => {
    const outbox = createOutbox(10)
    put(outbox, 'a1')
    put(outbox, 'a2')
    take(outbox, 0)
    accepted(outbox, 'a1')
    take(outbox, 0)
    expect(disconnected(outbox)).toBe(2)
    expect(take(outbox, 10)).toEqual(['a1'])
    accepted(outbox, 'a1')
    expect(take(outbox, 11)).toEqual([])
    settle(outbox, 'a1')
    expect(take(outbox, 12)).toEqual(['a2'])
  })

  test('lets nothing overtake a command that went out late, since it may have to go out anew', () => {
    const outbox = createOutbox(10)
    put(outbox, 'old', 'g:x', 0)
    put(outbox, 'next', 'g:x', 0)
    take(outbox, 60_000)
    accepted(outbox, 'old')
    expect(take(outbox, 60_001)).toEqual([])
  })

  test('holds a lane back until a command refused for the moment is due again', () => {
    const outbox = createOutbox(10)
    put(outbox, 'a1')
    put(outbox, 'a2')
    take(outbox, 0)
    expect(refused(outbox, 'a1', 'unavailable', 500, 0, half)).toEqual({ kind: 'again' })
    const due = nextDueMs(outbox) ?? 0
    expect(due).toBeGreaterThanOrEqual(500)
    sweep(outbox, due - 1)
    expect(take(outbox, due - 1)).toEqual([])
    sweep(outbox, due)
    expect(take(outbox, due)).toEqual(['a1'])
  })

  test('pauses as a whole when it was too fast', () => {
    const outbox = createOutbox(10)
    put(outbox, 'a1', 'a')
    take(outbox, 0)
    refused(outbox, 'a1', 'rate_limited', 1_000, 0, half)
    put(outbox, 'b1', 'b')
    expect(take(outbox, 999)).toEqual([])
    expect(take(outbox, 1_000)).toEqual(['b1'])
  })

  test('goes by the table of codes: final, again, or look first and then anew in the old place', () => {
    const outbox = createOutbox(10)
    const entry = put(outbox, 'a1')
    put(outbox, 'a2')
    take(outbox, 0)
    expect(refused(outbox, 'a1', 'pack_id_expired', null, 0, half)).toMatchObject({ kind: 'look' })
    expect(take(outbox, 0)).toEqual([])
    renew(outbox, entry, 'a1-anew', 5)
    expect(take(outbox, 5)).toEqual(['a1-anew'])
    expect(entry.frame.packId).toBe('a1-anew')
    expect(refused(outbox, 'a1-anew', 'not_member', null, 6, half)).toMatchObject({ kind: 'final' })
    expect(take(outbox, 6)).toEqual(['a2'])
  })

  test('treats a code it does not know as final', () => {
    const outbox = createOutbox(10)
    put(outbox, 'a1')
    take(outbox, 0)
    expect(refused(outbox, 'a1', 'of_tomorrow', null, 0, half)).toMatchObject({ kind: 'final' })
  })

  test('asks again when an accepted command gets no outcome', () => {
    const outbox = createOutbox(10)
    put(outbox, 'a1')
    take(outbox, 0)
    accepted(outbox, 'a1')
    sweep(outbox, 8_001)
    expect(take(outbox, 8_001)).toEqual(['a1'])
  })

  test('settles a command once, and is bounded', () => {
    const outbox = createOutbox(2)
    put(outbox, 'a1')
    put(outbox, 'a2')
    expect(isFull(outbox)).toBe(true)
    expect(settle(outbox, 'a1')).not.toBeNull()
    expect(settle(outbox, 'a1')).toBeNull()
    expect(refused(outbox, 'a1', 'not_member', null, 0, half)).toEqual({ kind: 'unknown' })
    expect(isFull(outbox)).toBe(false)
  })
})
