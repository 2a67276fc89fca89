import { describe, expect, test } from 'vitest'
import { decideWith } from '../../../../processors/decide.ts'
import { evolveInto } from '../../../../processors/fold.ts'
import { groupStream, newGroupId } from '../../../../schemas/ids.ts'
import { limits } from '../../../../schemas/limits.ts'
import type { Target } from '../../../../schemas/records.ts'
import {
  addMembers,
  block,
  create,
  edit,
  markRead,
  observe,
  packId,
  pin,
  react,
  recall,
  send,
  T0,
} from '../../../support/commands.ts'
import { by, given, givenBy, type Said } from '../../../support/given.ts'

const AB = 'p2p:a:b'
const many = (count: number): Said[] => Array.from({ length: count }, (_, i) => by('a', send(`m${i}`)))

describe('sending in a single chat', () => {
  test('a message gets the next seq and ordinal, its content untouched', () => {
    const payload = send('hi', { mentions: ['b'], mentionAll: true, keyId: 'k' })
    const { envelope } = given(AB, by('b', send('first')))
      .when(by('a', payload))
      .event('MessageSent', {
        sender: 'a',
        content: Buffer.from('{"text":"hi"}'),
        mentions: ['b'],
        keyId: 'k',
      })
    expect(envelope).toMatchObject({ seq: 2, ordinal: 2, stream: AB, time: T0 + 2 })
  })

  test('an outsider is refused', () => {
    given(AB)
      .when(by('c', send('hi')))
      .rejection('not_member')
  })

  test('a note to oneself is a single chat with oneself', () => {
    given('p2p:a:a')
      .when(by('a', send('hi')))
      .event('MessageSent')
  })

  test('a reply may point at any seq there is, and at no other', () => {
    given(AB, ...many(2))
      .when(by('b', send('re', { replyTo: 2 })))
      .event('MessageSent', { replyTo: 2 })
    given(AB, ...many(2))
      .when(by('b', send('re', { replyTo: 3 })))
      .rejection('bad_position')
    given(AB, ...many(2))
      .when(by('b', send('re', { replyTo: 0 })))
      .rejection('bad_position')
  })

  test('what belongs to groups or to a user stream is unsupported', () => {
    given(AB)
      .when(by('a', create('x', 'b')))
      .rejection('unsupported')
    given(AB)
      .when(by('a', addMembers('c')))
      .rejection('unsupported')
    given(AB)
      .when(by('a', markRead(AB, 1, 1)))
      .rejection('unsupported')
  })
})

describe('recalling', () => {
  test('the author recalls within the window; the event carries the message as it was', () => {
    const sent = packId(T0 + 1, 5)
    const { envelope } = given(AB, by('a', send('oops'), { packId: sent }))
      .when(by('a', recall(1), { at: 1 + limits.recallWindowMs }))
      .event('MessageRecalled', { target: { seq: 1, ordinal: 1, sender: 'a', time: T0 + 1, packId: sent } })
    expect(envelope).toMatchObject({ seq: 2, ordinal: 1 })
  })

  test('one ms past the window it is too old', () => {
    given(AB, ...many(1))
      .when(by('a', recall(1), { at: 2 + limits.recallWindowMs }))
      .rejection('too_old')
  })

  test('only the author may, in a single chat', () => {
    given(AB, ...many(1))
      .when(by('b', recall(1)))
      .rejection('not_author')
    given(AB, ...many(1))
      .when(by('c', recall(1)))
      .rejection('not_member')
  })

  test('a second recall is refused and changes nothing', () => {
    given(AB, ...many(1), by('a', recall(1)))
      .when(by('a', recall(1)))
      .rejection('already_recalled')
  })

  test('a seq beyond the head or below 1 is no position', () => {
    given(AB, ...many(1))
      .when(by('a', recall(2)))
      .rejection('bad_position')
    given(AB, ...many(1))
      .when(by('a', recall(0)))
      .rejection('bad_position')
  })

  test('the seq of a recall or an edit is no message', () => {
    given(AB, ...many(1), by('a', edit(1, 'x')))
      .when(by('a', recall(2)))
      .rejection('no_such_message')
  })
})

