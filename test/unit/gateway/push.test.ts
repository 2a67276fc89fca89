import { describe, expect, it } from 'vitest'
import {
  acknowledge,
  isBehind,
  newPushState,
  noteKnown,
  type PushedEvent,
  type PushLimits,
  push,
  replaceChanged,
  resend,
} from '../../../gateway/push.ts'
import type { Item } from '../../../schemas/frames.ts'
import { hiddenItem } from '../../../schemas/item.ts'

const limits: PushLimits = { framesMax: 10, bytesMax: 1_000, streamsMax: 3, ackTimeoutMs: 100, resendsMax: 3 }
const event = (seq: number, part: Partial<Item> = {}, conversationId = 'g:a'): PushedEvent => ({
  item: { ...hiddenItem(conversationId, seq), kind: 'message', content: '{"text":"secret"}', ...part },
  bytes: 10,
})
const state = () => newPushState<PushedEvent>()
const seqs = (events: readonly PushedEvent[]) => events.map(({ item }) => item.seq)

describe('a window of pushes', () => {
  it('given a pushed seq, it and those below are dropped', () => {
    const window = state()
    expect(push(window, event(5), 0, limits)).toBe('send')
    expect(push(window, event(5), 0, limits)).toBe('drop')
    expect(push(window, event(4), 0, limits)).toBe('drop')
    expect(push(window, event(6), 0, limits)).toBe('send')
  })

  it('given the own committed message, its event is not pushed to that connection', () => {
    const window = state()
    noteKnown(window, 'g:a', 7, limits)
    expect(push(window, event(7), 0, limits)).toBe('drop')
    expect(isBehind(window, 'g:a', 7)).toBe(false)
    expect(isBehind(window, 'g:a', 8)).toBe(true)
  })

  it('an ack lets everything of its stream up to its seq go, and nothing of others', () => {
    const window = state()
    for (const seq of [1, 2, 3]) push(window, event(seq), 0, limits)
    push(window, event(1, {}, 'g:b'), 0, limits)
    expect(acknowledge(window, 'g:a', 2)).toBe(2)
    expect(acknowledge(window, 'g:a', 2)).toBe(0)
    expect(acknowledge(window, 'g:none', 99)).toBe(0)
    expect(window).toMatchObject({ count: 2, bytes: 20 })
  })

  it('unacked events are sent again by seq, then the connection is slow', () => {
    const window = state()
    for (const seq of [1, 2]) push(window, event(seq), 0, limits)
    expect(resend(window, 99, limits).kind).toBe('none')
    for (const now of [100, 200, 300]) {
      const due = resend(window, now, limits)
      expect(due.kind === 'resend' && seqs(due.events)).toEqual([1, 2])
    }
    expect(resend(window, 400, limits).kind).toBe('slow')
  })

  it('a stream in which something was recalled or edited is sent again before the others, in its own order', () => {
    const window = state()
    push(window, event(1, {}, 'g:quiet'), 0, limits)
    for (const seq of [1, 2]) push(window, event(seq), 0, limits)
    push(window, event(3, { kind: 'recalled', targetSeq: 1, content: null }), 0, limits)
    const due = resend(window, 100, limits)
    expect(
      due.kind === 'resend' && due.events.map(({ item }) => `${item.conversationId} ${item.seq}`),
    ).toEqual(['g:a 1', 'g:a 2', 'g:a 3', 'g:quiet 1'])
  })

  it('a full window makes the connection slow, by count and by bytes', () => {
    const window = state()
    for (let seq = 1; seq <= limits.framesMax; seq++) push(window, event(seq), 0, limits)
    expect(push(window, event(99), 0, limits)).toBe('slow')
    expect(push(state(), { ...event(1), bytes: 2_000 }, 0, limits)).toBe('slow')
  })

  it('given a recall, neither the message nor an edit of it is shown by a resend', () => {
    const window = state()
    push(window, event(1), 0, limits)
    push(window, event(2, { kind: 'edited', targetSeq: 1, content: '{"text":"edited"}' }), 0, limits)
    push(window, event(3), 0, limits)
    const recall = event(4, { kind: 'recalled', targetSeq: 1, content: null })
    replaceChanged(window, recall.item, (item) => ({ item, bytes: 5 }))
    push(window, recall, 0, limits)
    const due = resend(window, 100, limits)
    const contents = due.kind === 'resend' ? due.events.map(({ item }) => item.content) : []
    expect(contents).toEqual([null, null, '{"text":"secret"}', null])
    expect(window.bytes).toBe(30)
  })

  it('given an edit, the message waits with its new content; after a recall it brings nothing back', () => {
    const window = state()
    push(window, event(1), 0, limits)
    const edit = event(2, { kind: 'edited', targetSeq: 1, content: '{"text":"new"}' }).item
    const make = (item: Item) => ({ item, bytes: 10 })
    replaceChanged(window, edit, make)
    const first = () => window.streams.get('g:a')?.unacked[0]?.event.item
    expect(first()).toMatchObject({ content: '{"text":"new"}', targetSeq: 2, kind: 'message' })
    replaceChanged(window, event(3, { kind: 'recalled', targetSeq: 1, content: null }).item, make)
    replaceChanged(window, edit, make)
    expect(first()).toMatchObject({ content: null, targetSeq: 3 })
  })

  it('remembers a bounded number of streams, never forgetting one with unacked events', () => {
    const window = state()
    push(window, event(1, {}, 'g:unacked'), 0, limits)
    for (const id of ['g:1', 'g:2', 'g:3', 'g:4']) {
      push(window, event(1, {}, id), 0, limits)
      acknowledge(window, id, 1)
    }
    expect(window.streams.size).toBe(3)
    expect(window.streams.has('g:unacked')).toBe(true)
  })
})
