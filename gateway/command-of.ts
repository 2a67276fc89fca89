/**
 * A client's command frame becomes a record for im.commands, or is refused at the edge: ids, sizes, shape of what it
 * carries, age of the packId, rights of the token. Rules that need a stream's state are the stream's own. Pure.
 */
import type { ClientFrame } from '../schemas/frames.ts'
import {
  groupStream,
  isId,
  isRoom,
  newGroupId,
  p2pId,
  packIdTime,
  parsePackId,
  parseStream,
  userStream,
} from '../schemas/ids.ts'
import { limits } from '../schemas/limits.ts'
import type { Command, CommandPayload, Target } from '../schemas/records.ts'
import { payloadOf, roomRefusal } from './command-payload.ts'
import type { ParsedContent } from './frames/frame-codec.ts'
import { type Refusal, refuse } from './refusal.ts'
import type { Right } from './tokens/verdict.ts'

export interface Author {
  readonly userId: string
  readonly deviceId: string
  /** From the token. */
  readonly rights: readonly Right[]
  /** Live room (`r:…`) that the connection is in. */
  readonly room: string | null
}

/** Frames with a packId, but for the one that asks after a packId. */
export type CommandFrame = Exclude<Extract<ClientFrame, { packId: string }>, { type: 'lookup' }>

/** Everything but the reply address, which the shell knows, and not encoded yet: its content is still to be sealed. */
export type CommandDraft = Omit<Command, 'reply' | 'schema' | 'payload'> & {
  readonly payload: CommandPayload
}

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
  const stream = streamFor(frame, packId, author)
  if (typeof stream !== 'string') return stream
  const payload = payloadOf(frame, content)
  if ('code' in payload) return payload
  const tooMuch = isRoom(stream) && frame.type === 'send' ? roomRefusal(frame) : null
  if (tooMuch) return tooMuch
  return {
    stream,
    packId,
    sender: author.userId,
    device: author.deviceId,
    trace: null,
    payload,
  }
}

/** The same command with what an accepted record says of the message that it changes. */
export function withTarget(draft: CommandDraft, target: Target): CommandDraft {
  const { payload } = draft
  return 'target' in payload ? { ...draft, payload: { ...payload, target } } : draft
}

function streamFor(frame: CommandFrame, packId: Buffer, author: Author): string | Refusal {
  const { userId } = author
  switch (frame.type) {
    case 'send':
      if ((frame.to === null) === (frame.conversationId === null))
        return refuse('bad_frame', 'Give either "to" or "conversationId".')
      if (frame.to !== null) return isId(frame.to) ? p2pId(userId, frame.to) : refuse('bad_id')
      return spokenIn(frame.conversationId ?? '', author)
    case 'createGroup':
      return groupStream(newGroupId(userId, packId))
    case 'addMembers':
    case 'removeMembers':
    case 'dissolveGroup':
    case 'requestJoin':
    case 'answerJoin':
    case 'setRole':
    case 'mute':
    case 'muteAll':
    case 'setGroup':
      return groupFor(frame.conversationId)
    case 'recall':
      return spokenIn(frame.conversationId, author)
    case 'edit':
    case 'react':
    case 'pin':
      return conversationFor(frame.conversationId, userId)
    case 'observe':
      // Whoever observes may end it, whatever his token gives by now.
      if (frame.on && !author.rights.includes('observe'))
        return refuse('not_allowed', 'The token gives no such right.')
      return anyConversation(frame.conversationId)
    case 'requestFriend':
    case 'answerFriend':
    case 'deleteFriend':
    case 'block':
      if (!isId(frame.userId)) return refuse('bad_id')
      return frame.userId === userId ? refuse('to_oneself') : p2pId(userId, frame.userId)
    case 'setSetting':
    case 'setProfile':
      return userStream(userId)
    case 'markRead': {
      const conversation = conversationFor(frame.conversationId, userId)
      return typeof conversation === 'string' ? userStream(userId) : conversation
    }
  }
}

export const groupFor = (conversationId: string): string | Refusal =>
  parseStream(conversationId)?.kind === 'group' ? conversationId : refuse('bad_id')

export function anyConversation(conversationId: string): string | Refusal {
  const ref = parseStream(conversationId)
  if (!ref || ref.kind === 'user') return refuse('bad_id')
  return ref.kind === 'room' ? notInRooms() : conversationId
}

const notInRooms = (): Refusal => refuse('unsupported', 'A live room takes messages and recalls only.')

/** The conversation, or the room that this connection is in: nobody else knows who is. */
function spokenIn(conversationId: string, { room, userId }: Author): string | Refusal {
  if (parseStream(conversationId)?.kind !== 'room') return conversationFor(conversationId, userId)
  return conversationId === room ? conversationId : refuse('not_member', 'Join the room first.')
}

/** The conversation itself, if it is well formed and not a single chat of two others. */
export function conversationFor(conversationId: string, userId: string): string | Refusal {
  const ref = parseStream(conversationId)
  if (!ref || ref.kind === 'user') return refuse('bad_id')
  if (ref.kind === 'room') return notInRooms()
  if (ref.kind === 'p2p' && !ref.users.includes(userId)) return refuse('not_member')
  return conversationId
}
