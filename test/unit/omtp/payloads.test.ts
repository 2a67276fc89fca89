/** The encodings against what the other side publishes of them. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import protobuf from 'protobufjs'
import { describe, expect, test } from 'vitest'
import { brokenBy, protoFile, tarsFile } from '../../../infra/omtp-files.ts'
import { type ClientFrame, clientFrames, type ServerFrame, serverFrames } from '../../../schemas/frames.ts'
import { payloadCodecs } from '../../../schemas/omtp/payloads.ts'
import { clientShapes, type FrameShape, Malformed, serverShapes } from '../../../schemas/omtp/shape.ts'
import { clientTypes, serverTypes } from '../../../schemas/omtp/types.ts'
import { framesOf } from '../../support/any-frame.ts'

const { protobuf: proto, tars, xml } = payloadCodecs
const committed = (name: string): string =>
  readFileSync(new URL(`../../../docs/protocol/${name}`, import.meta.url), 'utf8')
const shapeOf = (type: string): FrameShape => {
  const shape = clientShapes.get(type) ?? serverShapes.get(type)
  if (!shape) throw new Error(type)
  return shape
}
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')
const refused = (read: () => unknown) => expect(read).toThrow(Malformed)

describe('type numbers', () => {
  test('every frame has one, none has two, clients’ are odd and the gateway’s even', () => {
    expect(Object.keys(clientTypes).sort()).toEqual(Object.keys(clientFrames).sort())
    expect(Object.keys(serverTypes).sort()).toEqual(Object.keys(serverFrames).sort())
    const [odd, even] = [Object.values(clientTypes), Object.values(serverTypes)]
    const all: number[] = [...odd, ...even]
    expect(new Set(all).size).toBe(all.length)
    for (const number of all) expect(number).toBeLessThan(0x10000)
    expect(odd.filter((number) => number % 2 === 0)).toEqual([])
    expect(even.filter((number) => number % 2 === 1)).toEqual([])
  })
})

describe('the published files', () => {
  test('say what the code says', () => {
    expect(committed('omtp.proto')).toBe(protoFile())
    expect(committed('omtp.tars')).toBe(tarsFile())
  })

  test('a number that changes, goes, or is given to something else is seen', () => {
    const before = 'message A {\n  string x = 1;\n  int64 y = 2;\n}\nenum E {\n  ONE = 0;\n}'
    expect(brokenBy(before, before)).toEqual([])
    expect(brokenBy(before, before.replace('int64 y = 2;', 'int64 y = 2;\n  bool z = 3;'))).toEqual([])
    expect(brokenBy(before, before.replace('y = 2', 'y = 3'))).toHaveLength(1)
    expect(brokenBy(before, before.replace('int64 y', 'string y'))).toHaveLength(1)
    expect(brokenBy(before, before.replace('  int64 y = 2;\n', ''))).toHaveLength(1)
    expect(brokenBy(before, before.replace('int64 y = 2', 'int64 z = 2'))).toHaveLength(1)
    expect(brokenBy(before, before.replace('ONE = 0', 'ONE = 1'))).toHaveLength(1)
  })
})

describe('Protocol Buffers', () => {
  const root = protobuf.parse(committed('omtp.proto'), { keepCase: true }).root
  const messageOf = (shape: FrameShape): protobuf.Type =>
    root.lookupType(`longwire.omtp.${shape.payload.name}`)
  const frames = fc.oneof(framesOf<ClientFrame>(clientFrames), framesOf<ServerFrame>(serverFrames))

  test('frames are read and written alike by another implementation that knows nothing but the published file', () => {
    fc.assert(
      fc.property(frames, (frame) => {
        const shape = shapeOf(frame.type)
        const bytes = proto.write(shape, frame as unknown as Record<string, unknown>)
        const type = messageOf(shape)
        const again = Buffer.from(type.encode(type.decode(bytes)).finish())
        const expected = Object.fromEntries(
          shape.payload.fields.map(({ name }) => [name, (frame as unknown as Record<string, unknown>)[name]]),
        )
        expect(proto.read(shape, bytes)).toEqual(expected)
        expect(proto.read(shape, again)).toEqual(expected)
      }),
      { numRuns: 1_000 },
    )
  })

  test('what is absent has proto3’s default, and null where it is optional', () => {
    expect(proto.read(shapeOf('send'), Buffer.alloc(0))).toEqual({
      to: null,
      conversationId: null,
      contentType: '',
      content: '',
      mentions: [],
      mentionAll: false,
      replyTo: null,
    })
  })

  test('numbers in a list are read packed and one by one', () => {
    const shape = shapeOf('groupResult')
    const number = shape.payload.byName.get('pinned')?.number ?? 0
    const one = protobuf.Writer.create()
      .uint32(number << 3)
      .int64(7)
      .finish()
    const packed = protobuf.Writer.create()
      .uint32((number << 3) | 2)
      .fork()
      .int64(7)
      .ldelim()
      .finish()
    for (const bytes of [one, packed]) expect(proto.read(shape, Buffer.from(bytes)).pinned).toEqual([7])
  })

  test('a doubled field, an unknown one, one of another wire type, and text that is not UTF-8 are refused', () => {
    const mute = shapeOf('muteAll')
    expect(proto.read(mute, hex('12 01 78 18 01'))).toEqual({ conversationId: 'x', on: true })
    refused(() => proto.read(mute, hex('12 01 78 12 01 79')))
    refused(() => proto.read(mute, hex('12 01 78 20 01')))
    refused(() => proto.read(mute, hex('0a 01 78')))
    refused(() => proto.read(mute, hex('10 01')))
    refused(() => proto.read(mute, hex('12 01 ff')))
    refused(() => proto.read(mute, hex('12 7f 78')))
    refused(() => proto.read(mute, hex('18 ff ff ff ff ff ff ff ff ff ff ff')))
    refused(() => proto.read(shapeOf('recall'), hex('18 ff ff ff ff ff ff ff ff 7f')))
  })
})

describe('Tars', () => {
  const recall = shapeOf('recall')
  const withSeq = (seq: number): string =>
    tars
      .write(recall, { conversationId: 'c', seq })
      .toString('hex')
      .replace(/^260163/, '')

  test('a head is tag and type; a number takes the fewest bytes, big-endian', () => {
    // conversationId is 2, seq is 3; types: int8 0, int16 1, int32 2, int64 3, zero 12.
    expect(withSeq(0)).toBe('3c')
    expect(withSeq(1)).toBe('3001')
    expect(withSeq(-128)).toBe('3080')
    expect(withSeq(128)).toBe('310080')
    expect(withSeq(-129)).toBe('31ff7f')
    expect(withSeq(32_768)).toBe('3200008000')
    expect(withSeq(2_147_483_648)).toBe('330000000080000000')
    expect(withSeq(-2_147_483_649)).toBe('33ffffffff7fffffff')
  })

  test('a number is read in whatever width it was written', () => {
    for (const bytes of ['30 05', '31 0005', '32 00000005', '33 0000000000000005'])
      expect(tars.read(recall, hex(`26 01 63 ${bytes}`)), bytes).toEqual({ conversationId: 'c', seq: 5 })
  })

  test('text has its length in one byte (6), from 256 on in four (7)', () => {
    const of = (text: string): string =>
      tars.write(shapeOf('dissolveGroup'), { conversationId: text }).toString('hex').slice(0, 12)
    expect(of('ab')).toBe('26026162')
    expect(of('x'.repeat(255))).toBe('26ff78787878')
    expect(of('x'.repeat(256))).toBe('270000010078')
  })

  test('a list (9) is its count and its entries under tag 0; a struct goes from 10 to 11; bytes are 13', () => {
    const ack = { acks: [{ conversationId: 'c', seq: 2 }] }
    expect(tars.write(shapeOf('ack'), ack).toString('hex')).toBe(
      ['19', '0001', '0a', '160163', '2002', '0b'].join(''),
    )
    expect(tars.write(shapeOf('typing'), { conversationId: 'c' }).toString('hex')).toBe('160163')
    const packed = { last: true, data: Buffer.from('abc') }
    expect(tars.write(shapeOf('packed'), packed).toString('hex')).toBe('20013d000003616263')
    expect(tars.write(shapeOf('ack'), { acks: [] }).toString('hex')).toBe('190c')
  })

  test('a tag from 15 on stands in a byte of its own', () => {
    // role is 14, mutedUntil 15, pinned 16.
    const value = { role: 'x', mutedUntil: 1, pinned: [] }
    expect(tars.write(shapeOf('groupResult'), value).toString('hex')).toBe('e60178f00f01f9100c')
  })

  test('tags that do not ascend, are unknown or missing, and lengths beyond the end are refused', () => {
    refused(() => tars.read(recall, hex('30 01 26 01 63')))
    refused(() => tars.read(recall, hex('26 01 63 30 01 40 01')))
    refused(() => tars.read(recall, hex('26 01 63 26 01 64 30 01')))
    refused(() => tars.read(recall, hex('26 01 63')))
    refused(() => tars.read(recall, hex('27 7fffffff 63')))
    refused(() => tars.read(recall, hex('26 01 ff 30 01')))
    refused(() => tars.read(recall, hex('26 01 63 33 7fffffffffffffff')))
    refused(() => tars.read(shapeOf('ack'), hex('19 02 7fffffff')))
    refused(() => tars.read(shapeOf('ack'), hex('19 00 ff')))
  })
})

describe('XML', () => {
  const read = (type: string, text: string) => xml.read(shapeOf(type), Buffer.from(text))

  test('is read however it was written, where the meaning is the same', () => {
    const expected = { conversationId: 'g:x', on: true }
    for (const text of [
      '<muteAll><conversationId>g:x</conversationId><on>true</on></muteAll>',
      '<?xml version="1.0" encoding="UTF-8"?>\n<muteAll>\n  <on>true</on>\n  <conversationId>g:x</conversationId>\n</muteAll>\n',
      '<muteAll><!-- a remark --><conversationId><![CDATA[g:x]]></conversationId><on>tr&#117;e</on></muteAll>',
      '<muteAll><conversationId>g&#x3a;x</conversationId><on >true</on ></muteAll >',
    ])
      expect(read('muteAll', text), text).toEqual(expected)
    expect(
      read(
        'requestJoin',
        '<requestJoin><conversationId>g:x</conversationId><note> &lt;&amp;&gt; </note></requestJoin>',
      ),
    ).toEqual({
      conversationId: 'g:x',
      note: ' <&> ',
    })
  })

  test('document types, entities, instructions and external references are refused', () => {
    const inner = '<typing><conversationId>&e;</conversationId></typing>'
    for (const text of [
      `<!DOCTYPE typing [<!ENTITY e "g:x">]>${inner}`,
      `<!DOCTYPE typing [<!ENTITY a "aaaaaaaaaa"><!ENTITY e "&a;&a;&a;&a;&a;&a;&a;&a;">]>${inner}`,
      `<!DOCTYPE typing SYSTEM "file:///etc/passwd">${inner}`,
      inner,
      '<?go now?><typing><conversationId>g:x</conversationId></typing>',
      '<?xml version="1.0" encoding="UTF-16"?><typing><conversationId>g:x</conversationId></typing>',
      '<?xml version="1.1"?><typing><conversationId>g:x</conversationId></typing>',
      '<typing xmlns:xi="x"><conversationId>g:x</conversationId></typing>',
    ])
      refused(() => read('typing', text))
  })

  test('another element, an attribute, a doubled field, stray text, and what is no number are refused', () => {
    for (const text of [
      '',
      'typing',
      '<ping></ping>',
      '<typing/>',
      '<typing><conversationId>g:x</conversationId></typing><typing/>',
      '<typing><conversationId>g:x</conversationId><other/></typing>',
      '<typing><conversationId>g:x</conversationId><conversationId>g:y</conversationId></typing>',
      '<typing><conversationId a="b">g:x</conversationId></typing>',
      '<typing><conversationId><b/></conversationId></typing>',
      '<typing>x<conversationId>g:x</conversationId></typing>',
      '<typing><conversationId>g:x</typing></conversationId>',
      '<typing><conversationId enc="base64">no!</conversationId></typing>',
      '<typing><__proto__>g:x</__proto__></typing>',
      `<typing>${'<a>'.repeat(10_000)}`,
    ])
      refused(() => read('typing', text))
    const recall = (seq: string) => `<recall><conversationId>g:x</conversationId><seq>${seq}</seq></recall>`
    expect(read('recall', recall('-12'))).toMatchObject({ seq: -12 })
    for (const seq of [
      '',
      ' 1',
      '01',
      '1.0',
      '1e3',
      '0x1',
      '-0',
      '+1',
      '9007199254740992',
      '99999999999999999',
    ])
      refused(() => read('recall', recall(seq)))
  })

  test('text that XML has no characters for is carried all the same', () => {
    for (const note of ['\u0000', 'a\u0007b', '\ufffe', 'line\r\nline', '\r', ']]>', '<![CDATA[']) {
      const value = { conversationId: 'g:x', note }
      expect(xml.read(shapeOf('requestJoin'), xml.write(shapeOf('requestJoin'), value)), note).toEqual(value)
    }
  })
})

describe('what a newer writer has added', () => {
  const shape = shapeOf('resync')
  const known = { reason: 'x' }
  const more = protobuf.Writer.create()
    .uint32((9 << 3) | 2)
    .bytes(Buffer.from('new'))
    .uint32(10 << 3)
    .int64(5)
    .finish()
  const written: Readonly<Record<'protobuf' | 'xml' | 'tars', Buffer>> = {
    protobuf: Buffer.concat([proto.write(shape, known), more]),
    xml: Buffer.from('<resync><reason>x</reason><more a="b">text<reason>no</reason><deep/></more></resync>'),
    // A text, a struct that holds a number, a list of two, a map, a float, bytes.
    tars: hex(
      '16 01 78 26 01 79 3a 00 05 0b 49 00 02 00 01 0c 58 00 01 06 01 6b 16 01 76 64 00000000 7d 00 00 02 6162',
    ),
  }

  test.each(['protobuf', 'xml', 'tars'] as const)(
    'is passed over by a client and refused by a gateway, in %s',
    (encoding) => {
      expect(payloadCodecs[encoding].read(shape, written[encoding], true)).toEqual(known)
      refused(() => payloadCodecs[encoding].read(shape, written[encoding]))
    },
  )

  test('a symbol is its number where only that was sent', () => {
    const relations = shapeOf('relationsResult')
    const relation = { userId: 'a', state: 'friend', blocked: false, note: null, remark: null, seq: 1 }
    const value = { partial: false, relations: [relation] }
    // `state` is the second field; friend is 3, and 9 is none that there is.
    const newerTars = Buffer.from(tars.write(relations, value).toString('hex').replace('2003', '2009'), 'hex')
    const newerProto = Buffer.from(
      proto.write(relations, value).toString('hex').replace('1003', '1009'),
      'hex',
    )
    for (const [codec, bytes] of [
      [tars, newerTars],
      [proto, newerProto],
    ] as const) {
      expect(codec.read(relations, bytes, true)).toMatchObject({ relations: [{ state: '9' }] })
      refused(() => codec.read(relations, bytes))
    }
  })
})
