/** Sending, recalling and editing in single chats, groups and rooms. */
import { type Asked, type CommandOf, type Decision, happened, reject } from '../processor.ts'
import type { Conversation, Lasting } from '../state.ts'
import { barredFrom, barredFromSpeaking, barredInChat, barredInGroup } from './access.ts'
import { findTarget } from './targets.ts'

export function sendMessage(body: Conversation, asked: Asked, command: CommandOf<'SendMessage'>): Decision {
  const { contentType, content, keyId, mentions, mentionAll, replyTo } = command
  const barred = barredFromSpeaking(body, asked, 'speak', mentionAll)
  if (barred) return reject(barred)
  if (replyTo !== null && (replyTo < 1 || replyTo > asked.head)) return reject('bad_position')
  return happened({ type: 'MessageSent', contentType, content, keyId, mentions, mentionAll, replyTo })
}

/** Those who may recall the messages of others have no window for their own either. */
export function recallMessage(
  body: Conversation,
  asked: Asked,
  command: CommandOf<'RecallMessage'>,
): Decision {
  const { sender, now, windows } = asked
  const barred = barredFrom(body, sender, 'recallOwn')
  if (barred) return reject(barred)
  const found = findTarget(body, asked.head, command)
  if ('code' in found) return reject(found.code)
  const { target } = found
  const barredFromOthers = barredFrom(body, sender, 'recallOthers')
  if (barredFromOthers && target.sender !== sender) return reject(barredFromOthers)
  if (barredFromOthers && now - target.time > windows.recallMs) return reject('too_old')
  return happened({ type: 'MessageRecalled', target })
}

export function editMessage(body: Lasting, asked: Asked, command: CommandOf<'EditMessage'>): Decision {
  const { contentType, content, keyId, mentions, mentionAll } = command
  const barred = barredFromSpeaking(body, asked, 'editOwn', mentionAll)
  if (barred) return reject(barred)
  const found = findTarget(body, asked.head, command)
  if ('code' in found) return reject(found.code)
  const { target } = found
  if (target.sender !== asked.sender) {
    const { sender } = asked
    const code =
      body.kind === 'p2p'
        ? barredInChat(body, sender, 'editOthers')
        : barredInGroup(body, sender, 'editOthers')
    if (code) return reject(code)
  }
  if (asked.now - target.time > asked.windows.editMs) return reject('too_old')
  return happened({ type: 'MessageEdited', target, contentType, content, keyId, mentions, mentionAll })
}
