import { describe, expect, test } from 'vitest'
import type { UserState } from '../../../../processors/state.ts'
import { create, markRead, send } from '../../../support/commands.ts'
import { by, given } from '../../../support/given.ts'

const AB = 'p2p:a:b'

describe('read positions', () => {
  test('are marked in the reader’s own stream', () => {
    const { scene, when } = given('u:a')
    const { envelope } = when(by('a', markRead(AB, 7, 5))).event('ReadMarked', {
      conversationId: AB,
      seq: 7,
      ordinal: 5,
    })
    expect(envelope).toMatchObject({ seq: 1, ordinal: 0 })
    expect((scene.state().body as UserState).reads.get(AB)).toEqual({ seq: 7, ordinal: 5 })
  })

  test('never move back', () => {
    given('u:a', by('a', markRead(AB, 7, 5)))
      .when(by('a', markRead(AB, 7, 5)))
      .rejection('no_change')
    given('u:a', by('a', markRead(AB, 7, 5)))
      .when(by('a', markRead(AB, 6, 5)))
      .rejection('no_change')
    given('u:a', by('a', markRead(AB, 7, 5)))
      .when(by('a', markRead(AB, 8, 4)))
      .event('ReadMarked', { seq: 8, ordinal: 5 })
  })

  test('of one conversation leave the others alone', () => {
    given('u:a', by('a', markRead(AB, 7, 5)))
      .when(by('a', markRead('g:x', 1, 0)))
      .event('ReadMarked', { seq: 1 })
  })

  test('are nobody else’s to move', () => {
    given('u:a')
      .when(by('b', markRead(AB, 1, 1)))
      .rejection('not_allowed')
  })

  test('name a conversation', () => {
    given('u:a')
      .when(by('a', markRead('u:b', 1, 1)))
      .rejection('bad_id')
    given('u:a')
      .when(by('a', markRead('p2p:b:a', 1, 1)))
      .rejection('bad_id')
  })

  test.each([
    [0, 0],
    [1, -1],
    [1, 2],
    [-5, -5],
  ])('seq %i with ordinal %i is no position', (seq, ordinal) => {
    given('u:a')
      .when(by('a', markRead(AB, seq, ordinal)))
      .rejection('bad_position')
  })

  test('are all that a user stream takes', () => {
    given('u:a')
      .when(by('a', send('hi')))
      .rejection('unsupported')
    given('u:a')
      .when(by('a', create('x')))
      .rejection('unsupported')
  })
})
