import { expect, test } from 'vitest'
import type { Conversation, Group, Message } from '../../../client/index.ts'
import { messageRights } from '../../../web/state/rights.ts'

const said = {
  conversationId: 'p2p:ann:ben',
  senderId: 'ann',
  sentAt: 1_000,
  content: { type: 'text', text: 'hi' },
} as Message
const chat = { conversationId: 'p2p:ann:ben', kind: 'single', peerId: 'ben' } as Conversation
const rightsAt = (time: number) => messageRights(said, chat, null, 'ann', time, { recallMs: 20, editMs: 500 })

test('in a dissolved group one may take back, and nothing else', () => {
  const group = { role: 'member', dissolved: true } as Group
  const team = { conversationId: 'g:1', kind: 'group', dissolved: true } as Conversation
  expect(messageRights(said, team, group, 'ann', 1_010, { recallMs: 20, editMs: 500 })).toEqual({
    edit: false,
    recall: true,
    pin: false,
    answer: false,
  })
})

test('recalling and editing are offered for as long as the server said', () => {
  expect(rightsAt(1_010)).toMatchObject({ recall: true, edit: true })
  expect(rightsAt(1_030)).toMatchObject({ recall: false, edit: true })
  expect(rightsAt(1_600)).toMatchObject({ recall: false, edit: false })
})
