import { describe, expect, test } from 'vitest'
import { decide } from '../../../processors/decide.ts'
import { emptyFold, evolveInto, foldRecord, streamIn } from '../../../processors/fold.ts'
import { answerCommand, type Writer } from '../../../processors/write.ts'
import { sealCommand } from '../../../schemas/codec.ts'
import type { Command } from '../../../schemas/records.ts'
import { commandOf, commandRecord, packId, send, T0 } from '../../support/commands.ts'
import { claimBytes, eventRecord } from '../../support/events.ts'
import { by, given, scene } from '../../support/given.ts'

const AB = 'p2p:a:b'
const reply = { gateway: 'g1', boot: 'b1', connection: 'c1' }
const trace = Buffer.alloc(16, 7)

function writer(rules = decide): Writer {
  const { streams } = emptyFold()
  return { generation: 3, epoch: 17, now: T0, decide: rules, stateOf: (stream) => streamIn(streams, stream) }
}
const command = (more: Partial<Command> = {}, stream = AB) =>
  commandOf(stream, 'a', packId(T0, 1), send('hi'), { reply, trace, ...more })

describe('every command gets one record at its source', () => {
  test('that names its writer, its sender’s connection and its trace', () => {
    const { envelope } = answerCommand(writer(), commandRecord(99, T0, command()))
    expect(envelope).toMatchObject({
      kind: 'event',
      generation: 3,
      epoch: 17,
      source: 99,
      time: T0,
      reply,
      trace,
    })
  })

  test('bytes that are no command: undecodable, with a copy for the dead letters', () => {
    for (const value of [Buffer.alloc(0), Buffer.from('nonsense'), sealCommand(command()).subarray(0, -1)]) {
      const { envelope, payload, defect } = answerCommand(writer(), commandRecord(5, T0, value))
      expect({ ...envelope, ...payload }).toMatchObject({
        kind: 'rejection',
        source: 5,
        stream: '',
        code: 'undecodable',
      })
      expect(defect?.reason).toBe('undecodable')
    }
  })

  test('no value at all: undecodable', () => {
    const record = { offset: 5, key: null, value: null, timestamp: T0 }
    expect(answerCommand(writer(), record).payload).toMatchObject({ code: 'undecodable' })
  })

  test('a body of an unknown schema or damaged: undecodable, in its stream and to its sender', () => {
    for (const damage of [{ schema: Buffer.alloc(8) }, { payload: Buffer.from([1, 2]) }]) {
      const { envelope, payload, defect } = answerCommand(writer(), commandRecord(5, T0, command(damage)))
      expect({ ...envelope, ...payload }).toMatchObject({
        stream: AB,
        sender: 'a',
        code: 'undecodable',
        reply,
      })
      expect(defect?.reason).toBe('undecodable')
    }
  })

  test('a stream id that names no stream: bad_id, which is no defect', () => {
    for (const stream of ['', 'x:1', 'p2p:b:a', 'g:', 'u:a b']) {
      const { payload, defect } = answerCommand(writer(), commandRecord(5, T0, command({}, stream)))
      expect(payload).toMatchObject({ type: 'Rejection', code: 'bad_id', sender: 'a' })
      expect(defect).toBeNull()
    }
  })

  test('rules that throw: internal, and the partition goes on', () => {
    const cause = new Error('a defect')
    const { payload, defect } = answerCommand(
      writer(() => {
        throw cause
      }),
      commandRecord(5, T0, command()),
    )
    expect(payload).toMatchObject({ type: 'Rejection', code: 'internal' })
    expect(defect).toEqual({ reason: 'internal', cause })
  })

  test('rules whose decision cannot be encoded: internal', () => {
    const { payload } = answerCommand(
      writer(() => ({ kind: 'event', event: { type: 'MembersAdded', members: [7 as unknown as string] } })),
      commandRecord(5, T0, command()),
    )
    expect(payload).toMatchObject({ type: 'Rejection', code: 'internal' })
  })

  test('the same input gives the same bytes', () => {
    const once = () => answerCommand(writer(), commandRecord(5, T0, command())).envelope
    expect(once()).toEqual(once())
  })
})

describe('an evolve that throws', () => {
  test('breaks its stream and no other; the seq still follows the envelope', () => {
    const fold = emptyFold()
    foldRecord(fold, { offset: 0, key: null, value: claimBytes(0, 0), timestamp: 0 })
    const good = eventRecord(1, { epoch: 0, source: 0, stream: AB, seq: 1, ordinal: 1 })
    const bad = eventRecord(2, {
      epoch: 0,
      source: 1,
      stream: AB,
      seq: 2,
      ordinal: 2,
      payload: Buffer.from([1]),
    })
    const other = eventRecord(3, { epoch: 0, source: 2, stream: 'p2p:a:c', seq: 1, ordinal: 1 })
    expect([good, bad, other].map((record) => foldRecord(fold, record).verdict)).toEqual([
      'accept',
      'accept',
      'accept',
    ])
    expect(fold.streams.get(AB)).toMatchObject({ broken: true, seq: 2, ordinal: 2 })
    expect(fold.streams.get('p2p:a:c')).toMatchObject({ broken: false, seq: 1 })
  })

  test('a broken stream refuses commands, and still repeats its answers', () => {
    const id = packId(T0, 1)
    const { scene: on, when } = given(AB, by('a', send('hi'), { packId: id }))
    on.state().broken = true
    expect(on.say(by('a', send('hi'), { packId: id })).payload.type).toBe('Repeat')
    when(by('a', send('ho'))).rejection('stream_broken')
  })

  test('a payload of nothing breaks only its own stream', () => {
    const on = scene(AB)
    const { envelope } = on.say(by('a', send('hi')))
    evolveInto(on.fold, { ...envelope, seq: 2, ordinal: 2 }, null)
    expect(on.state()).toMatchObject({ broken: true, seq: 2, ordinal: 2 })
  })
})
