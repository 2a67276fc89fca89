import { SUBPROTOCOL_JSON } from '../schemas/protocol.ts'
import type { FrameCodec, ServerFrame } from './wire.ts'

const serverTypes: Record<ServerFrame['type'], true> = {
  welcome: true,
  accepted: true,
  committed: true,
  rejected: true,
  event: true,
  head: true,
  resync: true,
  pong: true,
  headsResult: true,
  conversationsResult: true,
  historyResult: true,
  syncResult: true,
  lookupResult: true,
  error: true,
  bye: true,
}

/** The `longwire.json` subprotocol. */
export const jsonCodec: FrameCodec = {
  subprotocol: SUBPROTOCOL_JSON,
  encode: (frame) => JSON.stringify(frame),
  decode(data) {
    if (typeof data !== 'string') return null
    try {
      const frame = JSON.parse(data) as ServerFrame
      return Object.hasOwn(serverTypes, frame.type) ? frame : null
    } catch {
      return null
    }
  },
}
