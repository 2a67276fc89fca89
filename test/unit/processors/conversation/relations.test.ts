import { describe, expect, test } from 'vitest'
import type { P2pState } from '../../../../processors/state.ts'
import {
  answerFriend,
  block,
  create,
  deleteFriend,
  edit,
  muteAll,
  pin,
  react,
  recall,
  requestFriend,
  send,
} from '../../../support/commands.ts'
import { by, given, type Said } from '../../../support/given.ts'

const AB = 'p2p:a:b'
const friends = [by('a', requestFriend()), by('b', answerFriend())]
const bodyOf = (...said: Said[]) => given(AB, ...said).scene.state().body as P2pState

describe('becoming friends', () => {
  test('takes a request and the other side’s yes', () => {
    const { when, scene } = given(AB)
    when(by('a', requestFriend('it is me'))).event('FriendRequested', { sender: 'a', note: 'it is me' })
    const { envelope } = when(by('b', answerFriend())).event('FriendAnswered', { sender: 'b', accept: true })
    expect(envelope).toMatchObject({ seq: 2, ordinal: 0 })
    expect(scene.state().body).toMatchObject({ friends: true, askedBy: null })
  })

  test('is refused by a no, after which one may ask again', () => {
    const refused = [by('a', requestFriend()), by('b', answerFriend(false))]
    expect(bodyOf(...refused)).toMatchObject({ friends: false, askedBy: null })
    given(AB, ...refused)
      .when(by('a', requestFriend()))
      .event('FriendRequested')
  })

  test('asking who has asked is a yes', () => {
    given(AB, by('a', requestFriend()))
      .when(by('b', requestFriend()))
      .event('FriendAnswered', { sender: 'b', accept: true })
  })

  test('asking twice, or asking a friend, changes nothing', () => {
    given(AB, by('a', requestFriend())).when(by('a', requestFriend())).rejection('no_change')
    for (const user of ['a', 'b'])
      given(AB, ...friends)
        .when(by(user, requestFriend()))
        .rejection('no_change')
  })

  test('nobody answers what was not asked, nor his own request', () => {
    given(AB).when(by('a', answerFriend())).rejection('not_asked')
    given(AB, by('a', requestFriend())).when(by('a', answerFriend())).rejection('not_asked')
    given(AB, ...friends)
      .when(by('b', answerFriend(false)))
      .rejection('not_asked')
  })

  test('nobody asks, answers, deletes or blocks himself', () => {
    for (const payload of [requestFriend(), answerFriend(), deleteFriend(), block()])
      given('p2p:a:a', by('a', send('note')))
        .when(by('a', payload))
        .rejection('to_oneself')
  })

  test('nobody does it for two others', () => {
    for (const payload of [requestFriend(), answerFriend(), deleteFriend(), block()])
      given(AB, ...friends)
        .when(by('c', payload))
        .rejection('not_member')
  })
})

describe('deleting a friend', () => {
  test('ends it for both, by either', () => {
    given(AB, ...friends, by('b', deleteFriend()))
      .when(by('a', deleteFriend()))
      .rejection('not_friend')
    expect(bodyOf(...friends, by('a', deleteFriend())).friends).toBe(false)
    given(AB, ...friends, by('b', deleteFriend()))
      .when(by('a', requestFriend()))
      .event('FriendRequested')
  })
})

describe('blocking', () => {
  const before = [by('a', send('a1')), by('b', send('b2')), by('b', block())]

  test('the blocked side sends, reacts, pins and asks nothing', () => {
    const { when, scene } = given(AB, ...before)
    for (const payload of [send('hi'), react(2), pin(2), requestFriend()])
      when(by('a', payload)).rejection('not_accepted')
    expect(scene.state()).toMatchObject({ seq: 3, ordinal: 2 })
  })

  test('the blocked side puts no new words into what it said, and may take it back', () => {
    const { when } = given(AB, ...before)
    when(by('a', edit(1, 'listen!'))).rejection('not_accepted')
    when(by('a', edit(1, 'listen!', null, { mentions: ['b'] }))).rejection('not_accepted')
    when(by('a', recall(1))).event('MessageRecalled')
  })

  test('the one who blocks goes on as before', () => {
    const { when } = given(AB, ...before)
    when(by('b', send('hi'))).event('MessageSent')
    when(by('b', react(1))).event('Reacted')
    when(by('b', requestFriend())).event('FriendRequested')
    // Who blocks and asks hears the answer once he blocks no longer.
    for (const yes of [true, false]) when(by('a', answerFriend(yes))).rejection('not_accepted')
    when(by('b', block(false))).event('Blocked')
    when(by('a', answerFriend())).event('FriendAnswered')
  })

  test('each by himself; ending one’s own leaves the other’s', () => {
    const both = [...before, by('a', block())]
    expect(bodyOf(...both).blockers).toEqual(['b', 'a'])
    given(AB, ...both, by('b', block(false)))
      .when(by('a', send('hi')))
      .event('MessageSent')
    given(AB, ...both, by('b', block(false)))
      .when(by('b', send('hi')))
      .rejection('not_accepted')
  })

  test('twice, or ending what is not, changes nothing', () => {
    given(AB, ...before)
      .when(by('b', block()))
      .rejection('no_change')
    given(AB, ...before)
      .when(by('a', block(false)))
      .rejection('no_change')
  })

  test('friends stay friends', () => {
    expect(bodyOf(...friends, by('a', block())).friends).toBe(true)
  })
})

test('what belongs to groups is unsupported', () => {
  const { when } = given(AB)
  when(by('a', create('x', 'b'))).rejection('unsupported')
  when(by('a', muteAll())).rejection('unsupported')
})
