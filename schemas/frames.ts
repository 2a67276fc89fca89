/**
 * Frames between client and gateway: one literal for both encodings. On `longwire.avro` a frame is the single-object
 * encoding of its record; on `longwire.json` it is an object with `type`, where null fields may be left out and
 * `content` stands as JSON itself instead of as its text.
 */
import { codec, type Infer } from './avro.ts'

const strings = { type: 'array', items: 'string' } as const
const optString = ['null', 'string'] as const
const optLong = ['null', 'long'] as const
const optBoolean = ['null', 'boolean'] as const
const ns = 'longwire.frame'

/** One record of a conversation or user stream as clients see it. What this reader may not see is kind `hidden`. */
const itemSchema = {
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
    /** Of reacted the emoji, of roleSet the role, of requests the note, of setting its value, of groupSet and profile the changed fields as JSON text. */
    { name: 'value', type: optString },
    /** Of muted: broker time in ms, 0 for no longer. */
    { name: 'until', type: optLong },
  ],
} as const

const ackSchema = {
  type: 'record',
  name: 'AckEntry',
  namespace: ns,
  fields: [
    { name: 'conversationId', type: 'string' },
    { name: 'seq', type: 'long' },
  ],
} as const

const rangeSchema = {
  type: 'record',
  name: 'Range',
  namespace: ns,
  fields: [
    { name: 'from', type: 'long' },
    { name: 'to', type: 'long' },
  ],
} as const

