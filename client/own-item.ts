/** A committed command of one's own as the item that others see at its seq. Pure. */
import type { CommandFrame, Item, ServerFrameOf } from './wire.ts'

/**
 * Null when the command does not say what stands in the stream: of a repeat the content may have changed since, of added and
 * removed members the server names only those for whom something changed, and what is seldom is not worth a copy of its
 * rules. Then the item is read like any other.
 */
export function ownItem(
  command: CommandFrame,
  answer: ServerFrameOf<'committed'>,
  userId: string,
): Item | null {
  if (answer.repeat || answer.conflict) return null
  const item = {
    conversationId: answer.conversationId,
    seq: answer.seq,
    ordinal: answer.ordinal,
    time: answer.time,
    senderId: userId,
    packId: answer.packId,
    mentions: [],
    mentionAll: false,
    members: [],
  }
  switch (command.type) {
    case 'send': {
      const { contentType, content, mentions, mentionAll, replyTo } = command
      return { ...item, kind: 'message', contentType, content, mentions, mentionAll, replyTo }
    }
    case 'edit': {
      const { contentType, content, mentions, mentionAll, seq } = command
      return { ...item, kind: 'edited', contentType, content, mentions, mentionAll, targetSeq: seq }
    }
    case 'recall':
      return { ...item, kind: 'recalled', targetSeq: command.seq }
    case 'createGroup':
      return {
        ...item,
        kind: 'created',
        name: command.name,
        members: [...new Set([userId, ...command.members])],
      }
    case 'markRead': {
      const { conversationId, seq, ordinal } = command
      return { ...item, kind: 'read', readConversationId: conversationId, readSeq: seq, readOrdinal: ordinal }
    }
    case 'react':
      return { ...item, kind: 'reacted', targetSeq: command.seq, value: command.emoji, on: command.on }
    case 'pin':
      return { ...item, kind: 'pinned', targetSeq: command.seq, on: command.on }
    case 'setSetting':
      return { ...item, kind: 'setting', key: command.key, value: command.value }
    default:
      return null
  }
}
