import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { frameCodecs } from '../../../gateway/frames/codecs.ts'
import { type ClientFrame, clientFrames, type ServerFrame, serverFrames } from '../../../schemas/frames.ts'
import { decodeServerAvro, encodeClientAvro } from '../../support/gateway-client.ts'

type Schema = string | readonly Schema[] | { type: string; [key: string]: unknown }

/** Values of an Avro schema; strings named `content` are JSON texts. */
function anyOf(schema: Schema, name: string): fc.Arbitrary<unknown> {
  if (Array.isArray(schema)) return fc.oneof(...schema.map((branch: Schema) => anyOf(branch, name)))
  if (typeof schema === 'string') {
    if (schema === 'null') return fc.constant(null)
    if (schema === 'boolean') return fc.boolean()
    if (schema === 'int') return fc.integer()
    if (schema === 'long') return fc.integer({ min: -(2 ** 52), max: 2 ** 52 - 1 })
    if (name === 'content') return fc.json({ maxDepth: 4 })
    return fc.string({ unit: 'grapheme' })
  }
  const of = schema as { type: string; fields?: Field[]; items?: Schema; symbols?: string[] }
  if (of.type === 'array') return fc.array(anyOf(of.items ?? 'null', name), { maxLength: 4 })
  if (of.type === 'enum') return fc.constantFrom(...(of.symbols ?? []))
  return recordOf(of.fields ?? [])
}
type Field = { name: string; type: Schema }
const recordOf = (fields: readonly Field[]): fc.Arbitrary<Record<string, unknown>> =>
  fc.record(Object.fromEntries(fields.map((field) => [field.name, anyOf(field.type, field.name)])))

const framesOf = <F>(table: Record<string, { schema: { fields: readonly unknown[] } }>): fc.Arbitrary<F> =>
  fc.oneof(
    ...Object.entries(table).map(([type, of]) =>
      recordOf(of.schema.fields as Field[]).map((fields) => ({ type, ...fields }) as F),
    ),
  )
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
