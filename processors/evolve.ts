/**
 * Folds an accepted record into its stream's state. Total: what throws here makes the stream `broken`, never the
 * partition. What a released event does here never changes.
 */
import { isCode } from '../schemas/codes.ts'
import type { Envelope, EventPayload } from '../schemas/records.ts'
import { type Answers, answerKey, answerTo, type FirstAnswer, remember } from './answers.ts'
import { evolveConversation } from './conversation/evolve.ts'
import type { StreamState } from './state.ts'
import { evolveUser } from './user/evolve.ts'

/** These two say nothing of the command itself, so the same packId may be asked again. */
const FORGOTTEN = new Set(['pack_id_ahead', 'pack_id_expired'])

/** True when the envelope's event is a message, and so counts in `ordinal`. */
export const isMessage = (payload: EventPayload): boolean => payload.type === 'MessageSent'

/** `twin`: answers of another fold of the same stream, whose equal entries are shared instead of made again. */
export function evolve(
  state: StreamState,
  envelope: Envelope,
  payload: EventPayload,
  twin: Answers | null = null,
): void {
  if (payload.type === 'Claim' || payload.type === 'Repeat') return
  const code = payload.type !== 'Rejection' ? null : isCode(payload.code) ? payload.code : 'internal'
  if (code !== null && FORGOTTEN.has(code)) return
  const { seq, ordinal, time } = envelope
  const answer = shared(twin, {
    key: answerKey(payload.sender, payload.packId),
    seq: code === null ? seq : 0,
    ordinal,
    time,
    code,
    bodyHash: payload.bodyHash | 0,
  })
  remember(state.answers, answer)
  if (payload.type === 'Rejection') return
  state.seq = seq
  state.ordinal = ordinal
  if (state.body.kind === 'user') evolveUser(state.body, payload)
  else evolveConversation(state.body, payload, answer)
}

function shared(twin: Answers | null, answer: FirstAnswer): FirstAnswer {
  const other = twin && answerTo(twin, answer.key)
  const same =
    other?.seq === answer.seq &&
    other.ordinal === answer.ordinal &&
    other.time === answer.time &&
    other.code === answer.code &&
    other.bodyHash === answer.bodyHash
  return same ? other : answer
}
