/** Records that frames are made of. */
import { codec } from './avro.ts'
export const strings = { type: 'array', items: 'string' } as const
export const optString = ['null', 'string'] as const
export const optLong = ['null', 'long'] as const
export const optBoolean = ['null', 'boolean'] as const
export const ns = 'longwire.frame'

/** One record of a conversation or user stream as clients see it. What this reader may not see is kind `hidden`. */
export const itemSchema = {
  type: 'record',
  name: 'Item',
  namespace: ns,
  fields: [
    { name: 'conversationId', type: 'string' },
    { name: 'seq', type: 'long' },
    { name: 'ordinal', type: 'long' },
    {
      name: 'kind',
      type: {
        type: 'enum',
        name: 'ItemKind',
        symbols: [
          'message',
          'recalled',
          'edited',
          'reacted',
          'pinned',
          'created',
          'added',
          'removed',
          'dissolved',
          'joinRequested',
          'joinAnswered',
          'roleSet',
          'muted',
          'allMuted',
          'groupSet',
          'observing',
          'friendRequested',
          'friendAnswered',
          'friendDeleted',
          'blocked',
          'read',
          'setting',
          'profile',
          'hidden',
        ],
      },
    },
    { name: 'time', type: 'long' },
    { name: 'senderId', type: 'string' },
    { name: 'packId', type: optString },
    { name: 'contentType', type: optString },
    /** JSON text. Null where a message was recalled. */
    { name: 'content', type: optString },
    { name: 'mentions', type: strings },
    { name: 'mentionAll', type: 'boolean' },
    { name: 'replyTo', type: optLong },
    /** Of recalled and edited: the message it changes. Of a message: the seq of the change applied last, or null. */
    { name: 'targetSeq', type: optLong },
    /** Of created, added, removed, joinAnswered, roleSet, muted: whom. */
    { name: 'members', type: strings },
    { name: 'name', type: optString },
    /** Of read: where the mark stands. */
    { name: 'readConversationId', type: optString },
    { name: 'readSeq', type: optLong },
    { name: 'readOrdinal', type: optLong },
    /** Of what goes on and off (reacted, pinned, allMuted, observing, blocked), and of answers: accepted or not. */
    { name: 'on', type: optBoolean },
    /** Of setting. */
    { name: 'key', type: optString },
    /** Of reacted the emoji, of roleSet the role, of friend requests the note, of setting its value, of groupSet and profile the changed fields as JSON text. */
    { name: 'value', type: optString },
    /** Of muted: broker time in ms, 0 for no longer. */
    { name: 'until', type: optLong },
  ],
} as const

/** The device whose login ended another's connection. */
export const kickerSchema = {
  type: 'record',
  name: 'Kicker',
  namespace: ns,
  fields: [
    { name: 'deviceId', type: 'string' },
    { name: 'deviceType', type: 'string' },
    { name: 'loginAt', type: 'long' },
  ],
} as const

export const ackSchema = {
  type: 'record',
  name: 'AckEntry',
  namespace: ns,
  fields: [
    { name: 'conversationId', type: 'string' },
    { name: 'seq', type: 'long' },
  ],
} as const

export const rangeSchema = {
  type: 'record',
  name: 'Range',
  namespace: ns,
  fields: [
    { name: 'from', type: 'long' },
    { name: 'to', type: 'long' },
  ],
} as const

export const headSchema = {
  type: 'record',
  name: 'Head',
  namespace: ns,
  fields: [
    { name: 'conversationId', type: 'string' },
    { name: 'seq', type: 'long' },
    { name: 'ordinal', type: 'long' },
    /** First seq that this reader may see. */
    { name: 'fromSeq', type: 'long' },
    /** Last seq that this reader may see; null while a member. */
    { name: 'toSeq', type: optLong },
  ],
} as const

