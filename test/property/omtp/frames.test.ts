import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createOmtpCodec } from '../../../gateway/frames/omtp/connection-codec.ts'
import { decodePayload } from '../../../gateway/frames/omtp/decode.ts'
import { encodeOmtp } from '../../../gateway/frames/omtp/encode.ts'
import { type ClientFrame, clientFrames, type ServerFrame, serverFrames } from '../../../schemas/frames.ts'
import { LENGTH_BYTES, NIL, payloadEncodings, uuidBytes } from '../../../schemas/omtp/header.ts'
import { clientShapes } from '../../../schemas/omtp/shape.ts'
import { framesOf } from '../../support/any-frame.ts'
import { clientBytes, clientPayload, idPackId, serverFrameOf } from '../../support/omtp.ts'

const uuid = fc.uuid().filter((text) => /^[0-9a-f-]{36}$/.test(text))
const requestId = fc.integer({ min: 1, max: 2 ** 47 })
/** Text of every kind: with control characters, CR, markup, and what XML has no characters for. */
const text = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({
    unit: fc.constantFrom('\u0000', '\r', '\n', '\t', ' ', '<', '&', ']]>', '\u001f', '\ufffe', 'ü', '👋'),
  }),
  fc.string({ minLength: 1, maxLength: 4 }).map((part) => part.repeat(100)),
)
const choose = (name: string, type: 'string' | 'long') =>
  name === 'id'
    ? requestId
    : name === 'packId'
      ? uuid
      : type === 'string' && name !== 'content'
        ? text
        : undefined
const clientFrame = framesOf<ClientFrame>(clientFrames, choose)
const serverFrame = framesOf<ServerFrame>(serverFrames, choose)

function givenOf(frame: ClientFrame): { packId?: string; id?: number } {
  const { packId, id } = frame as { packId?: string; id?: number }
  const { inHeader } = clientShapes.get(frame.type) ?? {}
  return inHeader === 'packId' ? { packId } : inHeader === 'id' ? { id } : {}
}

/** Nulls left out, content without its spaces: what all encodings of a server frame must agree in. */
function normal(value: unknown, key = ''): unknown {
  if (key === 'content' && typeof value === 'string') return JSON.stringify(JSON.parse(value))
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (Array.isArray(value)) return value.map((entry) => normal(entry))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .map(([name, entry]) => [name, normal(entry, name)])
      .filter(([, entry]) => entry !== null),
  )
}

describe('frames on OMTP', () => {
  it.each(payloadEncodings)('of a client are the same frame through %s', (encoding) => {
    fc.assert(
      fc.property(clientFrame, (frame) => {
        const bytes = clientPayload(frame, encoding)
        const decoded = decodePayload(frame.type, givenOf(frame), { encoding, deflated: false, bytes })
        expect(decoded).toMatchObject({ ok: true })
        if (!decoded.ok) return
        expect(decoded.frame).toEqual(frame)
        if ('content' in frame) expect(decoded.content).toEqual({ value: JSON.parse(frame.content) })
        else expect(decoded.content).toBeNull()
      }),
      { numRuns: 1_000 },
    )
  })

  it.each(payloadEncodings)('of the server are the same frame through %s, compressed or not', (encoding) => {
    fc.assert(
      fc.property(serverFrame, fc.boolean(), (frame, deflate) => {
        const named = frame as { packId?: string; id?: number | null }
        const packId =
          named.packId !== undefined ? uuidBytes(named.packId) : named.id ? idPackId(named.id) : NIL
        const bytes = encodeOmtp(frame, packId, { encoding, deflate })
        expect(bytes.readUInt32BE(0)).toBe(bytes.length)
        const told = serverFrameOf(bytes.subarray(LENGTH_BYTES))
        expect(told.encoding).toBe(encoding)
        if (!deflate) expect(told.deflated).toBe(false)
        expect(normal(told.frame)).toEqual(normal(frame))
        // Null where absent, in what says it.
        if (encoding !== 'json') expect(told.frame).toEqual(frame)
      }),
      { numRuns: 1_000 },
    )
  })

  it('broken in any way are refused, never thrown over, and shown nothing back at length: 20,000 mutations', () => {
    const mutation = fc.record({
      at: fc.nat(),
      byte: fc.nat(255),
      how: fc.constantFrom('set', 'insert', 'cut', 'drop'),
    })
    const encodings = fc.constantFrom(...payloadEncodings)
    const mutated = fc.tuple(
      clientFrame,
      encodings,
      fc.boolean(),
      fc.array(mutation, { minLength: 1, maxLength: 4 }),
    )
    const codec = createOmtpCodec()
    fc.assert(
      fc.property(mutated, ([frame, encoding, deflate, mutations]) => {
        let bytes: Buffer = clientBytes(frame, { encoding, deflate }).subarray(LENGTH_BYTES)
        for (const { at, byte, how } of mutations) {
          const place = bytes.length === 0 ? 0 : at % bytes.length
          const [head, tail] = [bytes.subarray(0, place), bytes.subarray(place)]
          if (how === 'set') bytes = Buffer.concat([head, Buffer.from([byte]), tail.subarray(1)])
          else if (how === 'insert') bytes = Buffer.concat([head, Buffer.from([byte]), tail])
          else if (how === 'cut') bytes = Buffer.from(head)
          else bytes = Buffer.concat([head, tail.subarray(1)])
        }
        const decoded = codec.decode(bytes)
        if (decoded.ok) {
          // As the session would: an answer closes the request.
          if ('id' in decoded.frame)
            codec.encode({
              type: 'error',
              id: decoded.frame.id,
              code: 'internal',
              message: '',
              retryAfterMs: null,
            })
          return
        }
        expect(decoded.message.length).toBeLessThan(300)
        if (decoded.id !== null)
          codec.encode({ type: 'error', id: decoded.id, code: 'internal', message: '', retryAfterMs: null })
      }),
      { numRuns: 20_000 },
    )
  })
})
