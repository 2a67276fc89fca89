import { describe, expect, test } from 'vitest'
import { avroCodec } from '../../../client/codec-avro.ts'
import { jsonCodec } from '../../../client/codec-json.ts'
import { groupStreamOf, packIds, randomBytes } from '../../../client/pack-id.ts'
import type { ClientFrame } from '../../../client/wire.ts'
import { decodeAvro, encodeAvro } from '../../../gateway/frames/avro-frames.ts'
import { decodeJson } from '../../../gateway/frames/json-decode.ts'
import { encodeJson } from '../../../gateway/frames/json-encode.ts'
import { clientFrames, type Item, type ServerFrame, serverFrames } from '../../../schemas/frames.ts'
import { groupStream, newGroupId, packIdTime, parsePackId } from '../../../schemas/ids.ts'

const packId = '01a1fc24-b54a-75f3-b771-e4905f3d577a'
const send: ClientFrame = {
  type: 'send',
  packId,
  to: 'bob',
  contentType: 'text',
  content: { text: 'grüße 👋' },
  mentions: ['bob'],
  mentionAll: false,
}
const item: Item = {
  conversationId: 'p2p:ann:bob',
  seq: 1,
  ordinal: 1,
  kind: 'message',
  time: 5,
  senderId: 'ann',
  packId,
  contentType: 'text',
  content: '{"text":"grüße 👋"}',
  mentions: [],
  mentionAll: false,
  replyTo: null,
  targetSeq: null,
  members: [],
  name: null,
  readConversationId: null,
  readSeq: null,
  readOrdinal: null,
  on: null,
  key: null,
  value: null,
  until: null,
}
const event: ServerFrame = { type: 'event', item }

describe('both encodings', () => {
  test('carry a client frame to the gateway', () => {
    const json = decodeJson(Buffer.from(String(jsonCodec.encode(send))))
    const avro = decodeAvro(Buffer.from(avroCodec.encode(send) as Uint8Array))
    expect(json.ok && json.frame).toMatchObject({
      to: 'bob',
      conversationId: null,
      content: '{"text":"grüße 👋"}',
    })
    expect(avro.ok && avro.frame).toMatchObject({
      to: 'bob',
      conversationId: null,
      content: '{"text":"grüße 👋"}',
    })
  })

  test('bring an event from the gateway, with its content as a value', () => {
    const bytes = encodeAvro(event)
    const buffer = new Uint8Array(bytes).buffer
    expect(jsonCodec.decode(encodeJson(event))).toMatchObject({
      item: { seq: 1, content: { text: 'grüße 👋' } },
    })
    expect(avroCodec.decode(buffer)).toMatchObject({ item: { seq: 1, content: { text: 'grüße 👋' } } })
  })

  test('drop what is no frame of this protocol', () => {
    expect(jsonCodec.decode('{"type":"of_tomorrow"}')).toBeNull()
    expect(jsonCodec.decode('{"type":"constructor"}')).toBeNull()
    expect(jsonCodec.decode('{')).toBeNull()
    expect(avroCodec.decode(new ArrayBuffer(3))).toBeNull()
    expect(avroCodec.decode(new Uint8Array(encodeAvro(event).subarray(0, 20)).buffer)).toBeNull()
  })
})

/** A value of any schema of a frame: enough to see each field cross. */
function sample(schema: unknown): unknown {
  if (Array.isArray(schema)) return sample(schema.find((branch) => branch !== 'null'))
  if (schema === 'string') return 'x'
  if (schema === 'boolean') return true
  if (schema === 'long' || schema === 'int') return 7
  if (schema === 'bytes') return Buffer.from('packed')
  const of = schema as { type: unknown; items?: unknown; symbols?: string[]; fields?: Field[] }
  if (of.type === 'array') return [sample(of.items)]
  if (of.type === 'enum') return of.symbols?.[0]
  if (of.type === 'record')
    return Object.fromEntries(
      (of.fields ?? []).map(({ name, type }) => [name, name === 'content' ? '{"text":"hi"}' : sample(type)]),
    )
  return sample(of.type)
}
interface Field {
  readonly name: string
  readonly type: unknown
}
const arrayBuffer = (bytes: Uint8Array) => new Uint8Array(bytes).buffer

describe('every frame that this client sends is understood by the gateway, alike in both encodings', () => {
  test.each(Object.entries(clientFrames))('%s', (type, { schema }) => {
    const fields = sample(schema) as Record<string, unknown>
    const frame = { type, ...fields } as Record<string, unknown>
    if ('content' in frame) frame.content = { text: 'hi' }
    const json = decodeJson(Buffer.from(String(jsonCodec.encode(frame as ClientFrame))))
    const avro = decodeAvro(Buffer.from(avroCodec.encode(frame as ClientFrame) as Uint8Array))
    expect(json.ok && json.frame).toMatchObject({ type, ...fields })
    expect(avro.ok && avro.frame).toMatchObject({ type, ...fields })
  })

  test('with fields left out, too', () => {
    const frame = { type: 'setGroup', packId, conversationId: 'g:1', name: 'Tea' } as ClientFrame
    const left = { name: 'Tea', avatar: null, custom: null, joinPolicy: null }
    const json = decodeJson(Buffer.from(String(jsonCodec.encode(frame))))
    const avro = decodeAvro(Buffer.from(avroCodec.encode(frame) as Uint8Array))
    expect(json.ok && json.frame).toMatchObject(left)
    expect(avro.ok && avro.frame).toMatchObject(left)
  })
})

describe('every frame that the gateway sends is understood by this client, alike in both encodings', () => {
  test.each(Object.entries(serverFrames))('%s', (type, { schema }) => {
    const frame = { type, ...(sample(schema) as object) } as unknown as ServerFrame
    const json = jsonCodec.decode(encodeJson(frame))
    const avro = avroCodec.decode(arrayBuffer(encodeAvro(frame)))
    expect(json?.type).toBe(type)
    expect(plain(json)).toEqual(plain(avro))
    expect(JSON.stringify(plain(json))).not.toContain('\\"text')
  })
})

/** Bytes as text, and records as plain objects. */
const plain = (frame: unknown): unknown =>
  JSON.parse(
    JSON.stringify(frame, (_key, value) =>
      value?.type === 'Buffer' || value instanceof Uint8Array
        ? Buffer.from(value.data ?? value).toString('latin1')
        : value,
    ),
  )

describe('packIds', () => {
  test('are UUIDv7 of server time that only grow, within one ms and when the clock steps back', () => {
    const ids = packIds(randomBytes)
    const made: string[] = []
    for (let i = 0; i < 10_000; i++) made.push(ids.next(i < 5_000 ? 1_700_000_000_000 : 1_699_999_999_000))
    expect([...made].sort()).toEqual(made)
    expect(new Set(made).size).toBe(made.length)
    expect(made.every((id) => parsePackId(id) !== null)).toBe(true)
    expect(packIdTime(parsePackId(made[0]) as Buffer)).toBe(1_700_000_000_000)
  })

  test('begin anew after the server said that they are ahead', () => {
    const ids = packIds(randomBytes)
    ids.next(2_000)
    ids.reset()
    expect(packIdTime(parsePackId(ids.next(1_000)) as Buffer)).toBe(1_000)
  })

  test('name the same group as the server does', () => {
    const ids = packIds(randomBytes)
    for (let i = 0; i < 100; i++) {
      const id = ids.next(1_700_000_000_000 + i)
      const server = groupStream(newGroupId('some.one', parsePackId(id) as Buffer))
      expect(groupStreamOf('some.one', id)).toBe(server)
    }
  })
})
