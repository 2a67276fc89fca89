import { describe, expect, test } from 'vitest'
import { intervalsOf, mayRead, parseFacts, readableOf } from '../../../projections/directory/membership.ts'
import { directory } from '../../../projections/directory/project.ts'
import { T0 } from '../../support/commands.ts'
import { accepted, undecodable } from '../../support/projections/accepted.ts'

const conversationId = 'g:1'
const inGroup = { stream: conversationId, seq: 9, ordinal: 7 }

describe('the directory', () => {
  test('given the first message of a single chat, then both have it in their lists', () => {
    expect(directory.project(accepted({ seq: 1 }, 'MessageSent'))).toEqual([
      { kind: 'listed', conversationId: 'p2p:ann:bob', users: ['ann', 'bob'] },
    ])
    expect(directory.project(accepted({ seq: 2 }, 'MessageSent'))).toEqual([])
  })
  test('given a first message that cannot be decoded, then both have it all the same', () => {
    expect(directory.project(undecodable(accepted({ seq: 1 }, 'MessageSent')))).toHaveLength(1)
  })
  test('given a note to oneself, then one list', () => {
    const note = accepted({ stream: 'p2p:ann:ann', seq: 1 }, 'MessageSent')
    expect(directory.project(note)).toMatchObject([{ users: ['ann'] }])
  })
  test('given a block or a friend request as the first event, then only those have the chat who may know of it', () => {
    expect(directory.project(accepted({ seq: 1, ordinal: 0 }, 'Blocked'))).toMatchObject([
      { kind: 'listed', users: ['ann'] },
      { kind: 'latest', hash: 'relations', id: 'ann' },
    ])
    const asked = directory.project(accepted({ seq: 2, ordinal: 0 }, 'FriendRequested'))
    expect(asked[0]).toMatchObject({ kind: 'listed', users: ['ann', 'bob'] })
    const message = directory.project(accepted({ seq: 2, ordinal: 1 }, 'MessageSent'))
    expect(message).toMatchObject([{ kind: 'listed', users: ['ann', 'bob'] }])
  })
  test('given a new group, then its members join at seq 1, it has its name, and its creator owns it', () => {
    const created = accepted({ stream: conversationId, ordinal: 0 }, 'GroupCreated', {
      members: ['ann', 'bob'],
    })
    const fact = { joined: true, seq: 1, ordinal: 0, time: T0 + 1 }
    expect(directory.project(created)).toEqual([
      { kind: 'membership', conversationId, users: ['ann', 'bob'], fact },
      { kind: 'latest', hash: 'group', id: conversationId, seq: 1, fields: [['name', 'the group']] },
      { kind: 'latest', hash: 'roles', id: conversationId, seq: 1, fields: [['ann', 'owner']] },
    ])
  })
  test('given members added and removed, then a fact each, and a request of those added is answered', () => {
    const [added, cleared] = directory.project(accepted(inGroup, 'MembersAdded'))
    const [removed] = directory.project(accepted(inGroup, 'MembersRemoved'))
    expect(added).toMatchObject({ users: ['bob'], fact: { joined: true, seq: 9, ordinal: 7 } })
    expect(cleared).toMatchObject({ hash: 'joins', fields: [['bob', null]] })
    expect(removed).toMatchObject({ users: ['bob'], fact: { joined: false, seq: 9, ordinal: 7 } })
  })
  test('given a request to join, then it waits, and its answer ends it and lets in whom it accepts', () => {
    expect(directory.project(accepted({ ...inGroup, sender: 'bob' }, 'JoinRequested'))).toMatchObject([
      { hash: 'joins', fields: [['bob', `${T0 + 9}:let me in`]] },
    ])
    expect(directory.project(accepted(inGroup, 'JoinAnswered'))).toMatchObject([
      { kind: 'membership', users: ['bob'], fact: { joined: true } },
      { hash: 'joins', fields: [['bob', null]] },
    ])
    expect(directory.project(accepted(inGroup, 'JoinAnswered', { accept: false }))).toMatchObject([
      { hash: 'joins', fields: [['bob', null]] },
    ])
  })
  test('given a role, then who has it; given a new owner, then the one before is an admin', () => {
    const fieldsOf = (role: string) => directory.project(accepted(inGroup, 'RoleSet', { role }))
    expect(fieldsOf('admin')).toMatchObject([{ hash: 'roles', fields: [['bob', 'admin']] }])
    expect(fieldsOf('member')).toMatchObject([{ hash: 'roles', fields: [['bob', null]] }])
    expect(fieldsOf('owner')).toMatchObject([
      {
        hash: 'roles',
        fields: [
          ['bob', 'owner'],
          ['ann', 'admin'],
        ],
      },
    ])
  })
  test('given rules of a group, then those that change and no others', () => {
    expect(directory.project(accepted(inGroup, 'GroupSet', { avatar: 'a.png' }))).toMatchObject([
      { hash: 'group', seq: 9, fields: [['avatar', 'a.png']] },
    ])
    expect(directory.project(accepted(inGroup, 'GroupSet'))).toEqual([])
    expect(directory.project(accepted(inGroup, 'MemberMuted', { until: 0 }))).toMatchObject([
      { hash: 'muted', fields: [['bob', null]] },
    ])
    expect(directory.project(accepted(inGroup, 'AllMuted'))).toMatchObject([{ fields: [['allMuted', '1']] }])
    expect(directory.project(accepted(inGroup, 'GroupDissolved'))).toMatchObject([
      { fields: [['dissolved', '1']] },
    ])
  })
  test('given a pin, then the message is pinned until it is taken down or recalled', () => {
    const fieldsOf = (record: Parameters<typeof directory.project>[0]) => directory.project(record)
    const at = { seq: 9, ordinal: 7 }
    expect(fieldsOf(accepted(at, 'MessagePinned'))).toMatchObject([{ hash: 'pinned', fields: [['1', '']] }])
    expect(fieldsOf(accepted(at, 'MessagePinned', { on: false }))).toMatchObject([{ fields: [['1', null]] }])
    expect(fieldsOf(accepted(at, 'MessageRecalled'))).toMatchObject([
      { hash: 'pinned', fields: [['1', null]] },
    ])
  })
  test('given an observer, then a fact of his own and no place in any list', () => {
    const observing = accepted({ ...inGroup, sender: 'eve' }, 'Observing')
    expect(directory.project(observing)).toEqual([
      {
        kind: 'observing',
        conversationId,
        user: 'eve',
        fact: { joined: true, seq: 9, ordinal: 7, time: T0 + 9 },
      },
    ])
  })
  test('given what two people are to each other, then each side has its own view of it', () => {
    const at = { seq: 9, ordinal: 7 }
    const states = (...of: Parameters<typeof accepted>) =>
      directory
        .project(accepted(...of))
        .flatMap((write) => (write.kind === 'latest' ? [[write.id, write.fields[0]?.join(' ')]] : []))
    const when = T0 + 9
    expect(states(at, 'FriendRequested')).toEqual([
      ['ann', `f:bob asked:${when}:it is me`],
      ['bob', `f:ann asking:${when}:it is me`],
    ])
    expect(states(at, 'FriendAnswered')).toEqual([
      ['ann', `f:bob friend:${when}:`],
      ['bob', `f:ann friend:${when}:`],
    ])
    expect(states(at, 'FriendDeleted')).toEqual([
      ['ann', `f:bob none:${when}:`],
      ['bob', `f:ann none:${when}:`],
    ])
    expect(states({ ...at, sender: 'bob' }, 'Blocked')).toEqual([['bob', 'b:ann ']])
  })
  test('given a setting, then its value; given one that orders the list, then there as well', () => {
    const at = { stream: 'u:ann' }
    expect(directory.project(accepted(at, 'SettingSet'))).toMatchObject([
      { hash: 'settings', id: 'ann', fields: [['theme', 'dark']] },
    ])
    const pinned = accepted(at, 'SettingSet', { key: 'pin:g:1', value: null })
    expect(directory.project(pinned)).toMatchObject([
      { hash: 'settings', fields: [['pin:g:1', null]] },
      { hash: 'listSettings', fields: [['pin:g:1', null]] },
    ])
  })
  test('given a profile, then the fields it changes', () => {
    const set = accepted({ stream: 'u:ann', seq: 4 }, 'ProfileSet', { name: 'Ann', region: '' })
    expect(directory.project(set)).toEqual([
      {
        kind: 'latest',
        hash: 'profile',
        id: 'ann',
        seq: 4,
        fields: [
          ['name', 'Ann'],
          ['region', ''],
        ],
      },
    ])
  })
})

