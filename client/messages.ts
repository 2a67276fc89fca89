/** Items as users of the client see them. Pure. */
import { parseStream } from '../schemas/ids.ts'
import type { Content, Conversation, Edited, GroupChange, Message, Page, Recalled } from './api.ts'
import type { ConversationEntry, Item, ServerFrameOf } from './wire.ts'

function contentOf(item: Item): Content | null {
  const { contentType, content } = item
  if (contentType === null || contentType === undefined) return null
  if (content === null || content === undefined) return null
  return typeof content === 'object' && !Array.isArray(content)
    ? { ...content, type: contentType }
    : { type: contentType, value: content }
}

/** What goes on the wire for a content: its type beside it, not in it. */
export function contentFrame(content: Content): { contentType: string; content: unknown } {
  const { type, ...rest } = content
  return { contentType: type, content: rest }
}

export const messageOf = (item: Item): Message => ({
  conversationId: item.conversationId,
  seq: item.seq,
  ordinal: item.ordinal,
  senderId: item.senderId,
  packId: item.packId ?? '',
  sentAt: item.time,
  content: contentOf(item),
  mentions: item.mentions,
  mentionAll: item.mentionAll,
  replyTo: item.replyTo ?? null,
  changedBy: item.targetSeq ?? null,
})

export const recalledOf = (item: Item): Recalled => ({
  conversationId: item.conversationId,
  seq: item.seq,
  targetSeq: item.targetSeq ?? 0,
  byUserId: item.senderId,
  time: item.time,
})

export const editedOf = (item: Item): Edited => ({
  ...recalledOf(item),
  content: contentOf(item),
  mentions: item.mentions,
  mentionAll: item.mentionAll,
})

export const groupChangeOf = (item: Item, kind: GroupChange['kind']): GroupChange => ({
  conversationId: item.conversationId,
  seq: item.seq,
  kind,
  byUserId: item.senderId,
  members: item.members,
  name: item.name ?? null,
  time: item.time,
})

export function conversationOf(entry: ConversationEntry, userId: string): Conversation {
  const ref = parseStream(entry.conversationId)
  const [a, b] = ref?.kind === 'p2p' ? ref.users : []
  return {
    conversationId: entry.conversationId,
    kind: ref?.kind === 'p2p' ? 'single' : 'group',
    peerId: (a === userId ? b : a) ?? null,
    name: entry.name ?? null,
    unread: entry.unread,
    mentions: entry.mentions,
    lastSeq: entry.lastSeq,
    lastTime: entry.lastTime,
    readSeq: entry.readSeq,
    readOrdinal: entry.readOrdinal,
    memberCount: entry.memberCount,
    preview: entry.preview ? messageOf(entry.preview) : null,
  }
}

export function pageOf(result: ServerFrameOf<'historyResult'>): Page {
  const { items } = result
  const messages = new Map<number, Message>()
  const group: GroupChange[] = []
  for (const item of items) {
    if (item.kind === 'message') messages.set(item.seq, messageOf(item))
    else if (item.kind === 'created' || item.kind === 'added' || item.kind === 'removed')
      group.push(groupChangeOf(item, item.kind))
    else if (item.kind === 'recalled' || item.kind === 'edited') applyChange(messages, item)
  }
  return {
    messages: [...messages.values()],
    group,
    more: result.more,
    partial: result.partial,
    firstSeq: items[0]?.seq ?? 0,
    lastSeq: items.at(-1)?.seq ?? 0,
  }
}

/** The server's messages carry their current content; a change later than that, in the same page, still counts. */
function applyChange(messages: Map<number, Message>, change: Item): void {
  const target = messages.get(change.targetSeq ?? 0)
  if (!target || (target.changedBy ?? 0) >= change.seq) return
  const { content, mentions, mentionAll } = editedOf(change)
  const recalled = change.kind === 'recalled' || target.content === null
  messages.set(target.seq, {
    ...target,
    content: recalled ? null : content,
    mentions: recalled ? [] : mentions,
    mentionAll: recalled ? false : mentionAll,
    changedBy: change.seq,
  })
}
