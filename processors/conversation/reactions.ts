/** Reacting to a message, and pinning one. */
import { limits } from '../../schemas/limits.ts'
import { type Asked, type CommandOf, type Decision, happened, reject } from '../processor.ts'
import type { Lasting } from '../state.ts'
import { barredFromSpeaking, barredInChat, barredInGroup } from './access.ts'
import { findTarget } from './targets.ts'

/** Always an event: who reacted with what is kept by the read models, where the same again changes nothing. */
export function react(body: Lasting, asked: Asked, command: CommandOf<'React'>): Decision {
  const { emoji, on } = command
  const barred = barredFromSpeaking(body, asked, 'speak', false)
  if (barred) return reject(barred)
  if (emoji === '' || Buffer.byteLength(emoji, 'utf8') > limits.emojiBytesMax) return reject('bad_content')
  const found = findTarget(body, asked.head, command)
  if ('code' in found) return reject(found.code)
  return happened({ type: 'Reacted', target: found.target, emoji, on })
}

export function pinMessage(body: Lasting, asked: Asked, command: CommandOf<'PinMessage'>): Decision {
  const { sender, head } = asked
  const barred =
    body.kind === 'p2p' ? barredInChat(body, sender, 'speak') : barredInGroup(body, sender, 'pin')
  if (barred) return reject(barred)
  const found = findTarget(body, head, command)
  if ('code' in found) return reject(found.code)
  const { on } = command
  if (body.pinned.includes(command.seq) === on) return reject('no_change')
  if (on && body.pinned.length >= limits.pinnedPerConversationMax) return reject('too_many')
  return happened({ type: 'MessagePinned', target: found.target, on })
}
