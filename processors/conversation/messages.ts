/** Sending, recalling and editing in single chats and groups. */
import type { CodeName } from '../../schemas/codes.ts'
import { limits } from '../../schemas/limits.ts'
import type { CommandPayload, Target } from '../../schemas/records.ts'
import { has } from '../intervals.ts'
import { type Asked, type Decision, happened, reject } from '../processor.ts'
import type { GroupState, P2pState } from '../state.ts'

type Conversation = P2pState | GroupState
type Of<T extends CommandPayload['type']> = Extract<CommandPayload, { type: T }>

/** Null when the user may take part now. */
export function outsider(body: Conversation, user: string): CodeName | null {
  const inside = body.kind === 'p2p' ? body.users.includes(user) : body.exists && body.members.has(user)
  return inside ? null : 'not_member'
}

export function sendMessage(
  body: Conversation,
  asked: Asked,
  seq: number,
  command: Of<'SendMessage'>,
): Decision {
  const barred = outsider(body, asked.sender)
  if (barred) return reject(barred)
  if (command.replyTo !== null && (command.replyTo < 1 || command.replyTo > seq))
    return reject('bad_position')
  const { contentType, content, keyId, mentions, mentionAll, replyTo } = command
  return happened({ type: 'MessageSent', contentType, content, keyId, mentions, mentionAll, replyTo })
}

export function recallMessage(
  body: Conversation,
  asked: Asked,
  head: number,
  command: Of<'RecallMessage'>,
): Decision {
  const found = findTarget(body, asked, head, command)
  if ('code' in found) return reject(found.code)
  const { target } = found
  if (has(body.recalled, target.seq)) return reject('already_recalled')
  const admin = body.kind === 'group' && body.members.get(asked.sender) === 'owner'
  if (!admin) {
    if (target.sender !== asked.sender) return reject('not_author')
    if (asked.now - target.time > limits.recallWindowMs) return reject('too_old')
  }
  return happened({ type: 'MessageRecalled', target })
}

export function editMessage(
  body: Conversation,
  asked: Asked,
  head: number,
  command: Of<'EditMessage'>,
): Decision {
  const found = findTarget(body, asked, head, command)
  if ('code' in found) return reject(found.code)
  const { target } = found
  if (has(body.recalled, target.seq)) return reject('already_recalled')
  if (target.sender !== asked.sender) return reject('not_author')
  if (asked.now - target.time > limits.editWindowMs) return reject('too_old')
  const { contentType, content, keyId, mentions, mentionAll } = command
  return happened({ type: 'MessageEdited', target, contentType, content, keyId, mentions, mentionAll })
}

/** The target's facts: from the fold where it keeps them, else those that the gateway attached from an accepted record. */
function findTarget(
  body: Conversation,
  asked: Asked,
  head: number,
  command: { seq: number; target: Target | null },
): { target: Target } | { code: CodeName } {
  const barred = outsider(body, asked.sender)
  if (barred) return { code: barred }
  const { seq, target } = command
  if (seq < 1 || seq > head) return { code: 'bad_position' }
  const kept = body.recent.get(seq)
  if (kept) return { target: { seq, ...kept, packId: Buffer.from(kept.packId, 'hex') } }
  const oldestKept = body.recent.keys().next().value
  const forgotten = body.recent.size === limits.recentMessagesMax && seq < (oldestKept as number)
  if (!forgotten) return { code: 'no_such_message' }
  return target && target.seq === seq ? { target } : { code: 'too_old' }
}