describe('membership intervals', () => {
  const intervals = intervalsOf(parseFacts('+1:0:100,-5:3:500,+9:7:900'))
  test('begin and end with the events that let someone in and out', () => {
    expect(intervals).toEqual([
      { fromSeq: 1, toSeq: 5, fromOrdinal: 0, toOrdinal: 3, toTime: 500 },
      { fromSeq: 9, toSeq: null, fromOrdinal: 7, toOrdinal: null, toTime: null },
    ])
    expect([1, 5, 6, 8, 9, 100].map((seq) => mayRead(intervals, seq))).toEqual([
      true,
      true,
      false,
      false,
      true,
      true,
    ])
  })
  test('open nothing for a leave whose join is not known', () => {
    expect(intervalsOf(parseFacts('-5:3'))).toEqual([])
  })
  test('read nothing from text that holds no facts', () => {
    expect(intervalsOf(parseFacts('nonsense'))).toEqual([])
  })
  test('of an observer end when he becomes a member, though no event of their own says so', () => {
    const seen = (memberships: string, observing: string) =>
      readableOf(parseFacts(memberships), parseFacts(observing)).map(({ fromSeq, toSeq }) => [fromSeq, toSeq])
    expect(seen('', '+3:2,-6:4,+8:5')).toEqual([
      [3, 6],
      [8, null],
    ])
    expect(seen('+9:6,-12:7', '+3:2')).toEqual([
      [3, 9],
      [9, 12],
    ])
    expect(seen('+1:0,-2:1,+9:6', '+3:2')).toEqual([
      [1, 2],
      [3, 9],
      [9, null],
    ])
    // The join was cut by the limit: the leave still says that there was one.
    expect(seen('-12:7', '+3:2')).toEqual([[3, 12]])
  })
})