export const conversationSchema = {
  type: 'record',
  name: 'Conversation',
  namespace: ns,
  fields: [
    { name: 'conversationId', type: 'string' },
    { name: 'kind', type: 'string' },
    { name: 'name', type: optString },
    { name: 'lastSeq', type: 'long' },
    { name: 'lastTime', type: 'long' },
    { name: 'unread', type: 'long' },
    /** Unread messages that name this reader. */
    { name: 'mentions', type: 'long' },
    /** Unread messages that name everyone. */
    { name: 'mentionsAll', type: 'long' },
    { name: 'readSeq', type: 'long' },
    { name: 'readOrdinal', type: 'long' },
    /** Single chat: the other side has read up to here. */
    { name: 'peerReadSeq', type: 'long' },
    /** From the reader's settings. */
    { name: 'pinned', type: 'boolean' },
    { name: 'muted', type: 'boolean' },
    { name: 'draft', type: optString },
    { name: 'dissolved', type: 'boolean' },
    { name: 'avatar', type: optString },
    /** Newest message that this reader may see, or null. */
    { name: 'preview', type: ['null', itemSchema] },
    { name: 'memberCount', type: 'int' },
  ],
} as const

export const memberSchema = {
  type: 'record',
  name: 'Member',
  namespace: ns,
  fields: [
    { name: 'userId', type: 'string' },
    { name: 'role', type: 'string' },
    { name: 'joinedSeq', type: 'long' },
    /** Broker time in ms; 0: not muted. */
    { name: 'mutedUntil', type: 'long' },
  ],
} as const

export const joinRequestSchema = {
  type: 'record',
  name: 'JoinRequest',
  namespace: ns,
  fields: [
    { name: 'userId', type: 'string' },
    { name: 'note', type: 'string' },
    { name: 'time', type: 'long' },
  ],
} as const

export const reactionSchema = {
  type: 'record',
  name: 'Reaction',
  namespace: ns,
  fields: [
    { name: 'seq', type: 'long' },
    { name: 'emoji', type: 'string' },
    { name: 'count', type: 'int' },
    /** Whether this reader is among them. */
    { name: 'mine', type: 'boolean' },
  ],
} as const

export const relationSchema = {
  type: 'record',
  name: 'Relation',
  namespace: ns,
  fields: [
    { name: 'userId', type: 'string' },
    {
      name: 'state',
      type: {
        type: 'enum',
        name: 'RelationState',
        /** asked: by this reader. asking: the other side waits for an answer. */
        symbols: ['none', 'asked', 'asking', 'friend'],
      },
    },
    { name: 'blocked', type: 'boolean' },
    { name: 'note', type: optString },
    { name: 'remark', type: optString },
    /** Seq of the last change in the single chat of the two. */
    { name: 'seq', type: 'long' },
  ],
} as const

export const profileSchema = {
  type: 'record',
  name: 'Profile',
  namespace: ns,
  fields: [
    { name: 'userId', type: 'string' },
    { name: 'name', type: optString },
    { name: 'avatar', type: optString },
    { name: 'birthday', type: optString },
    { name: 'region', type: optString },
    { name: 'gender', type: optString },
    { name: 'custom', type: optString },
    /** Seq of the last change in the user's stream; 0: nothing was ever set. */
    { name: 'version', type: 'long' },
  ],
} as const

export const settingSchema = {
  type: 'record',
  name: 'Setting',
  namespace: ns,
  fields: [
    { name: 'key', type: 'string' },
    { name: 'value', type: 'string' },
    { name: 'seq', type: 'long' },
  ],
} as const

const deviceSchema = {
  type: 'record',
  name: 'OnlineDevice',
  namespace: ns,
  fields: [
    { name: 'deviceId', type: 'string' },
    { name: 'deviceType', type: 'string' },
  ],
} as const

export const presenceSchema = {
  type: 'record',
  name: 'PresenceOf',
  namespace: ns,
  fields: [
    { name: 'userId', type: 'string' },
    /** Empty: offline. */
    { name: 'devices', type: { type: 'array', items: deviceSchema } },
  ],
} as const

export const content = [
  { name: 'contentType', type: 'string' },
  { name: 'content', type: 'string' },
  { name: 'mentions', type: strings },
  { name: 'mentionAll', type: 'boolean' },
] as const

export const packId = { name: 'packId', type: 'string' } as const
export const conversationId = { name: 'conversationId', type: 'string' } as const
export const userId = { name: 'userId', type: 'string' } as const
export const id = { name: 'id', type: 'long' } as const
export const frame = <const N extends string, const F extends readonly unknown[]>(name: N, fields: F) => ({
  schema: { type: 'record' as const, name, namespace: ns, fields },
  ...codec({ type: 'record', name, namespace: ns, fields } as { type: 'record'; fields: F }),
})
