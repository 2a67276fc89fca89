/** OMTP as a client writes and reads it, frame by frame. */
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import type { ClientFrame, ServerFrame } from '../../schemas/frames.ts'
import {
  flagOf,
  frameBytes,
  NIL,
  type PayloadEncoding,
  parseFlag,
  parseHeader,
  uuidBytes,
} from '../../schemas/omtp/header.ts'
import { payloadCodecs } from '../../schemas/omtp/payloads.ts'
import { clientShapes, serverShapes } from '../../schemas/omtp/shape.ts'
import { clientTypes, serverTypeOf } from '../../schemas/omtp/types.ts'

type Fields = Record<string, unknown>

/** A UUID that carries a request's number. */
export function idPackId(id: number): Buffer {
  const bytes = Buffer.from('00000000000080008000000000000000', 'hex')
  bytes.writeUIntBE(id, 10, 6)
  return bytes
}
export const idOf = (packId: Buffer): number | null => (packId.equals(NIL) ? null : packId.readUIntBE(10, 6))

export function clientPayload(frame: ClientFrame, encoding: PayloadEncoding): Buffer {
  const shape = clientShapes.get(frame.type)
  if (!shape) throw new Error(`no frame ${frame.type}`)
  if (encoding !== 'json') return payloadCodecs[encoding].write(shape, frame as unknown as Fields)
  const parts = shape.payload.fields
    .map(({ name }) => [name, (frame as unknown as Fields)[name]] as const)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => `"${name}":${name === 'content' ? value : JSON.stringify(value)}`)
  return Buffer.from(`{${parts.join(',')}}`)
}

export interface As {
  readonly encoding: PayloadEncoding
  readonly deflate?: boolean
  /** In the header; default: the frame's own packId, or its id in a UUID. */
  readonly packId?: Buffer
}

/** A whole frame, Length included. */
export function clientBytes(frame: ClientFrame, { encoding, deflate = false, packId }: As): Buffer {
  const payload = clientPayload(frame, encoding)
  const { inHeader } = clientShapes.get(frame.type) ?? {}
  const { packId: own = null, id = 0 } = frame as { packId?: string; id?: number }
  const named = inHeader === 'packId' ? uuidBytes(own) : inHeader === 'id' ? idPackId(id) : NIL
  return frameBytes(
    clientTypes[frame.type],
    flagOf(encoding, deflate),
    packId ?? named,
    deflate ? deflateRawSync(payload) : payload,
  )
}

/** Content as its text, which it is in all other encodings. */
function contentsAsText(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(contentsAsText)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      name === 'content' ? JSON.stringify(inner) : contentsAsText(inner),
    ]),
  )
}

export interface Told {
  readonly packId: Buffer
  readonly encoding: PayloadEncoding
  readonly deflated: boolean
  readonly frame: ServerFrame
}

/** Of a frame without its Length. Content in JSON becomes its text again, as in the other encodings. */
export function serverFrameOf(bytes: Buffer): Told {
  const { type: number, flag, packId, payload } = parseHeader(bytes)
  const type = serverTypeOf.get(number)
  const how = parseFlag(flag)
  const shape = serverShapes.get(type ?? '')
  if (!type || !how || !shape) throw new Error(`no server frame: ${bytes.toString('hex')}`)
  const body = how.deflated ? inflateRawSync(payload) : payload
  const fields =
    how.encoding === 'json'
      ? (contentsAsText(JSON.parse(body.toString('utf8'))) as Fields)
      : payloadCodecs[how.encoding].read(shape, body)
  if (shape.inHeader === 'id') fields.id = idOf(packId)
  if (shape.inHeader === 'packId') {
    const hex = packId.toString('hex')
    fields.packId = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  }
  const { encoding, deflated } = how
  return { packId: Buffer.from(packId), encoding, deflated, frame: { ...fields, type } as never }
}
