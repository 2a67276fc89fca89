import { describe, expect, test } from 'vitest'
import { intervalsOf, mayRead, parseFacts } from '../../../projections/directory/membership.ts'
import { directory } from '../../../projections/directory/project.ts'
import { accepted, undecodable } from '../../support/projections/accepted.ts'

const conversationId = 'g:1'

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
  test('given a new group, then its members join at seq 1 and it has its name', () => {
    const created = accepted({ stream: conversationId, ordinal: 0 }, 'GroupCreated', {
      members: ['ann', 'bob'],
    })
    expect(directory.project(created)).toEqual([
      {
        kind: 'membership',
        conversationId,
        users: ['ann', 'bob'],
        fact: { joined: true, seq: 1, ordinal: 0 },
      },
      { kind: 'group', conversationId, name: 'the group' },
    ])
  })
  test('given members added and removed, then a fact each', () => {
    const at = { stream: conversationId, seq: 9, ordinal: 7 }
    const [added] = directory.project(accepted(at, 'MembersAdded'))
    const [removed] = directory.project(accepted(at, 'MembersRemoved'))
    expect(added).toMatchObject({ users: ['bob'], fact: { joined: true, seq: 9, ordinal: 7 } })
    expect(removed).toMatchObject({ users: ['bob'], fact: { joined: false, seq: 9, ordinal: 7 } })
  })
})

describe('membership intervals', () => {
  const intervals = intervalsOf(parseFacts('+1:0,-5:3,+9:7'))
  test('begin and end with the events that let someone in and out', () => {
    expect(intervals).toEqual([
      { fromSeq: 1, toSeq: 5, fromOrdinal: 0, toOrdinal: 3 },
      { fromSeq: 9, toSeq: null, fromOrdinal: 7, toOrdinal: null },
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
})
