/** The `longwire.avro` subprotocol. Loaded only when asked for: it needs avsc and Buffer. */
import { type Codec, fingerprintAt, fingerprintKey, seal } from '../schemas/avro.ts'
import { clientFrames, serverFrames } from '../schemas/frames.ts'
import { SUBPROTOCOL_AVRO } from '../schemas/protocol.ts'
import { unpackContents } from './unpack.ts'
import type { ClientFrame, FrameCodec, ServerFrame } from './wire.ts'

type AnyCodec = Codec<unknown>
const HEADER_BYTES = 10

const byFingerprint: ReadonlyMap<string, { type: string; codec: AnyCodec }> = new Map(
  Object.entries(serverFrames).map(([type, of]) => [
    fingerprintKey(of.fingerprint),
    { type, codec: of as unknown as AnyCodec },
  ]),
)
const nullable: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries(clientFrames).map(([type, of]) => [
    type,
    (of.schema.fields as readonly { name: string; type: unknown }[])
      .filter((field) => Array.isArray(field.type))
      .map((field) => field.name),
  ]),
)

export const avroCodec: FrameCodec = {
  subprotocol: SUBPROTOCOL_AVRO,
  encode(frame: ClientFrame) {
    const value: Record<string, unknown> = { ...frame }
    for (const name of nullable.get(frame.type) ?? []) value[name] ??= null
    if ('content' in frame) value.content = JSON.stringify(frame.content)
    return seal(clientFrames[frame.type] as unknown as AnyCodec, value)
  },
  decode(data) {
    if (typeof data === 'string') return null
    const bytes = data instanceof ArrayBuffer ? Buffer.from(data) : Buffer.from(data)
    const known = byFingerprint.get(fingerprintAt(bytes) ?? '')
    if (!known) return null
    try {
      const frame = known.codec.decode(bytes.subarray(HEADER_BYTES)) as Record<string, unknown>
      frame.type = known.type
      unpackContents(frame)
      return frame as unknown as ServerFrame
    } catch {
      return null
    }
  },
}
