import { describe, expect, test } from 'vitest'
import type { Message, Reacted } from '../../../client/api.ts'
import { conversationView } from '../../../client/view.ts'

const conversationId = 'g:1'
const message: Message = {
  conversationId,
  seq: 2,
  ordinal: 1,
  senderId: 'alice',
  packId: '',
  sentAt: 1_000,
  content: { type: 'text', text: 'hello' },
  mentions: [],
  mentionAll: false,
  replyTo: null,
  changedBy: null,
  reactions: [],
}
const reacted = (seq: number, byUserId: string, on: boolean): Reacted => ({
  conversationId,
  seq,
  targetSeq: 2,
  byUserId,
  time: 2_000,
  emoji: '👍',
  on,
})
const page = (count: number, mine: boolean, headSeq: number) => ({
  messages: [{ ...message, reactions: count === 0 ? [] : [{ emoji: '👍', count, mine }] }],
  group: [],
  more: false,
  partial: false,
  firstSeq: 1,
  lastSeq: headSeq,
  headSeq,
})

describe('reactions of a message', () => {
  function countedBy(apply: (view: ReturnType<typeof conversationView>) => void) {
    const view = conversationView(conversationId, 'bob')
    apply(view)
    return view.message(2)?.reactions ?? []
  }

  test('one that comes and goes leaves those of others standing', () => {
    const told = [reacted(3, 'alice', true), reacted(4, 'bob', true), reacted(5, 'alice', false)]
    const reactions = countedBy((view) => {
      view.apply('message', message)
      for (const one of told) view.apply('reaction', one)
    })
    expect(reactions).toEqual([{ emoji: '👍', count: 1, mine: true }])
  })

  test('told again, they change nothing', () => {
    const reactions = countedBy((view) => {
      view.applyPage(page(1, false, 3))
      for (let i = 0; i < 2; i++) {
        view.apply('reaction', reacted(3, 'alice', true))
        view.apply('reaction', reacted(4, 'carol', true))
      }
    })
    expect(reactions).toEqual([{ emoji: '👍', count: 2, mine: false }])
  })

  test('taken off again after a page that counted them, they are gone', () => {
    const reactions = countedBy((view) => {
      view.applyPage(page(2, true, 4))
      view.apply('reaction', reacted(5, 'alice', false))
      view.apply('reaction', reacted(6, 'bob', false))
    })
    expect(reactions).toEqual([])
  })
})
