import { describe, expect, test } from 'vitest'
import type { GroupState } from '../../../../processors/state.ts'
import { groupStream, newGroupId } from '../../../../schemas/ids.ts'
import { limits } from '../../../../schemas/limits.ts'
import {
  addMembers,
  create,
  dissolve,
  edit,
  observe,
  packId,
  recall,
  removeMembers,
  requestJoin,
  send,
  setGroup,
  setRole,
  T0,
} from '../../../support/commands.ts'
import { by, given, type Said, scene } from '../../../support/given.ts'

const ID = packId(T0, 42)
const G = groupStream(newGroupId('a', ID))
const created = (...members: string[]): Said => by('a', create('team', ...members), { packId: ID })

describe('creating a group', () => {
  test('the creator is its owner and a member; doubled names count once', () => {
    const { scene, when } = given(G)
    const { envelope } = when(created('b', 'b', 'a')).event('GroupCreated', {
      name: 'team',
      members: ['a', 'b'],
    })
    expect(envelope).toMatchObject({ seq: 1, ordinal: 0 })
    const { members, staff } = scene.state().body as GroupState
    expect([...members]).toEqual(['a', 'b'])
    expect([...staff]).toEqual([['a', 'owner']])
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

  test('twice changes nothing the second time', () => {
    given(G, created('b'), by('b', addMembers('c')))
      .when(by('a', addMembers('c')))
      .rejection('no_change')
  })

  test('is for admins only where the group says so', () => {
    const closed = [
      created('b', 'c'),
      by('a', setRole('b', 'admin')),
      by('a', setGroup({ addPolicy: 'admins' })),
    ]
    given(G, ...closed)
      .when(by('c', addMembers('d')))
      .rejection('not_allowed')
    given(G, ...closed)
      .when(by('b', addMembers('d')))
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

  test('anyone may leave; a member removes nobody else', () => {
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

  test('the owner stays until the group is handed over', () => {
    given(G, created('b'))
      .when(by('a', removeMembers('a')))
      .rejection('not_allowed')
    given(G, created('b'))
      .when(by('b', removeMembers('a')))
      .rejection('not_allowed')
    given(G, created('b'), by('a', setRole('b', 'owner')))
      .when(by('a', removeMembers('a')))
      .event('MembersRemoved')
  })

  test('an admin removes members, and leaves, but removes no admin and not the owner', () => {
    const staffed = [created('b', 'c', 'd'), by('a', setRole('b', 'admin')), by('a', setRole('c', 'admin'))]
    given(G, ...staffed)
      .when(by('b', removeMembers('d', 'b')))
      .event('MembersRemoved', { members: ['d', 'b'] })
    for (const other of ['a', 'c'])
      given(G, ...staffed)
        .when(by('b', removeMembers('d', other)))
        .rejection('not_allowed')
  })

  test('a member who was removed while sending is refused: the order of the log decides', () => {
    const on = scene(G)
    on.say(created('b'))
    const sent = { ...by('b', send('just in time')), at: 5 }
    expect(on.say(sent).payload.type).toBe('MessageSent')
    expect(on.say(by('a', removeMembers('b'))).payload.type).toBe('MembersRemoved')
    expect(on.say(by('b', send('too late'))).payload).toMatchObject({ code: 'not_member' })
    expect(on.state()).toMatchObject({ seq: 3, ordinal: 1 })
  })

  test('an admin who was removed and comes back is a member like any other', () => {
    given(
      G,
      created('b', 'c'),
      by('a', setRole('b', 'admin')),
      by('a', removeMembers('b')),
      by('a', addMembers('b')),
    )
      .when(by('b', removeMembers('c')))
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

describe('changing a group', () => {
  test('only what is named is in the event, and it holds from then on', () => {
    given(G, created('b'))
      .when(by('a', setGroup({ name: 'new', joinPolicy: 'closed' })))
      .event('GroupSet', { name: 'new', joinPolicy: 'closed', avatar: null, addPolicy: null })
    given(G, created('b'), by('a', setGroup({ joinPolicy: 'closed' })))
      .when(by('x', requestJoin()))
      .rejection('not_allowed')
  })

  test('nothing named changes nothing; no name and no such policy are refused', () => {
    const { when } = given(G, created('b'))
    when(by('a', setGroup({}))).rejection('no_change')
    when(by('a', setGroup({ name: '' }))).rejection('bad_content')
    when(by('a', setGroup({ joinPolicy: 'anyhow' }))).rejection('bad_content')
    when(by('a', setGroup({ addPolicy: 'nobody' }))).rejection('bad_content')
  })
})

describe('a dissolved group', () => {
  const gone = [created('b', 'c'), by('b', send('hi')), by('a', dissolve())]

  test.each([
    ['sending', 'a', send('hi')],
    ['editing', 'b', edit(2, 'ho')],
    ['leaving', 'b', removeMembers('b')],
    ['adding', 'a', addMembers('d')],
    ['changing it', 'a', setGroup({ name: 'x' })],
    ['dissolving it again', 'a', dissolve()],
    ['asking to join', 'x', requestJoin()],
    ['observing', 'x', observe()],
  ])('takes nothing new: %s', (_, user, payload) => {
    given(G, ...gone)
      .when(by(user, payload))
      .rejection('dissolved')
  })

  test('lets its last members take back what all go on reading: the author within the window, who leads at any time', () => {
    const late = { at: limits.recallWindowMs * 2 }
    given(G, ...gone)
      .when(by('b', recall(2)))
      .event('MessageRecalled')
    given(G, ...gone)
      .when(by('a', recall(2), late))
      .event('MessageRecalled')
    given(G, ...gone)
      .when(by('b', recall(2), late))
      .rejection('too_old')
    given(G, ...gone)
      .when(by('c', recall(2)))
      .rejection('not_author')
    given(G, ...gone)
      .when(by('x', recall(2)))
      .rejection('not_member')
  })

  test('keeps its last members, who may read on', () => {
    const body = given(G, ...gone).scene.state().body as GroupState
    expect([...body.members]).toEqual(['a', 'b', 'c'])
  })

  test('is made by nobody anew', () => {
    given(G, ...gone)
      .when(by('a', create('team'), { packId: packId(T0, 42), command: { device: 'd2' } }))
      .repeat({ seq: 1 })
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

  test("an admin recalls anyone's message, the owner's too, without a window", () => {
    const staffed = [
      created('b', 'c'),
      by('a', setRole('b', 'admin')),
      by('a', send('3')),
      by('c', send('4')),
    ]
    for (const seq of [3, 4])
      given(G, ...staffed)
        .when(by('b', recall(seq), { at: limits.recallWindowMs * 10 }))
        .event('MessageRecalled')
  })

  test('who is an admin no longer recalls only their own, within the window', () => {
    const demoted = [
      created('b', 'c'),
      by('a', setRole('b', 'admin')),
      by('c', send('3')),
      by('b', send('4')),
      by('a', setRole('b', 'member')),
    ]
    given(G, ...demoted)
      .when(by('b', recall(3)))
      .rejection('not_author')
    given(G, ...demoted)
      .when(by('b', recall(4), { at: 10 + limits.recallWindowMs }))
      .rejection('too_old')
    given(G, ...demoted)
      .when(by('b', recall(4)))
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
