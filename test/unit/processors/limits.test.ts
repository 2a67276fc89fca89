/** What is bounded by number: at the limit it is taken, over it refused. Small limits stand for the real ones. */
import { describe, expect, test, vi } from 'vitest'
import type { GroupState } from '../../../processors/state.ts'
import { groupStream, newGroupId } from '../../../schemas/ids.ts'
import type { CommandPayload } from '../../../schemas/records.ts'
import {
  addMembers,
  answerJoin,
  create,
  edit,
  observe,
  packId,
  pin,
  removeMembers,
  requestJoin,
  send,
  setGroup,
  setRole,
  setSetting,
  T0,
} from '../../support/commands.ts'
import { by, given, type Said } from '../../support/given.ts'

vi.mock('../../../schemas/limits.ts', async (original) => {
  const { limits } = await original<typeof import('../../../schemas/limits.ts')>()
  return {
    limits: {
      ...limits,
      groupMembersMax: 8,
      membersPerCommandMax: 4,
      groupNamedMembersMax: 5,
      groupAdminsMax: 2,
      joinRequestsPerGroupMax: 2,
      pinnedPerConversationMax: 2,
      observersPerConversationMax: 2,
      settingsPerUserMax: 2,
    },
  }
})

const ID = packId(T0, 42)
const G = groupStream(newGroupId('a', ID))
const people = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `u${from + i}`)
const created = (...members: string[]): Said => by('a', create('team', ...members), { packId: ID })
const each = (user: string, ...payloads: CommandPayload[]): Said[] => payloads.map((one) => by(user, one))

describe('members', () => {
  test('more in one command than it may name are refused', () => {
    given(G)
      .when(created(...people(4)))
      .event('GroupCreated')
    given(G)
      .when(created(...people(5)))
      .rejection('too_many')
    const { when } = given(G, created('u0'))
    when(by('a', addMembers(...people(5)))).rejection('too_many')
    when(by('a', removeMembers(...people(5)))).rejection('too_many')
  })

  test('a group never grows over its limit, by adding or by joining', () => {
    const almost = [created(...people(4)), by('a', addMembers('x', 'y')), by('j', requestJoin())]
    given(G, ...almost)
      .when(by('a', addMembers('v', 'w')))
      .rejection('group_full')
    const full = [...almost, by('a', addMembers('v'))]
    given(G, ...full)
      .when(by('a', addMembers('w')))
      .rejection('group_full')
    given(G, ...full)
      .when(by('a', answerJoin('j')))
      .rejection('group_full')
    given(G, ...full, by('a', setGroup({ joinPolicy: 'open' })))
      .when(by('k', requestJoin()))
      .rejection('group_full')
  })

  test('a refused newcomer may still be let in when there is room', () => {
    given(
      G,
      created(...people(4)),
      by('a', addMembers('v', 'w', 'x')),
      by('j', requestJoin()),
      by('a', removeMembers('x')),
    )
      .when(by('a', answerJoin('j')))
      .event('JoinAnswered', { user: 'j', accept: true })
  })
})

describe('a large group', () => {
  const large = [created(...people(4)), by('a', addMembers('x'))]
  const isLarge = (...said: Said[]) => (given(G, ...said).scene.state().body as GroupState).large

  test('is one that has had more members than are named in a push, however they came, for ever', () => {
    expect(isLarge(created(...people(4)))).toBe(false)
    expect(isLarge(...large)).toBe(true)
    expect(isLarge(...large, by('a', removeMembers('x', 'u1')))).toBe(true)
    expect(isLarge(created(...people(4)), by('x', requestJoin()), by('a', answerJoin('x')))).toBe(true)
  })

  test('is called together by owner and admins only', () => {
    const all = { mentionAll: true }
    given(G, created('u0'))
      .when(by('u0', send('hi', all)))
      .event('MessageSent')
    const on = given(G, ...large, by('a', setRole('u1', 'admin')), by('u0', send('m')))
    on.when(by('u0', send('hi', all))).rejection('not_allowed')
    on.when(by('u0', edit(4, 'hi', null, all))).rejection('not_allowed')
    on.when(by('u0', edit(4, 'hi'))).event('MessageEdited')
    on.when(by('u1', send('hi', all))).event('MessageSent', { mentionAll: true })
    on.when(by('a', send('hi', all))).event('MessageSent', { mentionAll: true })
  })
})

describe('admins', () => {
  const staffed = [created('b', 'c', 'd'), ...each('a', setRole('b', 'admin'), setRole('c', 'admin'))]

  test('are no more than the limit, handing over included: the owner before stays as one', () => {
    given(G, ...staffed)
      .when(by('a', setRole('d', 'admin')))
      .rejection('too_many')
    given(G, ...staffed)
      .when(by('a', setRole('d', 'owner')))
      .rejection('too_many')
    given(G, ...staffed)
      .when(by('a', setRole('b', 'owner')))
      .event('RoleSet')
  })

  test('one less makes room for one more', () => {
    for (const less of [setRole('b', 'member'), removeMembers('b')])
      given(G, ...staffed, by('a', less))
        .when(by('a', setRole('d', 'admin')))
        .event('RoleSet')
  })
})

test('requests to join wait in a bounded number, and an answer makes room', () => {
  const waiting = [created(), by('x', requestJoin()), by('y', requestJoin())]
  given(G, ...waiting)
    .when(by('z', requestJoin()))
    .rejection('too_many')
  given(G, ...waiting, by('a', answerJoin('x', false)))
    .when(by('z', requestJoin()))
    .event('JoinRequested')
})

test('pinned messages are bounded, and unpinning makes room', () => {
  const pinned = each('a', send('1'), send('2'), send('3'), pin(1), pin(2))
  given('p2p:a:b', ...pinned)
    .when(by('b', pin(3)))
    .rejection('too_many')
  given('p2p:a:b', ...pinned, by('b', pin(1, false)))
    .when(by('b', pin(3)))
    .event('MessagePinned')
})

test('observers are bounded, and one who stops makes room', () => {
  const watched = [by('x', observe()), by('y', observe())]
  given('p2p:a:b', ...watched)
    .when(by('z', observe()))
    .rejection('too_many')
  given('p2p:a:b', ...watched, by('x', observe(false)))
    .when(by('z', observe()))
    .event('Observing')
})

test('settings are bounded; those that are set may still change', () => {
  const set = each('a', setSetting('k1', '1'), setSetting('k2', '1'))
  given('u:a', ...set)
    .when(by('a', setSetting('k3', '1')))
    .rejection('too_many')
  given('u:a', ...set)
    .when(by('a', setSetting('k2', '2')))
    .event('SettingSet')
  given('u:a', ...set, by('a', setSetting('k1', null)))
    .when(by('a', setSetting('k3', '1')))
    .event('SettingSet')
})
