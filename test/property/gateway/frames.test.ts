import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { frameCodecs } from '../../../gateway/frames/codecs.ts'
import { type ClientFrame, clientFrames, type ServerFrame, serverFrames } from '../../../schemas/frames.ts'
import { framesOf } from '../../support/any-frame.ts'
import { decodeServerAvro, encodeClientAvro } from '../../support/gateway-client.ts'

const clientFrame = framesOf<ClientFrame>(clientFrames)
const serverFrame = framesOf<ServerFrame>(serverFrames)

/** As a client writes it: null fields may be left out, content stands as JSON. */
function clientJson(frame: ClientFrame, withNulls: boolean): string {
  const parts = Object.entries(frame)
    .filter(([, value]) => withNulls || value !== null)
    .map(([name, value]) => `${JSON.stringify(name)}:${name === 'content' ? value : JSON.stringify(value)}`)
  return `{${parts.join(' , ')}}`
}

/** Without nulls, content parsed: what both encodings of a server frame must agree in. */
function normal(value: unknown, key = ''): unknown {
  if (key === 'content' && typeof value === 'string') return JSON.parse(value)
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (Array.isArray(value)) return value.map((entry) => normal(entry))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, entry]) => entry !== null)
      .map(([name, entry]) => [name, normal(entry, name)]),
  )
}
/** `content` as the JSON encoding has it: parsed already. */
const asParsed = (json: string): unknown => JSON.parse(json, (_key, value: unknown) => value)

describe('frames', () => {
  it('of a client read the same in both encodings', () => {
    fc.assert(
      fc.property(clientFrame, fc.boolean(), (frame, withNulls) => {
        const json = frameCodecs.json.decode(Buffer.from(clientJson(frame, withNulls)))
        const avro = frameCodecs.avro.decode(encodeClientAvro(frame))
        expect(avro).toMatchObject({ ok: true })
        expect(json).toEqual(avro)
        if (json.ok) expect(json.frame).toEqual(frame)
      }),
      { numRuns: 3_000 },
    )
  })

  it('of the server say the same in both encodings', () => {
    fc.assert(
      fc.property(serverFrame, (frame) => {
        const avro = decodeServerAvro(frameCodecs.avro.encode(frame))
        expect(avro).toEqual(frame)
        const json = asParsed(frameCodecs.json.encode(frame).toString('utf8'))
        // JSON knows one zero only.
        expect(JSON.stringify(sorted(json))).toBe(JSON.stringify(sorted(normal(frame))))
      }),
      { numRuns: 3_000 },
    )
  })

  it('pass content through as it was written', () => {
    const content = '{"text":"x", "n":9007199254740993, "e":1e400, "u":"\\ud800"}'
    const raw = `{"content" : ${content} ,"type":"send","packId":"p","to":"bob","contentType":"text","mentions":[],"mentionAll":false}`
    expect(frameCodecs.json.decode(Buffer.from(raw))).toMatchObject({ ok: true, frame: { content } })
  })

  it('that name a field twice are refused, at whatever depth', () => {
    const twice = [
      '{"type":"ping","id":1,"id":2}',
      '{"type":"ping","type":"logout","id":1}',
      '{"type":"ack","acks":[{"conversationId":"g:x","seq":1,"s\\u0065q":2}]}',
      '{"type":"send","packId":"p","to":"b","contentType":"text","mentions":[],"mentionAll":false,"content":{"text":"a","text":"b"}}',
    ]
    for (const raw of twice)
      expect(frameCodecs.json.decode(Buffer.from(raw)), raw).toMatchObject({ ok: false, code: 'bad_frame' })
    const frame = { type: 'send', packId: 'p', to: 'b', conversationId: null, contentType: 'text' } as const
    const content = '{"text":"a","a":[{"b":1,"b":2}]}'
    const sent = { ...frame, content, mentions: [], mentionAll: false, replyTo: null }
    expect(frameCodecs.avro.decode(encodeClientAvro(sent))).toMatchObject({ ok: false, code: 'bad_content' })
  })

  it('nested without end are refused, and pollute nothing', () => {
    const deep = '['.repeat(10_000) + ']'.repeat(10_000)
    for (const raw of [
      `{"type":"ack","acks":${deep}}`,
      `{"type":"send","packId":"p","content":${deep}}`,
      `{"type":"ack","acks":[{"conversationId":"g:x","seq":1,"__proto__":{"polluted":1}}]}`,
      '{"type":"ping","id":1,"constructor":{"prototype":{"polluted":1}}}',
      '{"type":"__proto__","id":1}',
      '{"type":"history","id":1,"conversationId":"g:x","after":9007199254740993}',
      '{"type":"history","id":1,"conversationId":"g:x","after":1e400}',
      '{"type":"history","id":1,"conversationId":"g:x","after":0.5}',
    ])
      expect(frameCodecs.json.decode(Buffer.from(raw)).ok, raw).toBe(false)
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
  })

  it('with content twice, under whatever spelling, are refused', () => {
    const raw = (second: string) =>
      `{"type":"send","packId":"p","to":"b","contentType":"text","mentions":[],"mentionAll":false,"content":{"text":"a"},${second}:{"text":"b"}}`
    for (const second of ['"content"', '"c\\u006fntent"'])
      expect(frameCodecs.json.decode(Buffer.from(raw(second)))).toMatchObject({
        ok: false,
        code: 'bad_frame',
      })
  })

  it('broken in any way are refused, never thrown over: 100,000 mutations', () => {
    const mutation = fc.record({
      at: fc.nat(),
      byte: fc.nat(255),
      how: fc.constantFrom('set', 'insert', 'cut', 'drop'),
    })
    const mutated = fc.tuple(clientFrame, fc.boolean(), fc.array(mutation, { minLength: 1, maxLength: 4 }))
    fc.assert(
      fc.property(mutated, ([frame, avro, mutations]) => {
        let bytes: Buffer = avro ? encodeClientAvro(frame) : Buffer.from(clientJson(frame, true))
        for (const { at, byte, how } of mutations) {
          const place = bytes.length === 0 ? 0 : at % bytes.length
          const [head, tail] = [bytes.subarray(0, place), bytes.subarray(place)]
          if (how === 'set') bytes = Buffer.concat([head, Buffer.from([byte]), tail.subarray(1)])
          else if (how === 'insert') bytes = Buffer.concat([head, Buffer.from([byte]), tail])
          else if (how === 'cut') bytes = Buffer.from(head)
          else bytes = Buffer.concat([head, tail.subarray(1)])
        }
        const decoded = frameCodecs[avro ? 'avro' : 'json'].decode(bytes)
        expect(typeof decoded.ok).toBe('boolean')
        if (!decoded.ok) expect(decoded.message.length).toBeLessThan(300)
      }),
      { numRuns: 100_000 },
    )
  })
})

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, entry]) => [name, sorted(entry)]),
  )
}
