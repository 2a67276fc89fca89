/**
 * Folds an accepted record into its stream's state. Total: what throws here makes the stream `broken`, never the
 * partition. What a released event does here never changes.
 */
import { isCode } from '../schemas/codes.ts'
import { limits } from '../schemas/limits.ts'
import type { Envelope, EventPayload } from '../schemas/records.ts'
import { answerKey, remember } from './answers.ts'
import { add } from './intervals.ts'
import type { StreamState } from './state.ts'

/** These two say nothing of the command itself, so the same packId may be asked again. */
const FORGOTTEN = new Set(['pack_id_ahead', 'pack_id_expired'])

/** True when the envelope's event is a message, and so counts in `ordinal`. */
export const isMessage = (payload: EventPayload): boolean => payload.type === 'MessageSent'

export function evolve(state: StreamState, envelope: Envelope, payload: EventPayload): void {
  if (payload.type === 'Claim' || payload.type === 'Repeat') return
  const key = answerKey(payload.sender, payload.packId)
  const { bodyHash } = payload
  const { ordinal, time } = envelope
  if (payload.type === 'Rejection') {
    const code = isCode(payload.code) ? payload.code : 'internal'
    if (!FORGOTTEN.has(code)) remember(state.answers, key, { seq: 0, ordinal, time, code, bodyHash })
    return
  }
  state.seq = envelope.seq
  state.ordinal = ordinal
  remember(state.answers, key, { seq: envelope.seq, ordinal, time, code: null, bodyHash })
  apply(state, envelope, payload)
}

function apply(
  state: StreamState,
  envelope: Envelope,
  payload: Exclude<EventPayload, { type: 'Claim' | 'Repeat' | 'Rejection' }>,
): void {
  const { body } = state
  if (payload.type === 'ReadMarked') {
    if (body.kind === 'user')
      body.reads.set(payload.conversationId, { seq: payload.seq, ordinal: payload.ordinal })
    return
  }
  if (body.kind === 'user') return
  switch (payload.type) {
    case 'MessageSent': {
      const { ordinal, time, seq } = envelope
      body.recent.set(seq, { ordinal, sender: payload.sender, time, packId: payload.packId.toString('hex') })
      if (body.recent.size > limits.recentMessagesMax)
        body.recent.delete(body.recent.keys().next().value as number)
      return
    }
    case 'MessageRecalled':
      add(body.recalled, payload.target.seq)
      return
    case 'MessageEdited':
      return
    case 'GroupCreated':
      if (body.kind !== 'group') return
      body.exists = true
      body.name = payload.name
      for (const user of payload.members) body.members.set(user, user === payload.sender ? 'owner' : 'member')
      return
    case 'MembersAdded':
      if (body.kind === 'group') for (const user of payload.members) body.members.set(user, 'member')
      return
    case 'MembersRemoved':
      if (body.kind === 'group') for (const user of payload.members) body.members.delete(user)
  }
}
