/** Payloads of client frames on OMTP: whatever the encoding, what comes out was held to the same rules. */
import { inflateRawSync } from 'node:zlib'
import { codes } from '../../../schemas/codes.ts'
import { type ClientFrame, clientFrames } from '../../../schemas/frames.ts'
import { limits } from '../../../schemas/limits.ts'
import type { PayloadEncoding } from '../../../schemas/omtp/header.ts'
import { payloadCodecs } from '../../../schemas/omtp/payloads.ts'
import { clientShapes, Malformed } from '../../../schemas/omtp/shape.ts'
import { utf8 } from '../../../schemas/omtp/text.ts'
import { type Decoded, type ParsedContent, parseContent, shown, unreadable } from '../frame-codec.ts'
import { decodeJsonPayload } from '../json-decode.ts'

type Type = ClientFrame['type']
/** The field that the header's packId stands for, by its name; empty where a frame has none. */
export type Given = Readonly<{ packId?: string; id?: number }>

export interface Payload {
  readonly encoding: PayloadEncoding
  readonly deflated: boolean
  readonly bytes: Buffer
}

/** Never throws. */
export function decodePayload(type: Type, given: Given, payload: Payload): Decoded {
  const bytes = payload.deflated ? inflated(payload.bytes) : payload.bytes
  if (bytes === 'too_large') return unreadable('frame_too_large', codes.frame_too_large.text, given)
  if (bytes === 'broken')
    return unreadable('bad_frame', `The payload of this ${type} is no raw DEFLATE.`, given)
  try {
    const decoded =
      payload.encoding === 'json'
        ? decodeJsonPayload(type, given, utf8(bytes))
        : decodeWalked(type, given, payload.encoding, bytes)
    return decoded.ok ? decoded : { ...decoded, packId: given.packId ?? null, id: given.id ?? null }
  } catch (error) {
    const why = error instanceof Malformed ? error.message : 'it cannot be read'
    return unreadable('bad_frame', `This ${type} does not fit: ${why}.`, given)
  }
}

function decodeWalked(
  type: Type,
  given: Given,
  encoding: Exclude<PayloadEncoding, 'json'>,
  bytes: Buffer,
): Decoded {
  const shape = clientShapes.get(type)
  if (!shape) throw new Malformed('it has no shape')
  const fields = Object.assign(payloadCodecs[encoding].read(shape, bytes), given)
  const wrong = clientFrames[type].invalidAt(fields)
  if (wrong !== null) return unreadable('bad_frame', `Field ${shown(wrong)} does not fit ${type}.`)
  let content: ParsedContent | null = null
  if (typeof fields.content === 'string') {
    content = parseContent(fields.content)
    if (!content)
      return unreadable('bad_content', 'The content is no JSON, nested too deep, or names a field twice.')
  }
  fields.type = type
  return { ok: true, frame: fields as unknown as ClientFrame, content }
}

/** Stops where it would become more than a frame may be, however little was sent. */
function inflated(bytes: Buffer): Buffer | 'too_large' | 'broken' {
  try {
    const { buffer, engine } = inflateRawSync(bytes, {
      maxOutputLength: limits.frameBytesMax,
      info: true,
    }) as unknown as { buffer: Buffer; engine: { bytesWritten: number } }
    // What follows the end of the compressed data is no part of it.
    return engine.bytesWritten === bytes.length ? buffer : 'broken'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? 'too_large' : 'broken'
  }
}
