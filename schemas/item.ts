/** An accepted event as a client sees it. Pure; used by the gateway's push, the timeline and the archive alike. */
import type { Item } from './frames.ts'
import { formatPackId } from './ids.ts'
import type { Envelope, EventPayload } from './records.ts'

const blank = (envelope: Pick<Envelope, 'stream' | 'seq' | 'ordinal' | 'time'>): Item => ({
  conversationId: envelope.stream,
  seq: envelope.seq,
  ordinal: envelope.ordinal,
  kind: 'hidden',
  time: envelope.time,
  senderId: '',
  packId: null,
  contentType: null,
  content: null,
  mentions: [],
  mentionAll: false,
  replyTo: null,
  targetSeq: null,
  members: [],
  name: null,
  readConversationId: null,
  readSeq: null,
  readOrdinal: null,
})

/** Stands for a seq that the reader may not see, so that gaps close. */
export const hiddenItem = (conversationId: string, seq: number): Item =>
  blank({ stream: conversationId, seq, ordinal: 0, time: 0 })

/** Null for what is no event. */
export function itemOf(envelope: Envelope, payload: EventPayload): Item | null {
  if (envelope.kind !== 'event') return null
  if (payload.type === 'Claim' || payload.type === 'Rejection' || payload.type === 'Repeat') return null
  const item: Item = { ...blank(envelope), senderId: payload.sender, packId: formatPackId(payload.packId) }
  switch (payload.type) {
    case 'MessageSent':
      return { ...item, kind: 'message', replyTo: payload.replyTo, ...contentOf(payload) }
    case 'MessageEdited':
      return { ...item, kind: 'edited', targetSeq: payload.target.seq, ...contentOf(payload) }
    case 'MessageRecalled':
      return { ...item, kind: 'recalled', targetSeq: payload.target.seq }
    case 'GroupCreated':
      return { ...item, kind: 'created', name: payload.name, members: payload.members }
    case 'MembersAdded':
      return { ...item, kind: 'added', members: payload.members }
    case 'MembersRemoved':
      return { ...item, kind: 'removed', members: payload.members }
    case 'ReadMarked':
      return {
        ...item,
        kind: 'read',
        readConversationId: payload.conversationId,
        readSeq: payload.seq,
        readOrdinal: payload.ordinal,
      }
  }
}

function contentOf(payload: {
  contentType: string
  content: Buffer
  mentions: string[]
  mentionAll: boolean
}) {
  return {
    contentType: payload.contentType,
    content: payload.content.toString('utf8'),
    mentions: payload.mentions,
    mentionAll: payload.mentionAll,
  }
}

/** A message after an edit: the new content in the old place. */
export const editedMessage = (message: Item, change: Item): Item => ({
  ...message,
  contentType: change.contentType,
  content: change.content,
  mentions: change.mentions,
  mentionAll: change.mentionAll,
  targetSeq: change.seq,
})

/** A message after a recall: nothing of its content is left. */
export const recalledMessage = (message: Item, change: Item): Item => ({
  ...message,
  contentType: null,
  content: null,
  mentions: [],
  mentionAll: false,
  replyTo: null,
  targetSeq: change.seq,
})
