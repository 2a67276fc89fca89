import { describe, expect, test } from 'vitest'
import type { Group, GroupChange, Member, Message, RelationChange } from '../../../client/api.ts'
import { groupAfter, membersAfter } from '../../../web/state/group-fold.ts'
import { emptyConversation, newestOf, withMessage } from '../../../web/state/list-fold.ts'
import { relationAfter } from '../../../web/state/people.ts'

const conversationId = 'g:1'
const group: Group = {
  conversationId,
  name: 'The crew',
  avatar: null,
  announcement: null,
  custom: null,
  joinPolicy: 'approval',
  addPolicy: 'members',
  memberCount: 3,
  large: false,
  dissolved: false,
  allMuted: false,
  role: 'owner',
  mutedUntil: 0,
  pinned: [],
  asked: false,
  requests: [],
  partial: false,
}
const change = (kind: GroupChange['kind'], fields: Partial<GroupChange>): GroupChange => ({
  conversationId,
  seq: 9,
  kind,
  byUserId: 'alice',
  time: 1_000,
  members: [],
  name: null,
  role: null,
  on: null,
  until: null,
  changes: null,
  ...fields,
})

describe('a group after a change', () => {
  const groupWith = (made: GroupChange, before: Partial<Group> = {}, me = 'alice') =>
    groupAfter({ ...group, ...before }, made, me)

  test('has the owner of before as an admin', () => {
    const made = change('roleSet', { members: ['bob'], role: 'owner' })
    expect(groupWith(made).role).toBe('admin')
    expect(groupWith(made, { role: 'member' }, 'bob').role).toBe('owner')
    expect(groupWith(made, { role: 'member' }, 'carol').role).toBe('member')
  })
  test('counts who comes and goes, and forgets that one was in it', () => {
    expect(groupWith(change('added', { members: ['x', 'y'] })).memberCount).toBe(5)
    expect(groupWith(change('removed', { members: ['alice'] }))).toMatchObject({ memberCount: 2, role: null })
  })
  test('holds one request of each, until it is answered', () => {
    const asked = change('joinRequested', { byUserId: 'eve' })
    expect(groupWith(asked).requests).toEqual([{ userId: 'eve', note: '', time: 1_000 }])
    const read = [{ userId: 'eve', note: 'please', time: 1_000 }]
    const twice = groupAfter({ ...group, requests: read }, asked, 'alice')
    expect(twice.requests).toEqual(read)
    const answered = groupAfter(twice, change('joinAnswered', { members: ['eve'], on: false }), 'alice')
    expect(answered).toMatchObject({ requests: [], memberCount: 3 })
    expect(
      groupAfter(twice, change('joinAnswered', { members: ['eve'], on: true }), 'alice').memberCount,
    ).toBe(4)
  })
  test('takes over what was set and leaves the rest', () => {
    expect(groupWith(change('groupSet', { changes: { name: 'Crew' } }))).toMatchObject({
      name: 'Crew',
      joinPolicy: 'approval',
    })
  })
})

describe('members after a change', () => {
  const member = (userId: string, role: Member['role'] = 'member'): Member => ({
    userId,
    role,
    joinedSeq: 1,
    mutedUntil: 0,
  })
  const members = [member('alice', 'owner'), member('bob')]

  test('have one owner', () => {
    const made = membersAfter(members, change('roleSet', { members: ['bob'], role: 'owner' }), true)
    expect(made.map(({ role }) => role)).toEqual(['admin', 'owner'])
  })
  test('gain who is added only when all were read, and each once', () => {
    const added = change('added', { members: ['bob', 'carol'] })
    expect(membersAfter(members, added, true).map(({ userId }) => userId)).toEqual(['alice', 'bob', 'carol'])
    expect(membersAfter(members, added, false)).toEqual(members)
  })
})

describe('an entry of the list', () => {
  const message = (seq: number, fields: Partial<Message> = {}): Message => ({
    conversationId,
    seq,
    ordinal: seq,
    senderId: 'bob',
    packId: '',
    sentAt: 5_000,
    content: { type: 'text', text: 'hi' },
    mentions: [],
    mentionAll: false,
    replyTo: null,
    changedBy: null,
    reactions: [],
    ...fields,
  })
  const before = emptyConversation(conversationId, 'alice')

  test('counts messages of others with their mentions, and none of one’s own', () => {
    const one = withMessage(before, message(1, { mentions: ['alice'] }), 'alice')
    const two = withMessage(one, message(2, { mentionAll: true }), 'alice')
    const three = withMessage(two, message(3, { senderId: 'alice' }), 'alice')
    expect(three).toMatchObject({ unread: 2, mentions: 1, mentionsAll: 1, lastSeq: 3 })
  })
  test('a message that the list knew before it was told counts once', () => {
    const read = { ...withMessage(before, message(7), 'alice'), lastSeq: 8 }
    expect(withMessage(read, message(7), 'alice')).toEqual(read)
    expect(withMessage(read, message(9), 'alice')).toMatchObject({ unread: 2, lastSeq: 9 })
  })

  test('keeps what was told over a list that trails', () => {
    const told = withMessage(before, message(7), 'alice')
    const read = { ...before, name: 'The crew', lastSeq: 5, unread: 9, pinned: true }
    expect(newestOf(read, told)).toMatchObject({ lastSeq: 7, unread: 1, pinned: true, name: 'The crew' })
    expect(newestOf({ ...read, lastSeq: 8 }, told).unread).toBe(9)
  })
  test('stays read where the list does not know it yet', () => {
    const mine = { ...withMessage(before, message(7), 'alice'), unread: 0, readSeq: 7 }
    expect(newestOf({ ...before, lastSeq: 7, unread: 1, readSeq: 3 }, mine)).toMatchObject({
      unread: 0,
      readSeq: 7,
    })
  })
  test('of a single chat of two others is nobody’s peer', () => {
    expect(emptyConversation('p2p:alice:bob', 'bob').peerId).toBe('alice')
    expect(emptyConversation('p2p:alice:bob', 'eve').peerId).toBeNull()
  })
})

test('a relation follows what either side did, and hides what the other side blocked', () => {
  const made = (
    kind: RelationChange['kind'],
    byUserId: string,
    on: boolean | null = null,
  ): RelationChange => ({
    conversationId: 'p2p:alice:bob',
    seq: 1,
    kind,
    byUserId,
    userId: 'bob',
    time: 0,
    on,
    note: kind === 'friendRequested' ? 'hi' : null,
  })
  const none = { userId: 'bob', state: 'none', blocked: false, note: null, remark: 'Bobby' } as const
  const asked = relationAfter(none, made('friendRequested', 'bob'), 'alice')
  expect(asked).toMatchObject({ state: 'asking', note: 'hi', remark: 'Bobby' })
  expect(relationAfter(none, made('friendRequested', 'alice'), 'alice').state).toBe('asked')
  const friend = relationAfter(asked, made('friendAnswered', 'alice', true), 'alice')
  expect(friend).toMatchObject({ state: 'friend', note: null })
  expect(relationAfter(friend, made('blocked', 'bob', true), 'alice').blocked).toBe(false)
  expect(relationAfter(friend, made('blocked', 'alice', true), 'alice')).toMatchObject({
    state: 'friend',
    blocked: true,
  })
})
