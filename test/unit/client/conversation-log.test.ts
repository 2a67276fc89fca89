import { describe, expect, test } from 'vitest'
import {
  addHeld,
  createLog,
  handledUpTo,
  heldRanges,
  isBehind,
  moveTo,
  offer,
  offerPage,
  ordinalAt,
  startAt,
} from '../../../client/conversation-log.ts'
import { coarse, withRange } from '../../../client/ranges.ts'
import type { Item } from '../../../client/wire.ts'

const item = (seq: number, kind: Item['kind'] = 'message'): Item => ({
  conversationId: 'g:x',
  seq,
  ordinal: kind === 'hidden' ? 0 : seq,
  kind,
  time: 0,
  senderId: 'ann',
  members: [],
  mentions: [],
  mentionAll: false,
})
function started(position: number) {
  const log = createLog('g:x')
  const out: Item[] = []
  startAt(log, position, out)
  return { log, out, seqs: () => out.map(({ seq }) => seq) }
}

describe('a conversation log', () => {
  test('gives out what is next, drops what it had, and keeps what is too early', () => {
    const { log, out, seqs } = started(3)
    expect(offer(log, item(4), out)).toBe('next')
    expect(offer(log, item(4), out)).toBe('duplicate')
    expect(offer(log, item(6), out)).toBe('gap')
    expect(offer(log, item(6), out)).toBe('duplicate')
    expect(isBehind(log)).toBe(true)
    expect(offer(log, item(5), out)).toBe('next')
    expect(seqs()).toEqual([4, 5, 6])
    expect(isBehind(log)).toBe(false)
  })

  test('fills a gap from a page, in which hidden items count', () => {
    const { log, out, seqs } = started(0)
    offer(log, item(5), out)
    offerPage(log, { fromSeq: 1, items: [item(1), item(2, 'hidden'), item(3), item(4)] }, out)
    expect(seqs()).toEqual([1, 2, 3, 4, 5])
  })

  test('begins for a newcomer where he may begin to see', () => {
    const { log, out, seqs } = started(0)
    offer(log, item(12), out)
    offerPage(log, { fromSeq: 11, items: [item(11)] }, out)
    expect(seqs()).toEqual([11, 12])
  })

  test('gives out nothing before it is known where to begin, and then nothing from before', () => {
    const log = createLog('g:x')
    const out: Item[] = []
    offer(log, item(7), out)
    offer(log, item(8), out)
    offer(log, item(9), out)
    expect(out).toEqual([])
    startAt(log, 7, out)
    expect(out.map(({ seq }) => seq)).toEqual([8, 9])
  })

  test('keeps a bounded number of early items; the rest is read with the gap', () => {
    const { log, out, seqs } = started(0)
    for (let seq = 2; seq < 3_000; seq++) offer(log, item(seq), out)
    expect(log.waiting?.size).toBe(512)
    expect(log.target).toBe(2_999)
    offer(log, item(1), out)
    expect(seqs().at(-1)).toBe(513)
    expect(isBehind(log)).toBe(true)
  })

  test('a page that closes a gap says how a message stands that was pushed before it was recalled', () => {
    const { log, out } = started(0)
    offer(log, { ...item(2), content: { text: 'secret' } }, out)
    offer(log, { ...item(3), content: { text: 'kept' } }, out)
    const page = [item(1), { ...item(2), targetSeq: 9, content: null }, item(3)]
    offerPage(log, { fromSeq: 1, items: page }, out)
    expect(out.map(({ content }) => content)).toEqual([undefined, null, { text: 'kept' }])
  })

  test('after a jump still holds what it held', () => {
    const { log, out } = started(9)
    offer(log, item(10), out)
    moveTo(log, 500, out)
    offer(log, item(501), out)
    addHeld(log, { from: 490, to: 500 }, 501)
    expect(heldRanges(log)).toEqual([
      { from: 10, to: 10 },
      { from: 490, to: 501 },
    ])
  })

  test('is handled up to the first item whose handler is not done', () => {
    const { log, out } = started(0)
    for (const seq of [1, 2, 3]) offer(log, item(seq), out)
    log.unsettled = new Set([2])
    expect(handledUpTo(log)).toBe(1)
    log.unsettled.clear()
    expect(handledUpTo(log)).toBe(3)
  })

  test('knows the ordinals of the newest items', () => {
    const { log, out } = started(0)
    for (let seq = 1; seq <= 500; seq++) offer(log, item(seq), out)
    expect(ordinalAt(log, 500)).toBe(500)
    expect(ordinalAt(log, 490)).toBe(490)
    expect(ordinalAt(log, 1)).toBeNull()
    expect(log.ordinals.length).toBeLessThan(200)
  })
})

describe('ranges', () => {
  const some = [
    { from: 1, to: 3 },
    { from: 10, to: 12 },
  ]

  test('merge where they touch', () => {
    expect(withRange(some, { from: 4, to: 9 })).toEqual([{ from: 1, to: 12 }])
    expect(withRange(some, { from: 5, to: 6 })).toEqual([some[0], { from: 5, to: 6 }, some[1]])
    expect(withRange(some, { from: 9, to: 8 })).toEqual(some)
  })

  test('too many for one question leave none out: the oldest are asked for as one', () => {
    const many = [...some, { from: 20, to: 21 }]
    expect(coarse(many, 2)).toEqual([
      { from: 1, to: 12 },
      { from: 20, to: 21 },
    ])
    expect(coarse(many, 3)).toEqual(many)
    expect(coarse([], 3)).toEqual([])
  })
})
