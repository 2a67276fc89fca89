/** What a command frame carries, checked and put into the form of the log. Pure. */
import type { ClientFrames } from '../schemas/frames.ts'
import { isId } from '../schemas/ids.ts'
import { limits } from '../schemas/limits.ts'
import type { CommandPayload } from '../schemas/records.ts'
import type { CommandFrame } from './command-of.ts'
import { contentProblem } from './content.ts'
import type { ParsedContent } from './frames/frame-codec.ts'
import { type Refusal, refuse } from './refusal.ts'
import { problemIn, values } from './values.ts'

export function payloadOf(frame: CommandFrame, content: ParsedContent | null): CommandPayload | Refusal {
  switch (frame.type) {
    case 'send':
      if (frame.replyTo !== null && frame.replyTo < 1) return refuse('bad_position')
      return (
        contentRefusal(frame, content) ?? {
          type: 'SendMessage',
          ...contentFieldsOf(frame),
          replyTo: frame.replyTo,
        }
      )
    case 'edit':
      return (
        seqRefusal(frame) ??
        contentRefusal(frame, content) ?? {
          type: 'EditMessage',
          seq: frame.seq,
          target: null,
          ...contentFieldsOf(frame),
        }
      )
    case 'recall':
      return seqRefusal(frame) ?? { type: 'RecallMessage', seq: frame.seq, target: null }
    case 'react': {
      const { seq, emoji, on } = frame
      return (
        seqRefusal(frame) ??
        valueRefusal(values.emoji, emoji, 'emoji') ?? { type: 'React', seq, target: null, emoji, on }
      )
    }
    case 'pin':
      return seqRefusal(frame) ?? { type: 'PinMessage', seq: frame.seq, target: null, on: frame.on }
    case 'createGroup':
      return (
        valueRefusal(values.groupName, frame.name, 'name') ??
        membersRefusal(frame.members) ?? { type: 'CreateGroup', name: frame.name, members: frame.members }
      )
    case 'addMembers':
      return membersRefusal(frame.members) ?? { type: 'AddMembers', members: frame.members }
    case 'removeMembers':
      return membersRefusal(frame.members) ?? { type: 'RemoveMembers', members: frame.members }
    case 'dissolveGroup':
      return { type: 'DissolveGroup' }
    case 'requestJoin':
      return valueRefusal(values.note, frame.note, 'note') ?? { type: 'RequestJoin', note: frame.note }
    case 'answerJoin':
      return userRefusal(frame) ?? { type: 'AnswerJoin', user: frame.userId, accept: frame.accept }
    case 'setRole':
      return (
        userRefusal(frame) ??
        valueRefusal(values.role, frame.role, 'role') ?? {
          type: 'SetRole',
          user: frame.userId,
          role: frame.role,
        }
      )
    case 'mute':
      return (
        userRefusal(frame) ??
        valueRefusal(values.muteMs, frame.forMs, 'forMs') ?? {
          type: 'MuteMember',
          user: frame.userId,
          forMs: frame.forMs,
        }
      )
    case 'muteAll':
      return { type: 'MuteAll', on: frame.on }
    case 'setGroup': {
      const { type: _type, packId: _packId, conversationId: _conversation, ...changes } = frame
      return valueRefusal(values.group, changes) ?? { type: 'SetGroup', ...changes }
    }
    case 'observe':
      return { type: 'Observe', on: frame.on }
    case 'requestFriend':
      return valueRefusal(values.note, frame.note, 'note') ?? { type: 'RequestFriend', note: frame.note }
    case 'answerFriend':
      return { type: 'AnswerFriend', accept: frame.accept }
    case 'deleteFriend':
      return { type: 'DeleteFriend' }
    case 'block':
      return { type: 'Block', on: frame.on }
    case 'setSetting': {
      const { key, value } = frame
      return valueRefusal(values.setting, { key, value }) ?? { type: 'SetSetting', key, value }
    }
    case 'setProfile': {
      const { type: _type, packId: _packId, ...changes } = frame
      return valueRefusal(values.profile, changes) ?? { type: 'SetProfile', ...changes }
    }
    case 'markRead': {
      const { conversationId, seq, ordinal } = frame
      if (seq < 0 || ordinal < 0 || ordinal > seq) return refuse('bad_position')
      return { type: 'MarkRead', conversationId, seq, ordinal }
    }
  }
}

function valueRefusal(...of: Parameters<typeof problemIn>): Refusal | null {
  const problem = problemIn(...of)
  return problem === null ? null : refuse('bad_content', problem)
}

const seqRefusal = ({ seq }: { seq: number }): Refusal | null => (seq < 1 ? refuse('no_such_message') : null)

const userRefusal = ({ userId }: { userId: string }): Refusal | null =>
  isId(userId) ? null : refuse('bad_id')

function membersRefusal(members: readonly string[]): Refusal | null {
  if (members.length > limits.membersPerCommandMax) return refuse('too_many')
  return members.every(isId) ? null : refuse('bad_id')
}

type WithContent = ClientFrames['send'] | ClientFrames['edit']

function contentRefusal(frame: WithContent, content: ParsedContent | null): Refusal | null {
  if (Buffer.byteLength(frame.content, 'utf8') > limits.contentBytesMax) return refuse('content_too_large')
  if (frame.mentions.length > limits.mentionsMax) return refuse('too_many')
  if (!frame.mentions.every(isId)) return refuse('bad_id')
  if (frame.contentType === 'system') return refuse('not_allowed', 'Only the platform sends these.')
  const problem = content ? contentProblem(frame.contentType, content.value) : 'It is no JSON.'
  return problem === null ? null : refuse('bad_content', problem)
}

const roomContents: readonly string[] = ['text', 'custom']

/** What is said in a room goes to thousands at once and is for nobody in particular. */
export function roomRefusal(frame: ClientFrames['send']): Refusal | null {
  if (!roomContents.includes(frame.contentType))
    return refuse('bad_content', `A room takes ${roomContents.join(' and ')}.`)
  if (Buffer.byteLength(frame.content, 'utf8') > limits.roomContentBytesMax)
    return refuse('content_too_large', `A room takes ${limits.roomContentBytesMax} bytes.`)
  return frame.mentions.length > 0 || frame.mentionAll
    ? refuse('bad_content', 'Nobody is mentioned in a room.')
    : null
}

const contentFieldsOf = (frame: WithContent) => ({
  contentType: frame.contentType,
  content: Buffer.from(frame.content, 'utf8'),
  keyId: null,
  mentions: frame.mentions,
  mentionAll: frame.mentionAll,
})
