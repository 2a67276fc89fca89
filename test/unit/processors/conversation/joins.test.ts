import { describe, expect, test } from 'vitest'
import type { GroupState } from '../../../../processors/state.ts'
import { groupStream, newGroupId } from '../../../../schemas/ids.ts'
import {
  addMembers,
  answerJoin,
  create,
  packId,
  requestJoin,
  send,
  setGroup,
  T0,
} from '../../../support/commands.ts'
import { by, given, type Said } from '../../../support/given.ts'

const ID = packId(T0, 42)
const G = groupStream(newGroupId('a', ID))
const created: Said = by('a', create('team', 'b'), { packId: ID })
const asked = [created, by('x', requestJoin('it is me'))]
const requestsOf = (...said: Said[]) => [...(given(G, ...said).scene.state().body as GroupState).requests]

describe('asking to join', () => {
  test('waits for an answer, the default, and does not let in', () => {
    given(G, created)
      .when(by('x', requestJoin('it is me')))
      .event('JoinRequested', { sender: 'x', note: 'it is me' })
    given(G, ...asked)
      .when(by('x', send('hi')))
      .rejection('not_member')
  })

  test('twice changes nothing; neither does asking as a member', () => {
    given(G, ...asked)
      .when(by('x', requestJoin()))
      .rejection('no_change')
    given(G, created).when(by('b', requestJoin())).rejection('no_change')
  })

  test('an open group is an answer at once', () => {
    const open = [created, by('a', setGroup({ joinPolicy: 'open' }))]
    given(G, ...open)
      .when(by('x', requestJoin()))
      .event('JoinAnswered', { sender: 'x', user: 'x', accept: true })
    given(G, ...open, by('x', requestJoin()))
      .when(by('x', send('hi')))
      .event('MessageSent')
  })

  test('who waits when the group opens asks again and is in', () => {
    const open = [...asked, by('a', setGroup({ joinPolicy: 'open' }))]
    given(G, ...open)
      .when(by('x', requestJoin()))
      .event('JoinAnswered')
    expect(requestsOf(...open, by('x', requestJoin()))).toEqual([])
  })

  test('a group that does not exist says what a stranger hears elsewhere', () => {
    given(G).when(by('x', requestJoin())).rejection('not_member')
  })
})

describe('answering', () => {
  test('yes lets in from that record on, no does not, and either ends the request', () => {
    const yes = [...asked, by('a', answerJoin('x'))]
    given(G, ...yes)
      .when(by('x', send('hi')))
      .event('MessageSent')
    expect(requestsOf(...yes)).toEqual([])
    const no = [...asked, by('a', answerJoin('x', false))]
    given(G, ...no)
      .when(by('x', send('hi')))
      .rejection('not_member')
    given(G, ...no)
      .when(by('x', requestJoin()))
      .event('JoinRequested')
  })

  test('whom nobody asked for, or who was answered, is not_asked', () => {
    given(G, created)
      .when(by('a', answerJoin('x')))
      .rejection('not_asked')
    given(G, ...asked, by('a', answerJoin('x')))
      .when(by('a', answerJoin('x')))
      .rejection('not_asked')
  })

  test('being added ends the request', () => {
    given(G, ...asked, by('b', addMembers('x')))
      .when(by('a', answerJoin('x', false)))
      .rejection('not_asked')
  })
})
