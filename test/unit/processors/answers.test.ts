import { describe, expect, test } from 'vitest'
import { type Answers, answerKey, emptyAnswers, remember } from '../../../processors/answers.ts'
import { limits } from '../../../schemas/limits.ts'
import { edit, packId, recall, send, T0 } from '../../support/commands.ts'
import { by, given, scene } from '../../support/given.ts'

const AB = 'p2p:a:b'
const ID = packId(T0, 9)
const MAX = limits.dedupEntriesPerStreamMax

describe('a packId sent again', () => {
  test('gets the first answer, never a second message', () => {
    const { scene: on, when } = given(AB, by('a', send('hi'), { packId: ID }), by('b', send('ho')))
    const { envelope } = when(by('a', send('hi'), { packId: ID })).repeat({
      seq: 1,
      ordinal: 1,
      time: T0 + 1,
      code: null,
      conflict: false,
    })
    expect(envelope).toMatchObject({ seq: 0, ordinal: 2 })
    expect(on.state()).toMatchObject({ seq: 2, ordinal: 2 })
  })

  test('gets a first refusal again, though it would be taken now', () => {
    const on = scene(AB)
    expect(on.say(by('a', recall(1), { packId: ID })).payload).toMatchObject({ code: 'bad_position' })
    on.say(by('a', send('hi')))
    expect(on.say(by('a', recall(1), { packId: ID })).payload).toMatchObject({
      type: 'Repeat',
      code: 'bad_position',
      seq: 0,
    })
  })

  test('with another body: the first stays, and the conflict is told', () => {
    given(AB, by('a', send('hi'), { packId: ID }))
      .when(by('a', send('other'), { packId: ID }))
      .repeat({ seq: 1, conflict: true })
    given(AB, by('a', send('hi'), { packId: ID }))
      .when(by('a', edit(1, 'hi'), { packId: ID }))
      .repeat({ seq: 1, conflict: true })
  })

  test('with a body that cannot be decoded is still a repeat', () => {
    const { when } = given(AB, by('a', send('hi'), { packId: ID }))
    when(by('a', send('hi'), { packId: ID, command: { payload: Buffer.from([1]) } })).repeat({
      seq: 1,
      conflict: true,
    })
  })

  test('of another sender is another command', () => {
    given(AB, by('a', send('hi'), { packId: ID }))
      .when(by('b', send('hi'), { packId: ID }))
      .event('MessageSent')
  })
})

describe('a packId of the future', () => {
  const limit = limits.packIdAheadBackstopMsMax

  test('over the backstop is refused and not remembered', () => {
    const on = scene(AB)
    const far = packId(T0 + 1 + limit + 1)
    expect(on.say(by('a', send('hi'), { packId: far, at: 1 })).payload).toMatchObject({
      code: 'pack_id_ahead',
    })
    expect(on.state().answers.order).toEqual([])
    expect(on.say(by('a', send('hi'), { packId: far, at: 2 })).payload.type).toBe('MessageSent')
  })

  test('at the backstop is taken', () => {
    given(AB)
      .when(by('a', send('hi'), { packId: packId(T0 + 1 + limit), at: 1 }))
      .event('MessageSent')
  })

  test('does not enter the map by way of a body that cannot be decoded', () => {
    const on = scene(AB)
    const far = packId(T0 + 1e9)
    on.say(by('a', send('hi'), { packId: far, command: { payload: Buffer.from([1]) } }))
    expect(on.state().answers.order).toEqual([])
  })
})

describe('what was forgotten', () => {
  const note = (answers: Answers, time: number) => {
    const key = answerKey('a', packId(time))
    remember(answers, { key, seq: 0, ordinal: 0, time: 0, code: 'internal', bodyHash: 0 })
  }
  const filled = (count: number) => {
    const answers = emptyAnswers()
    for (let i = 0; i < count; i++) note(answers, T0 + i)
    return answers
  }

  test('begins with the lowest packId time, whatever the order of arrival', () => {
    const answers = filled(MAX)
    expect(answers.floor).toBe(-1)
    note(answers, T0 - 5)
    expect(answers.floor).toBe(T0 - 5)
    note(answers, T0 + MAX)
    expect(answers.floor).toBe(T0)
    const keys = answers.order.map(({ key }) => key)
    expect(new Set(keys).size).toBe(MAX)
    expect(keys).toEqual([...keys].sort())
  })

  test('raises a floor that never sinks', () => {
    const answers = filled(MAX + 10)
    note(answers, T0 - 99)
    expect(answers.floor).toBe(T0 + 9)
  })

  test('is expired at or below the floor, and new above it', () => {
    const on = scene(AB)
    Object.assign(on.state().answers, { floor: T0 + 10 })
    const at = (time: number) => on.say(by('a', send('hi'), { packId: packId(time), at: 20 })).payload
    expect(at(T0 + 10)).toMatchObject({ type: 'Rejection', code: 'pack_id_expired' })
    expect(at(T0 + 11).type).toBe('MessageSent')
    expect(on.state().answers).toMatchObject({ floor: T0 + 10 })
    expect(on.state().answers.order).toHaveLength(1)
  })

  test('a refusal as expired tells where the stream stands, for the look-up', () => {
    const { scene: on, when } = given(AB, by('b', send('hi')))
    on.state().answers.floor = T0 + 10
    const { envelope } = when(by('a', send('hi'), { packId: packId(T0) })).rejection('pack_id_expired')
    expect(envelope.ordinal).toBe(1)
  })
})
