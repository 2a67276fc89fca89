import { describe, expect, test } from 'vitest'
import { cloneState, type StreamState } from '../../../processors/state.ts'
import { parseState, serializeState } from '../../../processors/state-text.ts'
import { groupStream, newGroupId } from '../../../schemas/ids.ts'
import {
  addMembers,
  answerFriend,
  block,
  create,
  dissolve,
  edit,
  markRead,
  mute,
  muteAll,
  observe,
  packId,
  pin,
  recall,
  removeMembers,
  requestFriend,
  requestJoin,
  send,
  setGroup,
  setProfile,
  setRole,
  setSetting,
  T0,
} from '../../support/commands.ts'
import { by, given } from '../../support/given.ts'

const ID = packId(T0, 1)
const G = groupStream(newGroupId('a', ID))

const states: [string, StreamState][] = [
  ['an empty single chat', given('p2p:a:b').scene.state()],
  [
    'a single chat with a recall and an edit',
    given(
      'p2p:a:b',
      by('a', send('1')),
      by('b', send('2')),
      by('a', recall(1)),
      by('b', edit(2, 'x')),
    ).scene.state(),
  ],
  [
    'a single chat of friends, one of whom blocks the other',
    given(
      'p2p:a:b',
      by('a', requestFriend('it is me')),
      by('b', answerFriend()),
      by('a', block()),
      by('a', send('1')),
      by('a', pin(4)),
      by('s', observe()),
    ).scene.state(),
  ],
  ['a single chat with an open request', given('p2p:a:b', by('b', requestFriend())).scene.state()],
  [
    'a group with a changed roster',
    given(
      G,
      by('a', create('name "quoted"\n', 'b', 'c'), { packId: ID }),
      by('a', removeMembers('b')),
      by('a', addMembers('d', 'b')),
      by('d', send('hi')),
      by('a', recall(4)),
    ).scene.state(),
  ],
  [
    'a group with all that a group can have',
    given(
      G,
      by('a', create('team', 'b', 'c', 'd'), { packId: ID }),
      by('x', requestJoin('let me in')),
      by('a', setGroup({ name: 'other', joinPolicy: 'open', addPolicy: 'admins' })),
      by('a', setRole('b', 'admin')),
      by('a', setRole('c', 'owner')),
      by('c', mute('d', 1_000)),
      by('b', muteAll()),
      by('c', send('hi')),
      by('b', pin(8)),
      by('s', observe()),
    ).scene.state(),
  ],
  ['a dissolved group', given(G, by('a', create('team'), { packId: ID }), by('a', dissolve())).scene.state()],
  [
    'a user',
    given(
      'u:a',
      by('a', markRead(G, 3, 2)),
      by('a', markRead('p2p:a:b', 9, 9)),
      by('a', setSetting('pin:p2p:a:b', '1')),
      by('a', setProfile({ name: 'A' })),
    ).scene.state(),
  ],
]

describe.each(states)('the state of %s', (_, state) => {
  test('comes back from its text', () => {
    expect(parseState(serializeState(state))).toEqual(state)
    expect(serializeState(parseState(serializeState(state)))).toBe(serializeState(state))
  })

  test('with a floor and a defect comes back too', () => {
    const broken = cloneState(state)
    broken.broken = true
    broken.answers.floor = 77
    expect(parseState(serializeState(broken))).toEqual(broken)
  })

  test('is copied without sharing anything that changes', () => {
    const before = serializeState(state)
    const copy = cloneState(state)
    expect(copy).toEqual(state)
    copy.seq++
    copy.answers.order.length = 0
    copy.answers.floor++
    for (const [name, value] of Object.entries(copy.body)) {
      if (value instanceof Set || value instanceof Map) value.clear()
      else if (Array.isArray(value) && name !== 'users') value.push(7, 7)
    }
    expect(serializeState(state)).toBe(before)
  })
})

test('text that names no stream, or is no text of a state, is refused', () => {
  for (const text of ['', '{}', '[]', '["x:1",0,0,false,-1,[]]']) expect(() => parseState(text)).toThrow()
})
