/** What two people are to each other, in their single chat: friends or not, and who blocks whom. */
import type { CodeName } from '../../schemas/codes.ts'
import { type Asked, type CommandOf, type Decision, happened, reject } from '../processor.ts'
import type { P2pState } from '../state.ts'
import { barredInChat, otherOf } from './access.ts'
import type { ChatAction } from './authorisation.ts'

/** Nobody is anything of this kind to himself. */
const barredFrom = (body: P2pState, user: string, action: ChatAction): CodeName | null =>
  barredInChat(body, user, action) ?? (otherOf(body, user) === null ? 'to_oneself' : null)

/** Asking who has asked oneself is accepting. */
export function requestFriend(body: P2pState, asked: Asked, command: CommandOf<'RequestFriend'>): Decision {
  const { sender } = asked
  const barred = barredFrom(body, sender, 'requestFriend')
  if (barred) return reject(barred)
  if (body.friends || body.askedBy === sender) return reject('no_change')
  return body.askedBy === null
    ? happened({ type: 'FriendRequested', note: command.note })
    : happened({ type: 'FriendAnswered', accept: true })
}

export function answerFriend(body: P2pState, asked: Asked, command: CommandOf<'AnswerFriend'>): Decision {
  const barred = barredFrom(body, asked.sender, 'answerFriend')
  if (barred) return reject(barred)
  if (body.askedBy === null || body.askedBy === asked.sender) return reject('not_asked')
  return happened({ type: 'FriendAnswered', accept: command.accept })
}

export function deleteFriend(body: P2pState, asked: Asked): Decision {
  const barred = barredFrom(body, asked.sender, 'deleteFriend')
  if (barred) return reject(barred)
  return body.friends ? happened({ type: 'FriendDeleted' }) : reject('not_friend')
}

export function block(body: P2pState, asked: Asked, { on }: CommandOf<'Block'>): Decision {
  const { sender } = asked
  const barred = barredFrom(body, sender, 'block')
  if (barred) return reject(barred)
  return body.blockers.includes(sender) === on ? reject('no_change') : happened({ type: 'Blocked', on })
}
