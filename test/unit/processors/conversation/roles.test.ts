import { describe, expect, test } from 'vitest'
import type { GroupState } from '../../../../processors/state.ts'
import { groupStream, newGroupId } from '../../../../schemas/ids.ts'
import { limits } from '../../../../schemas/limits.ts'
import {
  addMembers,
  create,
  edit,
  mute,
  muteAll,
  packId,
  react,
  recall,
  removeMembers,
  send,
  setRole,
  T0,
} from '../../../support/commands.ts'
import { by, given, type Said } from '../../../support/given.ts'

const ID = packId(T0, 42)
const G = groupStream(newGroupId('a', ID))
const created: Said = by('a', create('team', 'b', 'c', 'd'), { packId: ID })
const staffOf = (...said: Said[]) =>
  Object.fromEntries((given(G, created, ...said).scene.state().body as GroupState).staff)

describe('roles', () => {
  test('the owner makes admins and takes it back', () => {
    given(G, created)
      .when(by('a', setRole('b', 'admin')))
      .event('RoleSet', { user: 'b', role: 'admin' })
    expect(staffOf(by('a', setRole('b', 'admin')))).toEqual({ a: 'owner', b: 'admin' })
    expect(staffOf(by('a', setRole('b', 'admin')), by('a', setRole('b', 'member')))).toEqual({ a: 'owner' })
  })

  test('handing the group over leaves one owner, and the one before an admin', () => {
    expect(staffOf(by('a', setRole('b', 'owner')))).toEqual({ a: 'admin', b: 'owner' })
    const handed = [created, by('a', setRole('b', 'owner'))]
    given(G, ...handed)
      .when(by('a', setRole('c', 'admin')))
      .rejection('not_allowed')
    given(G, ...handed)
      .when(by('b', removeMembers('a')))
      .event('MembersRemoved')
    given(G, ...handed)
      .when(by('a', removeMembers('a')))
      .event('MembersRemoved')
  })

  test('the role that one has changes nothing; a role that is none is refused', () => {
    const { when } = given(G, created, by('a', setRole('b', 'admin')))
    when(by('a', setRole('b', 'admin'))).rejection('no_change')
    when(by('a', setRole('c', 'member'))).rejection('no_change')
    when(by('a', setRole('c', 'king'))).rejection('bad_content')
  })
})

describe('muting one', () => {
  const muted = [created, by('a', send('a2')), by('b', send('b3')), by('a', mute('b', 1_000), { at: 10 })]

  test('lasts until a broker time: to the ms', () => {
    given(G, created)
      .when(by('a', mute('b', 1_000), { at: 10 }))
      .event('MemberMuted', { user: 'b', until: T0 + 1_010 })
    given(G, ...muted)
      .when(by('b', send('hi'), { at: 1_009 }))
      .rejection('muted')
    given(G, ...muted)
      .when(by('b', send('hi'), { at: 1_010 }))
      .event('MessageSent')
  })

  test('bars from sending, editing and reacting, and from nothing else', () => {
    const { when } = given(G, ...muted)
    when(by('b', send('hi'))).rejection('muted')
    when(by('b', edit(3, 'x'))).rejection('muted')
    when(by('b', react(2))).rejection('muted')
    when(by('b', addMembers('x'))).event('MembersAdded')
    when(by('b', recall(3))).event('MessageRecalled')
    when(by('b', removeMembers('b'))).event('MembersRemoved')
  })

  test('ends early by 0, and ending what is not, or is over, changes nothing', () => {
    given(G, ...muted, by('a', mute('b', 0)))
      .when(by('b', send('hi')))
      .event('MessageSent')
    given(G, ...muted)
      .when(by('a', mute('c', 0)))
      .rejection('no_change')
    given(G, ...muted)
      .when(by('a', mute('b', 0), { at: 1_010 }))
      .rejection('no_change')
  })

  test('is not got round by leaving and coming back', () => {
    given(G, ...muted, by('b', removeMembers('b')), by('c', addMembers('b')))
      .when(by('b', send('hi')))
      .rejection('muted')
  })

  test('does not bind whoever was handed the group', () => {
    given(G, ...muted, by('a', setRole('b', 'owner')))
      .when(by('b', send('hi')))
      .event('MessageSent')
  })

  test('for longer than the limit, or for less than no time, is refused', () => {
    const { when } = given(G, created)
    when(by('a', mute('b', limits.muteMsMax + 1))).rejection('bad_content')
    when(by('a', mute('b', -1))).rejection('bad_content')
    when(by('a', mute('b', limits.muteMsMax))).event('MemberMuted')
  })
})

describe('muting all', () => {
  const quiet = [created, by('a', setRole('b', 'admin')), by('c', send('c3')), by('a', muteAll())]

  test('leaves the word to owner and admins until it ends', () => {
    const { when } = given(G, ...quiet)
    when(by('c', send('hi'))).rejection('muted')
    when(by('b', send('hi'))).event('MessageSent')
    when(by('c', recall(3))).event('MessageRecalled')
    when(by('b', muteAll(false))).event('AllMuted', { on: false })
    when(by('c', send('hi'))).event('MessageSent')
  })

  test('twice changes nothing', () => {
    given(G, ...quiet)
      .when(by('a', muteAll()))
      .rejection('no_change')
    given(G, created)
      .when(by('a', muteAll(false)))
      .rejection('no_change')
  })

  test('a muted admin is muted all the same', () => {
    given(G, ...quiet, by('a', mute('b', 1_000)))
      .when(by('b', send('hi')))
      .rejection('muted')
  })
})
