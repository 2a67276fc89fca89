/** Frames on their way out. An event is encoded once per encoding, whatever the number of connections. */
import type { Item } from '../schemas/frames.ts'
import { frameCodecs } from './frames/codecs.ts'
import type { Encoding } from './frames/frame-codec.ts'
import type { LedgerMessage, PushedEvent } from './push.ts'

export type FrameOut = Buffer

export interface OutgoingEvent extends PushedEvent {
  bytesIn(encoding: Encoding): Buffer
}

/** Of the object around the content: envelope fields, references, the encoded bytes' own header. */
const OVERHEAD_BYTES = 600

export function outgoingEvent(item: Item, ledger: LedgerMessage | null = null): OutgoingEvent {
  const encoded: Partial<Record<Encoding, Buffer>> = {}
  return {
    item,
    ledger,
    // Content stands in the item and in the encoded bytes.
    bytes: OVERHEAD_BYTES + 3 * (item.content?.length ?? 0) + 20 * item.members.length,
    bytesIn(encoding) {
      const bytes = encoded[encoding] ?? frameCodecs[encoding].encode({ type: 'event', item })
      encoded[encoding] = bytes
      return bytes
    },
  }
}

/** What it has become, in its place. */
export const outgoingInstead = (item: Item, { ledger = null }: OutgoingEvent): OutgoingEvent =>
  outgoingEvent(item, ledger)
