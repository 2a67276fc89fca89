/**
 * A client's command frame becomes a record for im.commands, or is refused at the edge: ids, sizes, shape of the
 * content, age of the packId. Rules that need a stream's state are the stream's own. Pure.
 */
import { encodeCommandPayload } from '../schemas/codec.ts'
import type { CodeName } from '../schemas/codes.ts'
import type { ClientFrames } from '../schemas/frames.ts'
import {
  groupStream,
  isId,
  newGroupId,
  p2pId,
  packIdTime,
  parsePackId,
  parseStream,
  userStream,
} from '../schemas/ids.ts'
import { limits } from '../schemas/limits.ts'
import type { Command, CommandPayload } from '../schemas/records.ts'
import { contentProblem } from './content.ts'
import type { ParsedContent } from './frames/frame-codec.ts'

export interface Author {
  readonly userId: string
  readonly deviceId: string
}

export interface Refusal {
  readonly code: CodeName
  /** What exactly is wrong, where the code's own text says too little. */
  readonly detail?: string
}

export type CommandFrame = ClientFrames[
  | 'send'
  | 'createGroup'
  | 'addMembers'
  | 'removeMembers'
  | 'recall'
  | 'edit'
  | 'markRead']

/** Everything but the reply address, which the shell knows. */
export type CommandDraft = Omit<Command, 'reply'>

const refuse = (code: CodeName, detail?: string): Refusal => ({ code, detail })

/** The sender is always the connection's user; frames have no field for it. `now` is server time in ms. */
export function commandOf(
  frame: CommandFrame,
  content: ParsedContent | null,
  author: Author,
  now: number,
): CommandDraft | Refusal {
  const packId = parsePackId(frame.packId)
  if (!packId) return refuse('pack_id_invalid')
  if (packIdTime(packId) > now + limits.packIdAheadMsMax) return refuse('pack_id_ahead')
  const target = targetOf(frame, packId, author)
  if (typeof target !== 'string') return target
  const payload = payloadOf(frame, content)
  if ('code' in payload) return payload
  return {
    stream: target,
    packId,
    sender: author.userId,
    device: author.deviceId,
    trace: null,
    ...encodeCommandPayload(payload),
  }
}

function targetOf(frame: CommandFrame, packId: Buffer, author: Author): string | Refusal {
  switch (frame.type) {
    case 'send':
      if ((frame.to === null) === (frame.conversationId === null))
        return refuse('bad_frame', 'Give either "to" or "conversationId".')
      if (frame.to !== null) return isId(frame.to) ? p2pId(author.userId, frame.to) : refuse('bad_id')
      return conversationFor(frame.conversationId ?? '', author.userId)
    case 'createGroup':
      return groupStream(newGroupId(author.userId, packId))
    case 'addMembers':
    case 'removeMembers':
      return parseStream(frame.conversationId)?.kind === 'group' ? frame.conversationId : refuse('bad_id')
    case 'recall':
    case 'edit':
      return conversationFor(frame.conversationId, author.userId)
    case 'markRead': {
      const conversation = conversationFor(frame.conversationId, author.userId)
      return typeof conversation === 'string' ? userStream(author.userId) : conversation
    }
  }
}

/** The conversation itself, if it is well formed and not a single chat of two others. */
export function conversationFor(conversationId: string, userId: string): string | Refusal {
  const ref = parseStream(conversationId)
  if (!ref || ref.kind === 'user') return refuse('bad_id')
  if (ref.kind === 'p2p' && !ref.users.includes(userId)) return refuse('not_member')
  return conversationId
}

function payloadOf(frame: CommandFrame, content: ParsedContent | null): CommandPayload | Refusal {
  switch (frame.type) {
    case 'send': {
      const problem = contentRefusal(frame, content)
      if (problem) return problem
      if (frame.replyTo !== null && frame.replyTo < 1) return refuse('bad_position')
      return { type: 'SendMessage', ...contentFieldsOf(frame), replyTo: frame.replyTo }
    }
    case 'edit': {
      const problem = contentRefusal(frame, content)
      if (problem) return problem
      if (frame.seq < 1) return refuse('no_such_message')
      return { type: 'EditMessage', seq: frame.seq, target: null, ...contentFieldsOf(frame) }
    }
    case 'recall':
      if (frame.seq < 1) return refuse('no_such_message')
      return { type: 'RecallMessage', seq: frame.seq, target: null }
    case 'createGroup': {
      const nameBytes = Buffer.byteLength(frame.name, 'utf8')
      if (nameBytes < 1 || nameBytes > limits.displayNameBytesMax || /\p{Surrogate}/u.test(frame.name))
        return refuse('bad_content', `A name has 1 to ${limits.displayNameBytesMax} bytes.`)
      return (
        membersRefusal(frame.members) ?? { type: 'CreateGroup', name: frame.name, members: frame.members }
      )
    }
    case 'addMembers':
      return membersRefusal(frame.members) ?? { type: 'AddMembers', members: frame.members }
    case 'removeMembers':
      return membersRefusal(frame.members) ?? { type: 'RemoveMembers', members: frame.members }
    case 'markRead':
      if (frame.seq < 0 || frame.ordinal < 0 || frame.ordinal > frame.seq) return refuse('bad_position')
      return {
        type: 'MarkRead',
        conversationId: frame.conversationId,
        seq: frame.seq,
        ordinal: frame.ordinal,
      }
  }
}

function membersRefusal(members: readonly string[]): Refusal | null {
  if (members.length > limits.membersPerCommandMax) return refuse('too_many')
  return members.every(isId) ? null : refuse('bad_id')
}

type WithContent = ClientFrames['send'] | ClientFrames['edit']

function contentRefusal(frame: WithContent, content: ParsedContent | null): Refusal | null {
  if (Buffer.byteLength(frame.content, 'utf8') > limits.contentBytesMax) return refuse('content_too_large')
  if (frame.mentions.length > limits.mentionsMax) return refuse('too_many')
  if (!frame.mentions.every(isId)) return refuse('bad_id')
  const problem = content ? contentProblem(frame.contentType, content.value) : 'It is no JSON.'
  return problem === null ? null : refuse('bad_content', problem)
}

const contentFieldsOf = (frame: WithContent) => ({
  contentType: frame.contentType,
  content: Buffer.from(frame.content, 'utf8'),
  keyId: null,
  mentions: frame.mentions,
  mentionAll: frame.mentionAll,
})