const headSchema = {
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

const conversationSchema = {
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

const memberSchema = {
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

const joinRequestSchema = {
  type: 'record',
  name: 'JoinRequest',
  namespace: ns,
  fields: [
    { name: 'userId', type: 'string' },
    { name: 'note', type: 'string' },
    { name: 'time', type: 'long' },
  ],
} as const

const reactionSchema = {
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

const relationSchema = {
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

const profileSchema = {
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

const settingSchema = {
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

const presenceSchema = {
  type: 'record',
  name: 'PresenceOf',
  namespace: ns,
  fields: [
    { name: 'userId', type: 'string' },
    /** Empty: offline. */
    { name: 'devices', type: { type: 'array', items: deviceSchema } },
  ],
} as const

const content = [
  { name: 'contentType', type: 'string' },
  { name: 'content', type: 'string' },
  { name: 'mentions', type: strings },
  { name: 'mentionAll', type: 'boolean' },
] as const
const packId = { name: 'packId', type: 'string' } as const
const conversationId = { name: 'conversationId', type: 'string' } as const
const userId = { name: 'userId', type: 'string' } as const
const id = { name: 'id', type: 'long' } as const
const frame = <const N extends string, const F extends readonly unknown[]>(name: N, fields: F) => ({
  schema: { type: 'record' as const, name, namespace: ns, fields },
  ...codec({ type: 'record', name, namespace: ns, fields } as { type: 'record'; fields: F }),
})

/** What a client may send. Commands carry a packId and are answered accepted, then committed or rejected; requests carry an id. */
export const clientFrames = {
  login: frame('Login', [
    { name: 'token', type: 'string' },
    { name: 'deviceId', type: 'string' },
    { name: 'deviceType', type: 'string' },
    { name: 'protocol', type: 'int' },
    { name: 'heartbeatMs', type: ['null', 'int'] },
  ]),
  send: frame('Send', [
    packId,
    /** A user id, for single chat; else null. */
    { name: 'to', type: optString },
    { name: 'conversationId', type: optString },
    ...content,
    { name: 'replyTo', type: optLong },
  ]),
  createGroup: frame('CreateGroup', [
    packId,
    { name: 'name', type: 'string' },
    { name: 'members', type: strings },
  ]),
  addMembers: frame('AddMembers', [packId, conversationId, { name: 'members', type: strings }]),
  removeMembers: frame('RemoveMembers', [packId, conversationId, { name: 'members', type: strings }]),
  recall: frame('Recall', [packId, conversationId, { name: 'seq', type: 'long' }]),
  edit: frame('Edit', [packId, conversationId, { name: 'seq', type: 'long' }, ...content]),
  markRead: frame('MarkRead', [
    packId,
    conversationId,
    { name: 'seq', type: 'long' },
    { name: 'ordinal', type: 'long' },
  ]),
  react: frame('React', [
    packId,
    conversationId,
    { name: 'seq', type: 'long' },
    { name: 'emoji', type: 'string' },
    { name: 'on', type: 'boolean' },
  ]),
  pin: frame('Pin', [packId, conversationId, { name: 'seq', type: 'long' }, { name: 'on', type: 'boolean' }]),
  dissolveGroup: frame('DissolveGroup', [packId, conversationId]),
  requestJoin: frame('RequestJoin', [packId, conversationId, { name: 'note', type: 'string' }]),
  answerJoin: frame('AnswerJoin', [packId, conversationId, userId, { name: 'accept', type: 'boolean' }]),
  setRole: frame('SetRole', [packId, conversationId, userId, { name: 'role', type: 'string' }]),
  mute: frame('Mute', [packId, conversationId, userId, { name: 'forMs', type: 'long' }]),
  muteAll: frame('MuteAll', [packId, conversationId, { name: 'on', type: 'boolean' }]),
  setGroup: frame('SetGroup', [
    packId,
    conversationId,
    { name: 'name', type: optString },
    { name: 'avatar', type: optString },
    { name: 'announcement', type: optString },
    { name: 'custom', type: optString },
    { name: 'joinPolicy', type: optString },
    { name: 'addPolicy', type: optString },
  ]),
  /** Only with the right `observe` in the token. */
  observe: frame('Observe', [packId, conversationId, { name: 'on', type: 'boolean' }]),
  requestFriend: frame('RequestFriend', [packId, userId, { name: 'note', type: 'string' }]),
  answerFriend: frame('AnswerFriend', [packId, userId, { name: 'accept', type: 'boolean' }]),
  deleteFriend: frame('DeleteFriend', [packId, userId]),
  block: frame('Block', [packId, userId, { name: 'on', type: 'boolean' }]),
  setSetting: frame('SetSetting', [
    packId,
    { name: 'key', type: 'string' },
    { name: 'value', type: optString },
  ]),
  setProfile: frame('SetProfile', [
    packId,
    { name: 'name', type: optString },
    { name: 'avatar', type: optString },
    { name: 'birthday', type: optString },
    { name: 'region', type: optString },
    { name: 'gender', type: optString },
    { name: 'custom', type: optString },
  ]),
  /** Not answered, not kept: shown to who is online, or dropped. */
  typing: frame('Typing', [conversationId]),
  /** Changes what this connection is told of; answered by presenceResult with the state of those added. */
  presence: frame('Presence', [
    id,
    { name: 'subscribe', type: strings },
    { name: 'unsubscribe', type: strings },
  ]),
  ack: frame('Ack', [{ name: 'acks', type: { type: 'array', items: ackSchema } }]),
  ping: frame('Ping', [id]),
  heads: frame('Heads', [id]),
  /** Newest first, pinned ones before all; `before` is the `next` of the page above. */
  conversations: frame('Conversations', [
    id,
    { name: 'before', type: optString },
    { name: 'limit', type: ['null', 'int'] },
  ]),
  /** After login: the first page of the list, and the newest page of the first `pages` conversations, in packed batches. */
  overview: frame('Overview', [
    id,
    { name: 'limit', type: ['null', 'int'] },
    { name: 'pages', type: ['null', 'int'] },
  ]),
  group: frame('Group', [id, conversationId]),
  /** In the order in which they joined; `after` is the `next` of the page before. */
  members: frame('Members', [
    id,
    conversationId,
    { name: 'after', type: optString },
    { name: 'limit', type: ['null', 'int'] },
  ]),
  /** Who has read up to `seq`, by user id. */
  readers: frame('Readers', [
    id,
    conversationId,
    { name: 'seq', type: 'long' },
    { name: 'after', type: optString },
    { name: 'limit', type: ['null', 'int'] },
  ]),
  search: frame('Search', [
    id,
    { name: 'query', type: 'string' },
    { name: 'conversationId', type: optString },
    { name: 'before', type: optString },
    { name: 'limit', type: ['null', 'int'] },
  ]),
  relations: frame('Relations', [id]),
  profiles: frame('Profiles', [id, { name: 'userIds', type: strings }]),
  settings: frame('Settings', [id]),
  /** A page by seq: newest first cut by `before`, or onwards from `after`; the items are always in seq order. */
  history: frame('History', [
    id,
    conversationId,
    { name: 'before', type: optLong },
    { name: 'after', type: optLong },
    { name: 'limit', type: ['null', 'int'] },
  ]),
  /** Changes (recalls, edits) after changesUpTo whose target lies in a held range. */
  sync: frame('Sync', [
    id,
    conversationId,
    { name: 'ranges', type: { type: 'array', items: rangeSchema } },
    { name: 'changesUpTo', type: 'long' },
  ]),
  /** Was this packId of mine committed? Asked after pack_id_expired. */
  lookup: frame('Lookup', [id, conversationId, packId]),
  logout: frame('Logout', [{ name: 'reason', type: optString }]),
} as const

/** What a gateway sends. */
export const serverFrames = {
  welcome: frame('Welcome', [
    { name: 'userId', type: 'string' },
    { name: 'connectionId', type: 'string' },
    { name: 'gatewayId', type: 'string' },
    { name: 'serverTime', type: 'long' },
    { name: 'heartbeatMs', type: 'int' },
  ]),
  accepted: frame('Accepted', [packId]),
  committed: frame('Committed', [
    packId,
    conversationId,
    { name: 'seq', type: 'long' },
    { name: 'ordinal', type: 'long' },
    { name: 'time', type: 'long' },
    { name: 'repeat', type: 'boolean' },
    { name: 'conflict', type: 'boolean' },
  ]),
  rejected: frame('Rejected', [
    packId,
    { name: 'code', type: 'string' },
    { name: 'message', type: 'string' },
    { name: 'retryAfterMs', type: optLong },
  ]),
  event: frame('Event', [{ name: 'item', type: itemSchema }]),
  /** The other side of a single chat has read up to here. A hint: `peerReadSeq` of the list is the truth. */
  receipt: frame('Receipt', [conversationId, userId, { name: 'seq', type: 'long' }]),
  typing: frame('TypingHint', [conversationId, userId]),
  /** The profile of someone who is a friend has changed; read it again. */
  profileChanged: frame('ProfileChanged', [userId]),
  presence: frame('PresenceChanges', [{ name: 'changes', type: { type: 'array', items: presenceSchema } }]),
  presenceResult: frame('PresenceResult', [
    id,
    { name: 'states', type: { type: 'array', items: presenceSchema } },
  ]),
  /** The conversation has come this far; catch up if you hold less. */
  head: frame('HeadHint', [conversationId, { name: 'seq', type: 'long' }]),
  /** Pushes may have been lost: ask for heads again. */
  resync: frame('Resync', [{ name: 'reason', type: 'string' }]),
  pong: frame('Pong', [id, { name: 'serverTime', type: 'long' }]),
  headsResult: frame('HeadsResult', [
    id,
    /** True: the read model trails; ask again. */
    { name: 'partial', type: 'boolean' },
    { name: 'heads', type: { type: 'array', items: headSchema } },
  ]),
  conversationsResult: frame('ConversationsResult', [
    id,
    { name: 'partial', type: 'boolean' },
    { name: 'conversations', type: { type: 'array', items: conversationSchema } },
    { name: 'next', type: optString },
  ]),
  /**
   * One batch of an overview: raw DEFLATE (RFC 1951), base64 on JSON, of a JSON array of conversationsResult (the first) and
   * historyResult frames, as they would stand on `longwire.json`.
   */
  packed: frame('Packed', [id, { name: 'last', type: 'boolean' }, { name: 'data', type: 'bytes' }]),
  groupResult: frame('GroupResult', [
    id,
    conversationId,
    { name: 'partial', type: 'boolean' },
    { name: 'name', type: 'string' },
    { name: 'avatar', type: optString },
    { name: 'announcement', type: optString },
    { name: 'custom', type: optString },
    { name: 'joinPolicy', type: 'string' },
    { name: 'addPolicy', type: 'string' },
    { name: 'memberCount', type: 'int' },
    { name: 'large', type: 'boolean' },
    { name: 'dissolved', type: 'boolean' },
    { name: 'allMuted', type: 'boolean' },
    /** owner, admin, member; null: not a member, who sees name, avatar, announcement, joinPolicy and memberCount only. */
    { name: 'role', type: optString },
    { name: 'mutedUntil', type: 'long' },
    { name: 'pinned', type: { type: 'array', items: 'long' } },
    /** Whether this reader has asked to join and waits. */
    { name: 'asked', type: 'boolean' },
    /** For owner and admins: who waits for an answer. */
    { name: 'requests', type: { type: 'array', items: joinRequestSchema } },
  ]),
  membersResult: frame('MembersResult', [
    id,
    conversationId,
    { name: 'partial', type: 'boolean' },
    { name: 'members', type: { type: 'array', items: memberSchema } },
    { name: 'next', type: optString },
  ]),
  readersResult: frame('ReadersResult', [
    id,
    conversationId,
    { name: 'partial', type: 'boolean' },
    { name: 'count', type: 'int' },
    { name: 'readers', type: strings },
    { name: 'next', type: optString },
  ]),
  searchResult: frame('SearchResult', [
    id,
    /** True: the archive trails, or more was found than could be looked through. */
    { name: 'partial', type: 'boolean' },
    { name: 'items', type: { type: 'array', items: itemSchema } },
    { name: 'next', type: optString },
  ]),
  relationsResult: frame('RelationsResult', [
    id,
    { name: 'partial', type: 'boolean' },
    { name: 'relations', type: { type: 'array', items: relationSchema } },
  ]),
  profilesResult: frame('ProfilesResult', [
    id,
    { name: 'partial', type: 'boolean' },
    { name: 'profiles', type: { type: 'array', items: profileSchema } },
  ]),
  settingsResult: frame('SettingsResult', [
    id,
    { name: 'partial', type: 'boolean' },
    { name: 'settings', type: { type: 'array', items: settingSchema } },
  ]),
  historyResult: frame('HistoryResult', [
    id,
    conversationId,
    { name: 'partial', type: 'boolean' },
    /** First and last seq that this reader may see now; toSeq is the head for a member. */
    { name: 'fromSeq', type: 'long' },
    { name: 'toSeq', type: 'long' },
    { name: 'more', type: 'boolean' },
    { name: 'items', type: { type: 'array', items: itemSchema } },
    /** Of the messages among the items. */
    { name: 'reactions', type: { type: 'array', items: reactionSchema } },
  ]),
  syncResult: frame('SyncResult', [
    id,
    conversationId,
    { name: 'partial', type: 'boolean' },
    /** True: changes are no longer indexed that far back; drop the local copy and sync again. */
    { name: 'reset', type: 'boolean' },
    { name: 'changesUpTo', type: 'long' },
    { name: 'changes', type: { type: 'array', items: itemSchema } },
  ]),
  lookupResult: frame('LookupResult', [
    id,
    { name: 'partial', type: 'boolean' },
    /** Seq of the committed command, or null when it is certain that there is none. */
    { name: 'seq', type: optLong },
    { name: 'ordinal', type: optLong },
    { name: 'time', type: optLong },
  ]),
  /** A request failed (its id), or the frame could not be read (id null). */
  error: frame('Error', [
    { name: 'id', type: optLong },
    { name: 'code', type: 'string' },
    { name: 'message', type: 'string' },
    { name: 'retryAfterMs', type: optLong },
  ]),
  /** The gateway closes this connection; code from the table, `reconnectAfterMs` spreads the return. */
  bye: frame('Bye', [
    { name: 'code', type: 'string' },
    { name: 'message', type: 'string' },
    { name: 'reconnectAfterMs', type: optLong },
  ]),
} as const

type FrameOf<T extends Record<string, { decode(b: Buffer): unknown }>> = {
  [K in keyof T]: { type: K } & ReturnType<T[K]['decode']>
}
export type ClientFrames = FrameOf<typeof clientFrames>
export type ServerFrames = FrameOf<typeof serverFrames>
export type ClientFrame = ClientFrames[keyof ClientFrames]
export type ServerFrame = ServerFrames[keyof ServerFrames]
export type Item = Infer<typeof itemSchema>
export type Head = Infer<typeof headSchema>
export type Conversation = Infer<typeof conversationSchema>
export type Range = Infer<typeof rangeSchema>
export type Member = Infer<typeof memberSchema>
export type JoinRequest = Infer<typeof joinRequestSchema>
export type Reaction = Infer<typeof reactionSchema>
export type Relation = Infer<typeof relationSchema>
export type Profile = Infer<typeof profileSchema>
export type Setting = Infer<typeof settingSchema>
export type Presence = Infer<typeof presenceSchema>
export const itemCodec = codec(itemSchema)
