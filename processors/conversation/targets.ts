/** The message that a recall, an edit, a reaction or a pin is about. */
import type { CodeName } from '../../schemas/codes.ts'
import { limits } from '../../schemas/limits.ts'
import type { Target } from '../../schemas/records.ts'
import { type FirstAnswer, packIdOf, senderOf } from '../answers.ts'
import { has } from '../intervals.ts'
import type { Messages } from '../state.ts'

type Found = { readonly target: Target } | { readonly code: CodeName }

/** Facts from the fold where it keeps them, else those that the gateway attached from an accepted record. Never of a recalled message. */
export function findTarget(
  body: Messages,
  head: number,
  { seq, target }: { readonly seq: number; readonly target: Target | null },
): Found {
  if (seq < 1 || seq > head) return { code: 'bad_position' }
  const kept = keptMessage(body.recent, seq)
  const oldest = body.recent[0]
  const forgotten = body.recent.length === limits.recentMessagesMax && oldest && seq < oldest.seq
  if (!kept && !forgotten) return { code: 'no_such_message' }
  if (!kept && target?.seq !== seq) return { code: 'too_old' }
  if (has(body.recalled, seq)) return { code: 'already_recalled' }
  return { target: kept ? factsOf(kept) : (target as Target) }
}

const factsOf = ({ key, seq, ordinal, time }: FirstAnswer): Target => ({
  seq,
  ordinal,
  sender: senderOf(key),
  time,
  packId: packIdOf(key),
})

function keptMessage(recent: readonly FirstAnswer[], seq: number): FirstAnswer | null {
  let low = 0
  let high = recent.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const message = recent[middle] as FirstAnswer
    if (message.seq === seq) return message
    if (message.seq < seq) low = middle + 1
    else high = middle - 1
  }
  return null
}
