import { describe, expect, test } from 'vitest'
import type { Conversation } from '../../../../processors/state.ts'
import { limits } from '../../../../schemas/limits.ts'
import type { Target } from '../../../../schemas/records.ts'
import { edit, packId, pin, react, recall, send, T0 } from '../../../support/commands.ts'
import { by, given, type Said } from '../../../support/given.ts'

const AB = 'p2p:a:b'
const ID = packId(T0 + 1, 5)
const target: Target = { seq: 1, ordinal: 1, sender: 'a', time: T0 + 1, packId: ID }
const sent: Said = by('a', send('hi'), { packId: ID })

describe('reacting', () => {
  test('is an event of its own that carries the facts of the message and counts as none', () => {
    const { envelope } = given(AB, sent)
      .when(by('b', react(1, '👍')))
      .event('Reacted', { target, emoji: '👍', on: true })
    expect(envelope).toMatchObject({ seq: 2, ordinal: 1 })
  })

  test('the same again, and taking away what is not there, are events too: read models keep them apart', () => {
    given(AB, sent, by('b', react(1)))
      .when(by('b', react(1)))
      .event('Reacted', { on: true })
    given(AB, sent)
      .when(by('b', react(1, '👍', false)))
      .event('Reacted', { on: false })
  })

  test('to what was recalled, to what is no message and beyond the ends is refused', () => {
    const { when } = given(AB, sent, by('a', edit(1, 'x')), by('b', send('2')), by('b', recall(3)))
    when(by('a', react(3))).rejection('already_recalled')
    when(by('a', react(3, '👍', false))).rejection('already_recalled')
    when(by('a', react(2))).rejection('no_such_message')
    when(by('a', react(5))).rejection('bad_position')
    when(by('a', react(0))).rejection('bad_position')
  })

  test('with nothing, or with more than one sign takes, is refused', () => {
    const { when } = given(AB, sent)
    when(by('b', react(1, ''))).rejection('bad_content')
    when(by('b', react(1, 'x'.repeat(limits.emojiBytesMax + 1)))).rejection('bad_content')
    when(by('b', react(1, 'x'.repeat(limits.emojiBytesMax)))).event('Reacted')
  })
})

describe('pinning', () => {
  const pinnedOf = (...said: Said[]) => (given(AB, ...said).scene.state().body as Conversation).pinned

  test('either side of a single chat pins and unpins', () => {
    const on = given(AB, sent)
    on.when(by('b', pin(1))).event('MessagePinned', { target, on: true })
    on.when(by('a', pin(1, false))).event('MessagePinned', { target, on: false })
  })

  test('what is pinned, and unpinning what is not, changes nothing', () => {
    given(AB, sent, by('b', pin(1)))
      .when(by('a', pin(1)))
      .rejection('no_change')
    given(AB, sent)
      .when(by('a', pin(1, false)))
      .rejection('no_change')
  })

  test('keeps the newest pin last', () => {
    const two = [sent, by('a', send('2')), by('a', pin(2)), by('a', pin(1))]
    expect(pinnedOf(...two)).toEqual([2, 1])
    expect(pinnedOf(...two, by('a', pin(2, false)))).toEqual([1])
    expect(pinnedOf(...two, by('a', pin(2, false)), by('b', pin(2)))).toEqual([1, 2])
  })

  test('ends with a recall, and what was recalled is not pinned again', () => {
    expect(pinnedOf(sent, by('b', pin(1)), by('a', recall(1)))).toEqual([])
    const { when } = given(AB, sent, by('b', pin(1)), by('a', recall(1)))
    when(by('b', pin(1))).rejection('already_recalled')
    when(by('b', pin(1, false))).rejection('already_recalled')
  })

  test('of what is older than the fold remembers goes by the facts that the gateway attached', () => {
    const long = Array.from({ length: limits.recentMessagesMax }, (_, i) => by('a', send(`m${i}`)))
    const { when } = given(AB, sent, ...long)
    when(by('b', pin(1))).rejection('too_old')
    when(by('b', pin(1, true, { ...target, seq: 2 }))).rejection('too_old')
    when(by('b', pin(1, true, target))).event('MessagePinned', { target })
    when(by('b', pin(1, false, target))).event('MessagePinned', { on: false })
  })
})
