import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { type Codec, codec, decodeWith, open, seal, Undecodable } from '../../../schemas/avro.ts'
import {
  bodyHash,
  decodeCommandPayload,
  decodeEventPayload,
  encodeCommandPayload,
  openCommand,
  openEnvelope,
  sealCommand,
} from '../../../schemas/codec.ts'
import { fingerprintOf } from '../../../schemas/fingerprint.ts'
import { commandPayloads, eventPayloads, records } from '../../../schemas/records.ts'
import { commandOf, edit, markRead, packId, recall, send, T0 } from '../../support/commands.ts'
import { eventRecord } from '../../support/events.ts'

const none = new Map<string, string>()
const long = codec({ type: 'record', name: 'L', fields: [{ name: 'n', type: 'long' }] } as const)
function thrown(run: () => void): Error {
  try {
    run()
  } catch (error) {
    return error as Error
  }
  throw new Error('it was taken')
}
const command = commandOf('p2p:a:b', 'a', packId(T0, 1), send('hi'))

describe('an error of encoding', () => {
  test('says where the value does not fit, and holds nothing of what was written', () => {
    const words = 'meet me at the harbour'
    const person = codec({
      type: 'record',
      name: 'P',
      fields: [
        { name: 'notes', type: { type: 'array', items: ['null', { type: 'fixed', name: 'F', size: 2 }] } },
      ],
    } as const)
    const wrong = [
      () => person.encode({ notes: [null, words as never] }),
      () => person.seal({ notes: [Buffer.from(words)] }),
      () => sealCommand({ ...command, stream: { text: words } as never }),
      () => sealCommand({ ...command, payload: words as never }),
      () => encodeCommandPayload({ ...send('hi'), content: words } as never),
    ]
    for (const write of wrong) {
      const error = thrown(write)
      expect(inspect(error, { depth: 9 })).not.toMatch(/harbour|6d65657420|109,101,101/)
      expect(error.message).toMatch(/^a value does not fit \S+ at \w/)
    }
    expect(thrown(wrong[0] as () => void).message).toBe('a value does not fit P at notes.1')
  })
})

describe('the fingerprint', () => {
  // Vectors of the Avro project's own schema tests (signed 64-bit numbers there).
  test.each([
    ['"null"', 7195948357588979594n],
    ['"boolean"', -6970731678124411036n],
    ['"int"', 8247732601305521295n],
    ['"long"', -3434872931120570953n],
    ['"string"', -8142146995180207161n],
    ['{"name":"foo","type":"fixed","size":15}', 1756455273707447556n],
  ])('of %s is the published one', (canonical, published) => {
    expect(fingerprintOf(canonical).readBigInt64LE()).toBe(published)
  })

  test('is over the Parsing Canonical Form: no docs, no defaults, full names, fixed order', () => {
    const loose = codec({
      doc: 'words',
      fields: [{ default: 1, type: { type: 'int' }, name: 'a' }],
      namespace: 'x',
      name: 'R',
      type: 'record',
    } as const)
    expect(loose.canonical).toBe('{"name":"x.R","type":"record","fields":[{"name":"a","type":"int"}]}')
  })
})

