/** Frames on `longwire.avro`: the single-object encoding of each frame's record. */
import { type Codec, fingerprintAt, fingerprintKey, seal } from '../../schemas/avro.ts'
import { type ClientFrame, clientFrames, type ServerFrame, serverFrames } from '../../schemas/frames.ts'
import { type Decoded, type ParsedContent, parseContent, unreadable } from './frame-codec.ts'

type AnyCodec = Codec<unknown>
const HEADER_BYTES = 10

const clientByFingerprint: ReadonlyMap<string, { type: string; codec: AnyCodec }> = new Map(
  Object.entries(clientFrames).map(([type, of]) => [
    fingerprintKey(of.fingerprint),
    { type, codec: of as unknown as AnyCodec },
  ]),
)

export function decodeAvro(bytes: Buffer): Decoded {
  const key = fingerprintAt(bytes)
  if (key === null) return unreadable('bad_frame', 'A frame begins with the single-object header.')
  const of = clientByFingerprint.get(key)
  if (!of) return unreadable('unsupported', 'The server does not know the schema of this frame.')
  const frame = decodeBody(of.codec, bytes.subarray(HEADER_BYTES))
  if (!frame) return unreadable('bad_frame', `The bytes do not fit ${of.type}.`)
  frame.type = of.type
  let content: ParsedContent | null = null
  if (typeof frame.content === 'string') {
    content = parseContent(frame.content)
    if (!content)
      return unreadable(
        'bad_content',
        'The content is no JSON, nested too deep, or names a field twice.',
        frame,
      )
  }
  return { ok: true, frame: frame as unknown as ClientFrame, content }
}

/** Null for what is malformed, and for text that is not UTF-8: it would decode to other text than was sent. */
function decodeBody(codec: AnyCodec, body: Buffer): Record<string, unknown> | null {
  try {
    const value = codec.decode(body)
    return codec.encode(value).equals(body) ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}

export const encodeAvro = (frame: ServerFrame): Buffer =>
  seal(serverFrames[frame.type] as unknown as Codec<ServerFrame>, frame)
