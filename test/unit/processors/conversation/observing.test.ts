import { describe, expect, test } from 'vitest'
import type { Conversation, GroupState } from '../../../../processors/state.ts'
import { groupStream, newGroupId } from '../../../../schemas/ids.ts'
import {
  addMembers,
  answerJoin,
  create,
  observe,
  packId,
  removeMembers,
  requestJoin,
  send,
  T0,
} from '../../../support/commands.ts'
import { by, given, type Said } from '../../../support/given.ts'

const ID = packId(T0, 42)
const G = groupStream(newGroupId('a', ID))
const created: Said = by('a', create('team', 'b'), { packId: ID })
const AB = 'p2p:a:b'
const observersOf = (stream: string, ...said: Said[]) =>
  (given(stream, ...said).scene.state().body as Conversation).observers

describe.each([
  ['a single chat', AB, []],
  ['a group', G, [created]],
] as const)('observing %s', (_, stream, before) => {
  test('beginning and ending are on the record, and no message', () => {
    const { scene, when } = given(stream, ...before)
    when(by('s', observe())).event('Observing', { sender: 's', on: true })
    expect(observersOf(stream, ...before, by('s', observe()))).toEqual(['s'])
    const { envelope } = when(by('s', observe(false))).event('Observing', { on: false })
    expect(envelope.ordinal).toBe(0)
    expect((scene.state().body as Conversation).observers).toEqual([])
  })

  test('twice changes nothing, and ending what never began is answered as to any stranger', () => {
    given(stream, ...before, by('s', observe()))
      .when(by('s', observe()))
      .rejection('no_change')
    given(stream, ...before)
      .when(by('s', observe(false)))
      .rejection('not_member')
  })

  test('is nothing for those who are in it', () => {
    given(stream, ...before)
      .when(by('b', observe()))
      .rejection('not_allowed')
  })

  test('gives no voice', () => {
    given(stream, ...before, by('s', observe()))
      .when(by('s', send('hi')))
      .rejection('not_member')
  })
})

describe('an observer of a group', () => {
  const watched = [created, by('s', observe())]

  test('stands in no roster', () => {
    const { members } = given(G, ...watched).scene.state().body as GroupState
    expect([...members]).toEqual(['a', 'b'])
  })

  test('who becomes a member observes no longer, nor again after leaving', () => {
    expect(observersOf(G, ...watched, by('a', addMembers('s')))).toEqual([])
    expect(observersOf(G, ...watched, by('s', requestJoin()), by('a', answerJoin('s')))).toEqual([])
    const left = [...watched, by('a', addMembers('s')), by('s', removeMembers('s'))]
    given(G, ...left)
      .when(by('s', observe(false)))
      .rejection('not_member')
  })

  test('of no group hears what a stranger hears', () => {
    given(G).when(by('s', observe())).rejection('not_member')
  })
})