describe('a sealed record', () => {
  test('is single-object encoding: C3 01, fingerprint little-endian, body', () => {
    const bytes = seal(long, { n: 1 })
    expect(bytes.toString('hex')).toBe(`c301${long.fingerprint.toString('hex')}02`)
    expect(open(long, bytes, none)).toEqual({ n: 1 })
  })

  test('is refused truncated at any byte, and with a byte too many', () => {
    const bytes = sealCommand(command)
    for (let length = 0; length < bytes.length; length++)
      expect(() => openCommand(bytes.subarray(0, length)), `${length} bytes`).toThrow(Undecodable)
    expect(() => openCommand(Buffer.concat([bytes, Buffer.alloc(1)]))).toThrow(Undecodable)
    expect(openCommand(bytes)).toEqual(command)
  })

  test('of a schema that nobody released is refused', () => {
    const bytes = seal(long, { n: 1 })
    expect(() => openEnvelope(bytes)).toThrow(/unknown schema/)
    expect(() => decodeWith(long, Buffer.alloc(8), Buffer.from([2]), none)).toThrow(Undecodable)
  })

  test('of another topic is refused', () => {
    expect(() => openEnvelope(sealCommand(command))).toThrow(Undecodable)
  })

  test('with a length that promises more than there is allocates nothing and is refused', () => {
    const huge = Buffer.from([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f])
    const body = Buffer.concat([huge, Buffer.from('x')])
    const refused = <T>(of: Codec<T>) =>
      expect(() => decodeWith(of, of.fingerprint, body, none)).toThrow(Undecodable)
    refused(records.Command)
    refused(records.Envelope)
    refused(records.Delivery)
  })

  test('never says what was in it', () => {
    const secret = sealCommand(commandOf('p2p:a:b', 'a', packId(T0), send('the-secret'))).subarray(0, -1)
    try {
      openCommand(secret)
    } catch (error) {
      expect((error as Error).message).not.toContain('secret')
    }
  })
})

describe('a long', () => {
  // Below −2^52 avsc's zigzag would round; nothing of ours is negative but −1.
  test('is exact from −2^52 up to 2^53−2', () => {
    for (const n of [0, -1, Number.MAX_SAFE_INTEGER - 1, -(2 ** 52), 2 ** 52 + 1])
      expect(long.decode(long.encode({ n })).n).toBe(n)
  })

  test.each([2 ** 53, -(2 ** 53), 2 ** 60, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
    '%d is refused on encode',
    (n) => {
      expect(() => long.encode({ n })).toThrow()
      expect(long.invalidAt({ n })).toBe('n')
    },
  )

  test('beyond that is undecodable', () => {
    const max = Buffer.from([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01])
    expect(() => decodeWith(long, long.fingerprint, max, none)).toThrow(Undecodable)
  })
})

describe('payloads', () => {
  const target = { seq: 1, ordinal: 1, sender: 'a', time: T0, packId: packId(T0, 1) }
  test.each([
    send('héllo ☃', { mentions: ['b', 'c'], keyId: 'k', replyTo: 3 }),
    recall(1, target),
    edit(2, 'x', target),
    markRead('p2p:a:b', 3, 2),
  ])('of commands come back as they were: $type', (payload) => {
    expect(decodeCommandPayload({ ...command, ...encodeCommandPayload(payload) })).toEqual(payload)
  })

  test('of commands are no payloads of events', () => {
    const envelope = openEnvelope(eventRecord(0).value as Buffer)
    expect(decodeEventPayload(envelope).type).toBe('MessageSent')
    expect(() => decodeEventPayload({ ...envelope, ...encodeCommandPayload(send('x')) })).toThrow(Undecodable)
    expect(() =>
      decodeCommandPayload({ ...command, schema: envelope.schema, payload: envelope.payload }),
    ).toThrow(Undecodable)
  })

  test('that do not fit are refused on encode, with the place', () => {
    expect(() =>
      encodeCommandPayload({ ...send('x'), replyTo: 'no' as unknown as number } as never),
    ).toThrow()
    expect(commandPayloads.SendMessage.invalidAt({ ...send('x'), replyTo: 'no' })).not.toBeNull()
  })

  test('have no array whose items take no bytes: five bytes could ask for millions', () => {
    const all = { ...commandPayloads, ...eventPayloads, ...records }
    for (const { canonical } of Object.values(all)) {
      expect(canonical).not.toMatch(/"items":"null"/)
      expect(canonical).not.toMatch(/"items":\{[^{]*"fields":\[\]/)
    }
  })

  test('are told apart by their hash', () => {
    const hash = ({ schema, payload }: { schema: Buffer; payload: Buffer }) => bodyHash(schema, payload)
    expect(hash(encodeCommandPayload(send('a')))).toBe(hash(encodeCommandPayload(send('a'))))
    expect(hash(encodeCommandPayload(send('a')))).not.toBe(hash(encodeCommandPayload(send('b'))))
  })
})
