/** Frames on OMTP, as the client's side writes and reads them. */
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { formatPackId } from '../../schemas/ids.ts'
import {
  flagOf,
  frameBytes,
  HEADER_BYTES,
  isNil,
  NIL,
  OMTP_VERSION,
  type PayloadEncoding,
  parseFlag,
  parseHeader,
  uuidBytes,
} from '../../schemas/omtp/header.ts'
import { payloadCodecs } from '../../schemas/omtp/payloads.ts'
import { clientShapes, type FrameShape, serverShapes } from '../../schemas/omtp/shape.ts'
import { clientTypes, serverTypeOf } from '../../schemas/omtp/types.ts'
import { unpackContents } from '../unpack.ts'
import type { ClientFrame, FrameCodec, ServerFrame } from '../wire.ts'

export interface OmtpOptions {
  readonly encoding: PayloadEncoding
  readonly compress: boolean
}

/** Far above any answer there is. */
export const ANSWER_BYTES_MAX = 67_108_864

type Fields = Record<string, unknown>

/** `encode` makes whole frames; `decode` takes them without their Length. */
export function omtpCodec({ encoding, compress }: OmtpOptions): FrameCodec {
  return {
    subprotocol: 'omtp',
    encode(frame) {
      const shape = shapeOf(frame)
      const written = payloadOf(frame, shape, encoding)
      // A login that is compressed asks for answers that are; all else only where it pays.
      const deflated = compress ? deflateRawSync(written) : written
      const smaller = compress && (frame.type === 'login' || deflated.length < written.length)
      const payload = smaller ? deflated : written
      return frameBytes(clientTypes[frame.type], flagOf(encoding, smaller), packIdOf(frame, shape), payload)
    },
    decode(data) {
      if (typeof data === 'string' || data.byteLength < HEADER_BYTES) return null
      try {
        return decoded(data instanceof ArrayBuffer ? Buffer.from(data) : Buffer.from(data))
      } catch {
        return null
      }
    },
  }
}

function shapeOf(frame: ClientFrame): FrameShape {
  const shape = clientShapes.get(frame.type)
  if (!shape) throw new Error(`there is no frame ${frame.type}`)
  return shape
}

function payloadOf(
  frame: ClientFrame,
  { inHeader, ...shape }: FrameShape,
  encoding: PayloadEncoding,
): Buffer {
  const { type: _, ...fields } = frame as Fields & ClientFrame
  if (encoding !== 'json') {
    const content = 'content' in frame ? { content: JSON.stringify(frame.content) } : {}
    return payloadCodecs[encoding].write({ inHeader, ...shape }, { ...fields, ...content })
  }
  return Buffer.from(JSON.stringify(inHeader === null ? fields : { ...fields, [inHeader]: undefined }))
}

function packIdOf(frame: ClientFrame, { inHeader }: FrameShape): Buffer {
  const { packId = null, id = null } = frame as { packId?: string; id?: number }
  if (inHeader === 'packId') return uuidBytes(packId)
  return inHeader === 'id' && id !== null ? uuidOf(id) : NIL
}

/** A request's number, unique on its connection, as a UUID (version 8, RFC 9562: ours to fill). */
function uuidOf(id: number): Buffer {
  const bytes = Buffer.alloc(16)
  bytes[6] = 0x80
  bytes[8] = 0x80
  bytes.writeUIntBE(id, 10, 6)
  return bytes
}
const idOf = (packId: Buffer): number | null => (isNil(packId) ? null : packId.readUIntBE(10, 6))

function decoded(bytes: Buffer): ServerFrame | null {
  const { type: number, version, flag, packId, payload } = parseHeader(bytes)
  const type = serverTypeOf.get(number)
  const how = parseFlag(flag)
  const shape = serverShapes.get(type ?? '')
  if (!type || !how || !shape || version !== OMTP_VERSION) return null
  const body = how.deflated ? inflateRawSync(payload, { maxOutputLength: ANSWER_BYTES_MAX }) : payload
  const frame: Fields =
    how.encoding === 'json'
      ? (JSON.parse(body.toString('utf8')) as Fields)
      : payloadCodecs[how.encoding].read(shape, body, true)
  if (how.encoding !== 'json') unpackContents(frame)
  else if (type === 'packed') frame.data = Buffer.from(frame.data as string, 'base64')
  if (shape.inHeader === 'id') frame.id = idOf(packId)
  if (shape.inHeader === 'packId') frame.packId = formatPackId(packId)
  frame.type = type
  return frame as unknown as ServerFrame
}
