/** What events do to an entry of the list. Pure. */
import type { Conversation, Message } from '../../client/index.ts'

export function emptyConversation(conversationId: string, userId: string): Conversation {
  const [prefix, a = '', b = ''] = conversationId.split(':')
  const single = prefix === 'p2p'
  const peerId = a === userId ? b : b === userId ? a : null
  return {
    conversationId,
    kind: single ? 'single' : 'group',
    peerId: single ? peerId : null,
    name: null,
    avatar: null,
    unread: 0,
    mentions: 0,
    mentionsAll: 0,
    lastSeq: 0,
    lastTime: Date.now(),
    readSeq: 0,
    readOrdinal: 0,
    peerReadSeq: 0,
    pinned: false,
    muted: false,
    draft: null,
    dissolved: false,
    memberCount: 0,
    preview: null,
  }
}

/** With a message that was told just now. What was read may know it already: then it is counted there. */
export function withMessage(conversation: Conversation, message: Message, userId: string): Conversation {
  const { unread, mentions, mentionsAll, readSeq, lastSeq, preview } = conversation
  if (message.seq <= lastSeq) return preview ? conversation : { ...conversation, preview: message }
  const counts = message.senderId !== userId && message.seq > readSeq
  return {
    ...conversation,
    lastSeq: message.seq,
    lastTime: message.sentAt,
    preview: message,
    unread: unread + Number(counts),
    mentions: mentions + Number(counts && message.mentions.includes(userId)),
    mentionsAll: mentionsAll + Number(counts && message.mentionAll),
  }
}

/** What was read, with what is known to be newer. */
export function newestOf(read: Conversation, mine: Conversation): Conversation {
  const { lastSeq, lastTime, preview, unread, mentions, mentionsAll, readSeq, peerReadSeq, name } = mine
  const counts = { unread, mentions, mentionsAll }
  return {
    ...read,
    peerReadSeq: Math.max(peerReadSeq, read.peerReadSeq),
    // A read model that trails knows less than what was pushed.
    ...(read.lastSeq < lastSeq ? { lastSeq, lastTime, preview, ...counts, name: name ?? read.name } : {}),
    ...(read.readSeq < readSeq ? { readSeq, ...counts } : {}),
  }
}
