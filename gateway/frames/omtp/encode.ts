/** Server frames on OMTP. */
import { constants, deflateRawSync } from 'node:zlib'
import type { ServerFrame } from '../../../schemas/frames.ts'
import { limits } from '../../../schemas/limits.ts'
import {
  flagOf,
  frameBytes,
  NIL,
  type PayloadEncoding,
  payloadEncodings,
  uuidBytes,
} from '../../../schemas/omtp/header.ts'
import { payloadCodecs } from '../../../schemas/omtp/payloads.ts'
import { serverShapes } from '../../../schemas/omtp/shape.ts'
import { serverTypes } from '../../../schemas/omtp/types.ts'
import type { FrameEncoder, OmtpEncoding } from '../frame-codec.ts'
import { encodeJsonPayload } from '../json-encode.ts'

/** How a connection is answered: as it logged in. */
export interface Answering {
  readonly encoding: PayloadEncoding
  readonly deflate: boolean
}

export function encodeOmtp(frame: ServerFrame, packId: Buffer, { encoding, deflate }: Answering): Buffer {
  const payload = payloadOf(frame, encoding)
  // What an overview packs is compressed already.
  const worthIt = deflate && frame.type !== 'packed' && payload.length >= limits.omtpDeflateFromBytes
  const deflated = worthIt ? deflateRawSync(payload, { level: constants.Z_BEST_SPEED }) : null
  return deflated && deflated.length < payload.length
    ? frameBytes(serverTypes[frame.type], flagOf(encoding, true), packId, deflated)
    : frameBytes(serverTypes[frame.type], flagOf(encoding, false), packId, payload)
}

function payloadOf(frame: ServerFrame, encoding: PayloadEncoding): Buffer {
  if (encoding === 'json') return Buffer.from(encodeJsonPayload(frame), 'utf8')
  const shape = serverShapes.get(frame.type)
  if (!shape) throw new Error(`no shape of ${frame.type}`)
  return payloadCodecs[encoding].write(shape, frame as unknown as Record<string, unknown>)
}

export const omtpEncodingOf = ({ encoding, deflate }: Answering): OmtpEncoding =>
  deflate ? `omtp-${encoding}-deflate` : `omtp-${encoding}`

const encoder = (answering: Answering): FrameEncoder => ({
  encoding: omtpEncodingOf(answering),
  encode: (frame) =>
    encodeOmtp(frame, frame.type === 'event' ? uuidBytes(frame.item.packId) : NIL, answering),
})

/** Of frames that the server begins by itself: the same bytes for every connection that is answered alike. */
export const omtpEncoders = Object.fromEntries(
  payloadEncodings
    .flatMap((encoding) => [encoder({ encoding, deflate: false }), encoder({ encoding, deflate: true })])
    .map((each) => [each.encoding, each]),
) as Readonly<Record<OmtpEncoding, FrameEncoder>>
