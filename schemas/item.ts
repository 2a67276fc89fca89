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
  on: null,
  key: null,
  value: null,
  until: null,
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
    case 'Reacted':
      return { ...item, kind: 'reacted', targetSeq: payload.target.seq, value: payload.emoji, on: payload.on }
    case 'MessagePinned':
      return { ...item, kind: 'pinned', targetSeq: payload.target.seq, on: payload.on }
    case 'GroupDissolved':
      return { ...item, kind: 'dissolved' }
    case 'JoinRequested':
      // The note is for those who may let him in: they read it with the group.
      return { ...item, kind: 'joinRequested' }
    case 'JoinAnswered':
      return { ...item, kind: 'joinAnswered', members: [payload.user], on: payload.accept }
    case 'RoleSet':
      return { ...item, kind: 'roleSet', members: [payload.user], value: payload.role }
    case 'MemberMuted':
      return { ...item, kind: 'muted', members: [payload.user], until: payload.until }
    case 'AllMuted':
      return { ...item, kind: 'allMuted', on: payload.on }
    case 'GroupSet':
      return { ...item, kind: 'groupSet', name: payload.name, value: changesOf(payload, groupFields) }
    case 'Observing':
      return { ...item, kind: 'observing', on: payload.on }
    case 'FriendRequested':
      return { ...item, kind: 'friendRequested', value: payload.note }
    case 'FriendAnswered':
      return { ...item, kind: 'friendAnswered', on: payload.accept }
    case 'FriendDeleted':
      return { ...item, kind: 'friendDeleted' }
    case 'Blocked':
      return { ...item, kind: 'blocked', on: payload.on }
    case 'SettingSet':
      return { ...item, kind: 'setting', key: payload.key, value: payload.value }
    case 'ProfileSet':
      return { ...item, kind: 'profile', name: payload.name, value: changesOf(payload, profileFields) }
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

const groupFields = ['name', 'avatar', 'announcement', 'custom', 'joinPolicy', 'addPolicy'] as const
const profileFields = ['name', 'avatar', 'birthday', 'region', 'gender', 'custom'] as const

/** JSON text of those fields that are changed. */
function changesOf<F extends string>(payload: Record<F, string | null>, fields: readonly F[]): string {
  return JSON.stringify(
    Object.fromEntries(fields.flatMap((field) => (payload[field] === null ? [] : [[field, payload[field]]]))),
  )
}

const ofSenderOnly: ReadonlySet<Item['kind']> = new Set(['blocked', 'friendDeleted'])

/** Whether a reader of the stream may see this item: blocking and deleting a friend are told to nobody else. */
export const isFor = (item: Item, user: string): boolean =>
  !ofSenderOnly.has(item.kind) || item.senderId === user

/** The item as this reader may see it. */
export function itemFor(item: Item, user: string): Item {
  if (!isFor(item, user)) return hiddenItem(item.conversationId, item.seq)
  // Read models that were built before hold notes.
  return item.kind === 'joinRequested' && item.value !== null ? { ...item, value: null } : item
}

/** What is sealed still, when everything was done to open it, has no content any more. */
function contentOf(payload: {
  contentType: string
  content: Buffer
  keyId: string | null
  mentions: string[]
  mentionAll: boolean
}) {
  if (payload.keyId !== null) return { contentType: null, content: null, mentions: [], mentionAll: false }
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
