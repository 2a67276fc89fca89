/** The `longwire.avro` subprotocol. Loaded only when asked for: it needs avsc and Buffer. */
import { type Codec, fingerprintAt, fingerprintKey, seal } from '../schemas/avro.ts'
import { clientFrames, type Item as SchemaItem, serverFrames } from '../schemas/frames.ts'
import { SUBPROTOCOL_AVRO } from '../schemas/protocol.ts'
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
    const bytes = Buffer.from(data)
    const known = byFingerprint.get(fingerprintAt(bytes) ?? '')
    if (!known) return null
    try {
      const frame = known.codec.decode(bytes.subarray(HEADER_BYTES)) as Record<string, unknown>
      frame.type = known.type
      unpack(frame)
      return frame as unknown as ServerFrame
    } catch {
      return null
    }
  },
}

/** Content stands as text in Avro; the client works with its value. */
function unpack(frame: Record<string, unknown>): void {
  const { item, items, changes, conversations } = frame as {
    item?: SchemaItem
    items?: SchemaItem[]
    changes?: SchemaItem[]
    conversations?: { preview: SchemaItem | null }[]
  }
  if (item) parse(item)
  items?.forEach(parse)
  changes?.forEach(parse)
  for (const { preview } of conversations ?? []) if (preview) parse(preview)
}

/** Other records than items stand under the same names: changes of presence have no content. */
function parse(item: Partial<SchemaItem>): void {
  if (typeof item.content === 'string') (item as { content: unknown }).content = JSON.parse(item.content)
}
