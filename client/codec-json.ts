import { SUBPROTOCOL_JSON } from '../schemas/protocol.ts'
import type { FrameCodec, ServerFrame } from './wire.ts'

const serverTypes: Record<ServerFrame['type'], true> = {
  welcome: true,
  accepted: true,
  committed: true,
  rejected: true,
  event: true,
  receipt: true,
  userTyping: true,
  profileChanged: true,
  presenceChanges: true,
  presenceResult: true,
  head: true,
  resync: true,
  pong: true,
  headsResult: true,
  conversationsResult: true,
  packed: true,
  groupResult: true,
  membersResult: true,
  readersResult: true,
  searchResult: true,
  relationsResult: true,
  profilesResult: true,
  settingsResult: true,
  historyResult: true,
  syncResult: true,
  lookupResult: true,
  roomResult: true,
  roomItems: true,
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
      if (!Object.hasOwn(serverTypes, frame.type)) return null
      if (frame.type === 'packed') return { ...frame, data: fromBase64(frame.data as unknown as string) }
      return frame
    } catch {
      return null
    }
  },
}

function fromBase64(text: string): Uint8Array {
  const binary = atob(text)
  const bytes = new Uint8Array(binary.length)
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i)
  return bytes
}
