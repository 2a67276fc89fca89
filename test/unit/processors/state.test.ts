import { describe, expect, test } from 'vitest'
import { cloneState, parseState, type StreamState, serializeState } from '../../../processors/state.ts'
import { groupStream, newGroupId } from '../../../schemas/ids.ts'
import {
  addMembers,
  create,
  edit,
  markRead,
  packId,
  recall,
  removeMembers,
  send,
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
  ['a user', given('u:a', by('a', markRead(G, 3, 2)), by('a', markRead('p2p:a:b', 9, 9))).scene.state()],
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
    copy.answers.byKey.clear()
    copy.answers.order.push('x')
    const { body } = copy
    if (body.kind === 'user') body.reads.clear()
    else {
      body.recalled.push(5, 6)
      body.recent.clear()
      if (body.kind === 'group') body.members.clear()
    }
    expect(serializeState(state)).toBe(before)
  })
})

test('text that names no stream, or is no text of a state, is refused', () => {
  for (const text of ['', '{}', '[]', '["x:1",0,0,false,-1,[]]']) expect(() => parseState(text)).toThrow()
})