describe('editing', () => {
  test('the author edits within the window, any number of times', () => {
    given(AB, ...many(1), by('a', edit(1, 'v2')))
      .when(by('a', edit(1, 'v3'), { at: 1 + limits.editWindowMs }))
      .event('MessageEdited', { content: Buffer.from('{"text":"v3"}') })
  })

  test('one ms past the window it is too old', () => {
    given(AB, ...many(1))
      .when(by('a', edit(1, 'x'), { at: 2 + limits.editWindowMs }))
      .rejection('too_old')
  })

  test('nobody edits for another, nor what was recalled', () => {
    given(AB, ...many(1))
      .when(by('b', edit(1, 'x')))
      .rejection('not_author')
    given(AB, ...many(1), by('a', recall(1)))
      .when(by('a', edit(1, 'x')))
      .rejection('already_recalled')
  })
})

describe('messages older than the fold remembers', () => {
  const long = many(limits.recentMessagesMax + 2)
  const facts = (seq: number): Target => ({
    seq,
    ordinal: seq,
    sender: 'a',
    time: T0 + seq,
    packId: packId(T0, 1),
  })

  test('are recalled by the facts that the gateway attached', () => {
    given(AB, ...long)
      .when(by('a', recall(1, facts(1))))
      .event('MessageRecalled', { target: facts(1) })
  })

  test('are too old where it attached none, or those of another message', () => {
    given(AB, ...long)
      .when(by('a', recall(1)))
      .rejection('too_old')
    given(AB, ...long)
      .when(by('a', recall(1, facts(2))))
      .rejection('too_old')
  })

  test('attached facts never replace those that the fold keeps', () => {
    const forged = { ...facts(3), sender: 'b' }
    given(AB, ...long)
      .when(by('b', recall(3, forged)))
      .rejection('not_author')
  })
})

describe('windows that are set otherwise', () => {
  const said = by('a', send('hi'))

  test('hold to the ms, recalling apart from editing', () => {
    const rules = decideWith({ recallMs: 5_000, editMs: 50 })
    const { when } = givenBy(rules, AB, said)
    when(by('a', edit(1, 'ho'), { at: 51 })).event('MessageEdited')
    when(by('a', edit(1, 'hum'), { at: 52 })).rejection('too_old')
    when(by('a', recall(1), { at: 5_001 })).event('MessageRecalled')
    givenBy(rules, AB, said)
      .when(by('a', recall(1), { at: 5_002 }))
      .rejection('too_old')
  })

  test('of 0 let nobody recall or edit but whoever may recall the messages of others', () => {
    const rules = decideWith({ recallMs: 0, editMs: 0 })
    const ID = packId(T0, 9)
    const G = groupStream(newGroupId('a', ID))
    const group = [by('a', create('team', 'b'), { packId: ID }), by('b', send('hi'))]
    for (const payload of [recall(2), edit(2, 'ho')])
      givenBy(rules, G, ...group)
        .when(by('b', payload))
        .rejection('too_old')
    givenBy(rules, G, ...group)
      .when(by('a', recall(2)))
      .event('MessageRecalled')
  })

  test('change nothing of what was decided before: the same records make the same state', () => {
    const generous = givenBy(decideWith({ recallMs: 9_000, editMs: 9_000 }), AB, said)
    const { envelope, payload } = generous.when(by('a', recall(1), { at: 8_000 })).event('MessageRecalled')
    const strict = givenBy(decideWith({ recallMs: 0, editMs: 0 }), AB, said).scene
    evolveInto(strict.fold, envelope, payload)
    expect(strict.state()).toEqual(generous.scene.state())
  })
})

describe('a live room', () => {
  const HALL = 'r:hall'
  const said = by('a', send('hi'))

  test('takes what anyone says: who is in it his gateway knows', () => {
    given(HALL, said)
      .when(by('b', send('ho', { replyTo: 1 })))
      .event('MessageSent', { sender: 'b' })
  })

  test('lets its author alone recall a message', () => {
    given(HALL, said)
      .when(by('b', recall(1)))
      .rejection('not_author')
    given(HALL, said)
      .when(by('a', recall(1)))
      .event('MessageRecalled')
    given(HALL, said)
      .when(by('a', recall(1), { at: limits.recallWindowMs + 10 }))
      .rejection('too_old')
  })

  test('takes nothing that would stay, and no read marks', () => {
    for (const payload of [edit(1, 'ho'), react(1), pin(1), observe(true), create('team', 'b'), block()])
      given(HALL, said).when(by('a', payload)).rejection('unsupported')
    given('u:a')
      .when(by('a', markRead(HALL, 1, 1)))
      .rejection('bad_id')
  })
})
