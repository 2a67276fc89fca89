/** Asking to join a group, and the answer. */
import { limits } from '../../schemas/limits.ts'
import { type Asked, type CommandOf, type Decision, happened, reject } from '../processor.ts'
import type { GroupState } from '../state.ts'
import { barredInGroup } from './access.ts'

const joining = { open: 'joinOpen', approval: 'joinByApproval', closed: 'joinClosed' } as const

/** An open group answers at once. */
export function requestJoin(body: GroupState, asked: Asked, command: CommandOf<'RequestJoin'>): Decision {
  const { sender } = asked
  const barred = barredInGroup(body, sender, joining[body.joinPolicy])
  if (barred) return reject(barred)
  if (body.joinPolicy === 'open') return admitted(body, sender)
  if (body.requests.has(sender)) return reject('no_change')
  if (body.requests.size >= limits.joinRequestsPerGroupMax) return reject('too_many')
  return happened({ type: 'JoinRequested', note: command.note })
}

export function answerJoin(body: GroupState, asked: Asked, command: CommandOf<'AnswerJoin'>): Decision {
  const { user, accept } = command
  const barred = barredInGroup(body, asked.sender, 'answerJoin')
  if (barred) return reject(barred)
  if (!body.requests.has(user)) return reject('not_asked')
  return accept ? admitted(body, user) : happened({ type: 'JoinAnswered', user, accept })
}

const admitted = (body: GroupState, user: string): Decision =>
  body.members.size >= limits.groupMembersMax
    ? reject('group_full')
    : happened({ type: 'JoinAnswered', user, accept: true })
