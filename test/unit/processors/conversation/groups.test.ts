import { describe, expect, test } from 'vitest'
import type { GroupState } from '../../../../processors/state.ts'
import { groupStream, newGroupId } from '../../../../schemas/ids.ts'
import { limits } from '../../../../schemas/limits.ts'
import { addMembers, create, packId, recall, removeMembers, send, T0 } from '../../../support/commands.ts'
import { by, given, type Said } from '../../../support/given.ts'

const ID = packId(T0, 42)
const G = groupStream(newGroupId('a', ID))
const created = (...members: string[]): Said => by('a', create('team', ...members), { packId: ID })
const people = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `u${from + i}`)

describe('creating a group', () => {
  test('the creator is its owner and a member; doubled names count once', () => {
    const { scene, when } = given(G)
    const { envelope } = when(created('b', 'b', 'a')).event('GroupCreated', {
      name: 'team',
      members: ['a', 'b'],
    })
    expect(envelope).toMatchObject({ seq: 1, ordinal: 0 })
    expect([...(scene.state().body as GroupState).members]).toEqual([
      ['a', 'owner'],
      ['b', 'member'],
    ])
  })

  test('a retry of the creation is answered with the first seq', () => {
    given(G, created('b')).when(created('b')).repeat({ seq: 1, code: null, conflict: false })
  })

  test('nobody takes the id of a group that is not theirs to make', () => {
    given(G)
      .when(by('b', create('x'), { packId: ID }))
      .rejection('bad_id')
    given(G)
      .when(by('a', create('x'), { packId: packId(T0, 43) }))
      .rejection('bad_id')
    given('g:known-name').when(created()).rejection('bad_id')
  })

  test('more members than a group may have are refused', () => {
    const full = people(limits.groupMembersMax)
    given(G)
      .when(created(...full))
      .rejection('group_full')
    given(G)
      .when(created(...full.slice(1)))
      .event('GroupCreated')
  })
})

describe('a group that does not exist', () => {
  test.each([
    ['sending', send('hi')],
    ['adding', addMembers('c')],
    ['removing', removeMembers('a')],
    ['recalling', recall(1)],
  ])('%s answers what an outsider hears, so that nobody learns which groups there are', (_, payload) => {
    given(G).when(by('a', payload)).rejection('not_member')
    given(G, created('b')).when(by('stranger', payload)).rejection('not_member')
  })
})

describe('adding members', () => {
  test('any member may, and the event names only who is new', () => {
    given(G, created('b'))
      .when(by('b', addMembers('a', 'c', 'c')))
      .event('MembersAdded', { members: ['c'] })
  })

  test('adding only members changes nothing', () => {
    given(G, created('b'))
      .when(by('b', addMembers('a')))
      .rejection('no_change')
  })

  test('a group never grows over its limit', () => {
    const almost = created(...people(limits.groupMembersMax - 2))
    given(G, almost)
      .when(by('a', addMembers('x', 'y')))
      .rejection('group_full')
    given(G, almost)
      .when(by('a', addMembers('x')))
      .event('MembersAdded')
  })

  test('who was added may speak from that record on', () => {
    given(G, created('b'), by('a', addMembers('c')))
      .when(by('c', send('hi')))
      .event('MessageSent')
  })
})

describe('removing members', () => {
  test('the owner removes others, and they may not speak from that record on', () => {
    given(G, created('b'), by('a', removeMembers('b')))
      .when(by('b', send('hi')))
      .rejection('not_member')
  })

  test('anyone may leave; nobody removes another but the owner', () => {
    given(G, created('b', 'c'))
      .when(by('b', removeMembers('b')))
      .event('MembersRemoved', { members: ['b'] })
    given(G, created('b', 'c'))
      .when(by('b', removeMembers('c')))
      .rejection('not_allowed')
    given(G, created('b', 'c'))
      .when(by('b', removeMembers('b', 'c')))
      .rejection('not_allowed')
  })

  test('the owner stays', () => {
    given(G, created('b'))
      .when(by('a', removeMembers('a')))
      .rejection('not_allowed')
    given(G, created('b'))
      .when(by('b', removeMembers('a')))
      .rejection('not_allowed')
  })

  test('the event names only who was a member; removing strangers changes nothing', () => {
    given(G, created('b'))
      .when(by('a', removeMembers('b', 'x')))
      .event('MembersRemoved', { members: ['b'] })
    given(G, created('b'))
      .when(by('a', removeMembers('x')))
      .rejection('no_change')
  })

  test('who comes back is a member again', () => {
    given(G, created('b'), by('a', removeMembers('b')), by('a', addMembers('b')))
      .when(by('b', send('hi')))
      .event('MessageSent')
  })
})

describe('messages in a group', () => {
  test('only messages count in the ordinal', () => {
    const { envelope } = given(G, created('b'), by('a', addMembers('c')))
      .when(by('b', send('hi')))
      .event('MessageSent')
    expect(envelope).toMatchObject({ seq: 3, ordinal: 1 })
  })

  test("the owner recalls anyone's message, without a window", () => {
    given(G, created('b'), by('b', send('hi')))
      .when(by('a', recall(2), { at: limits.recallWindowMs * 10 }))
      .event('MessageRecalled')
  })

  test('a member recalls only their own', () => {
    given(G, created('b'), by('a', send('hi')))
      .when(by('b', recall(2)))
      .rejection('not_author')
  })

  test('the creation is no message', () => {
    given(G, created('b'), by('b', send('hi')))
      .when(by('a', recall(1)))
      .rejection('no_such_message')
  })
})
