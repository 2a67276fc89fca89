/** What a session says about what it was sent. Pure. */
import { type CodeName, codes } from '../schemas/codes.ts'
import type { ServerFrame, ServerFrames } from '../schemas/frames.ts'
import type { Ending, Login } from './devices.ts'
import type { Refusal } from './refusal.ts'
import type { Effect, Session, Step } from './session-types.ts'

export const RETRY_AFTER_MS = 500
export const closed: Session = { phase: 'closed' }

/** Says why and closes. */
export function bye(
  code: CodeName,
  reconnectAfterMs: number | null = null,
  message: string = codes[code].text,
  more: Partial<Pick<ServerFrames['bye'], 'kickedBy' | 'challenge'>> = {},
): Step {
  return {
    session: closed,
    effects: [
      {
        do: 'send',
        frame: { type: 'bye', code, message, reconnectAfterMs, kickedBy: null, challenge: null, ...more },
      },
      { do: 'close', code },
    ],
  }
}

/** A newer login took its place. Of its own device there is nothing to tell anybody. */
export function ended(ending: Ending, { deviceId, deviceType, loginAt }: Login): Step {
  if (ending === 'replaced') return bye('replaced')
  const message = `${codes.kicked.text} It was made on ${deviceType} ${deviceId}.`
  return bye('kicked', null, message, { kickedBy: { deviceId, deviceType, loginAt } })
}

/** What is issued within the second of a revocation counts as older: a client that asks for a new token at once would get such a one. */
const REVOKED_MS = 1_000
export const revoked = (): Step => bye('token_revoked', REVOKED_MS)

export const retryAfter = (code: CodeName): number | null =>
  codes[code].retry === 'same' ? RETRY_AFTER_MS : null

const PACK_ID_CHARS_MAX = 64
/** Of a command. */
export function rejected(packId: string, refusal: Refusal, retryAfterMs: number | null = null): Effect {
  const { code, detail } = refusal
  // A packId may be anything here; it is shown back so that the client knows which command is meant.
  const frame: ServerFrame = {
    type: 'rejected',
    packId: packId.slice(0, PACK_ID_CHARS_MAX),
    code,
    message: detail ?? codes[code].text,
    retryAfterMs,
  }
  return { do: 'send', frame }
}

/** Of a request, or of a frame that has no name. */
export const failed = (
  id: number | null,
  { code, detail }: Refusal,
  retryAfterMs: number | null = null,
): Effect => ({
  do: 'send',
  frame: { type: 'error', id, code, message: detail ?? codes[code].text, retryAfterMs },
})
