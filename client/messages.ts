/** Items as users of the client see them. Pure. */
import { parseStream } from '../schemas/ids.ts'
import type {
  Content,
  Conversation,
  ConversationPage,
  Edited,
  GroupChange,
  GroupRole,
  GroupSettings,
  Message,
  Page,
  Pinned,
  ProfileChange,
  ProfileFields,
  Reacted,
  Reaction,
  Recalled,
  RelationChange,
  SettingChange,
} from './api.ts'
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

export const messageOf = (item: Item, reactions: readonly Reaction[] = []): Message => ({
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
  reactions,
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

export const reactedOf = (item: Item): Reacted => ({
  ...recalledOf(item),
  emoji: item.value ?? '',
  on: item.on ?? true,
})

export const pinnedOf = (item: Item): Pinned => ({ ...recalledOf(item), on: item.on ?? true })

const groupKinds: Record<GroupChange['kind'], true> = {
  created: true,
  added: true,
  removed: true,
  dissolved: true,
  joinRequested: true,
  joinAnswered: true,
  roleSet: true,
  muted: true,
  allMuted: true,
  groupSet: true,
  observing: true,
}

/** Null for what is no change of a group. */
export function groupChangeOf(item: Item): GroupChange | null {
  if (!Object.hasOwn(groupKinds, item.kind)) return null
  const { kind, value = null } = item
  return {
    conversationId: item.conversationId,
    seq: item.seq,
    kind: kind as GroupChange['kind'],
    byUserId: item.senderId,
    time: item.time,
    members: item.members,
    name: item.name ?? null,
    role: kind === 'roleSet' ? (value as GroupRole | null) : null,
    on: item.on ?? null,
    until: item.until ?? null,
    changes: kind === 'groupSet' ? (fieldsOf(value) as GroupSettings) : null,
  }
}

const relationKinds: Record<RelationChange['kind'], true> = {
  friendRequested: true,
  friendAnswered: true,
  friendDeleted: true,
  blocked: true,
}

/** Null for what is no change between two people. */
export function relationChangeOf(item: Item, userId: string): RelationChange | null {
  if (!Object.hasOwn(relationKinds, item.kind)) return null
  return {
    conversationId: item.conversationId,
    seq: item.seq,
    kind: item.kind as RelationChange['kind'],
    byUserId: item.senderId,
    userId: peerOf(item.conversationId, userId) ?? '',
    time: item.time,
    on: item.on ?? null,
    note: item.kind === 'friendRequested' ? (item.value ?? null) : null,
  }
}

export const settingChangeOf = (item: Item): SettingChange => ({
  key: item.key ?? '',
  value: item.value ?? null,
  seq: item.seq,
})

export const profileChangeOf = (item: Item): ProfileChange => ({
  userId: item.senderId,
  version: item.seq,
  changes: fieldsOf(item.value ?? null) as Partial<ProfileFields>,
})

/** Changed fields as they stand on the wire: JSON text, in which `custom` is JSON text of the clients' own. */
function fieldsOf(text: string | null): Record<string, unknown> {
  const fields = jsonOf(text)
  if (typeof fields !== 'object' || fields === null) return {}
  return 'custom' in fields ? { ...fields, custom: jsonOf(fields.custom) } : { ...fields }
}

/** The value of a JSON text; a text that is none (of a client that does not keep to it) stands for itself. */
export function jsonOf(text: unknown): unknown {
  if (typeof text !== 'string') return null
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** The other one of a single chat (oneself for notes to oneself), or null. */
export function peerOf(conversationId: string, userId: string): string | null {
  const ref = parseStream(conversationId)
  if (ref?.kind !== 'p2p') return null
  const [a, b] = ref.users
  return a === userId ? b : a
}

export function conversationOf(entry: ConversationEntry, userId: string): Conversation {
  const { conversationId } = entry
  const peerId = peerOf(conversationId, userId)
  return {
    conversationId,
    kind: peerId === null ? 'group' : 'single',
    peerId,
    name: entry.name ?? null,
    avatar: entry.avatar ?? null,
    unread: entry.unread,
    mentions: entry.mentions,
    mentionsAll: entry.mentionsAll,
    lastSeq: entry.lastSeq,
    lastTime: entry.lastTime,
    readSeq: entry.readSeq,
    readOrdinal: entry.readOrdinal,
    peerReadSeq: entry.peerReadSeq,
    pinned: entry.pinned,
    muted: entry.muted,
    draft: entry.draft ?? null,
    dissolved: entry.dissolved,
    memberCount: entry.memberCount,
    preview: entry.preview ? messageOf(entry.preview) : null,
  }
}

export const conversationPageOf = (
  result: ServerFrameOf<'conversationsResult'>,
  userId: string,
): ConversationPage => ({
  conversations: result.conversations.map((entry) => conversationOf(entry, userId)),
  next: result.next ?? null,
  partial: result.partial,
})

export function pageOf(result: ServerFrameOf<'historyResult'>): Page {
  const { items } = result
  const reactions = new Map<number, Reaction[]>()
  for (const { seq, emoji, count, mine } of result.reactions) {
    const of = reactions.get(seq)
    if (of) of.push({ emoji, count, mine })
    else reactions.set(seq, [{ emoji, count, mine }])
  }
  const messages = new Map<number, Message>()
  const group: GroupChange[] = []
  for (const item of items) {
    if (item.kind === 'message') messages.set(item.seq, messageOf(item, reactions.get(item.seq)))
    else if (item.kind === 'recalled' || item.kind === 'edited') applyChange(messages, item)
    else {
      const change = groupChangeOf(item)
      if (change) group.push(change)
    }
  }
  return {
    messages: [...messages.values()],
    group,
    more: result.more,
    partial: result.partial,
    firstSeq: items[0]?.seq ?? 0,
    lastSeq: items.at(-1)?.seq ?? 0,
    headSeq: result.toSeq,
  }
}

/** The server's messages carry their current content; a change later than that, in the same page, still counts. */
function applyChange(messages: Map<number, Message>, item: Item): void {
  const target = messages.get(item.targetSeq ?? 0)
  if (!target) return
  messages.set(
    target.seq,
    item.kind === 'recalled' ? withRecall(target, recalledOf(item)) : withEdit(target, editedOf(item)),
  )
}

/** Nothing is left of a recalled message but its place. */
export const withRecall = (message: Message, { seq }: Recalled): Message => ({
  ...message,
  content: null,
  mentions: [],
  mentionAll: false,
  replyTo: null,
  changedBy: Math.max(message.changedBy ?? 0, seq),
  reactions: [],
})

/** The message with an edit, unless a later change is in it already. A recall is final. */
export const withEdit = (message: Message, { seq, content, mentions, mentionAll }: Edited): Message =>
  message.content === null || (message.changedBy ?? 0) >= seq
    ? message
    : { ...message, content, mentions, mentionAll, changedBy: seq }
