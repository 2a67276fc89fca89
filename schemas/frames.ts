/**
 * Frames between client and gateway: one literal for both encodings. On `longwire.avro` a frame is the single-object
 * encoding of its record; on `longwire.json` it is an object with `type`, where null fields may be left out and
 * `content` stands as JSON itself instead of as its text.
 */
import { codec, type Infer } from './avro.ts'

const strings = { type: 'array', items: 'string' } as const
const optString = ['null', 'string'] as const
const optLong = ['null', 'long'] as const
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
        symbols: ['message', 'recalled', 'edited', 'created', 'added', 'removed', 'read', 'hidden'],
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
    /** Of created, added, removed: whom. */
    { name: 'members', type: strings },
    { name: 'name', type: optString },
    /** Of read: where the mark stands. */
    { name: 'readConversationId', type: optString },
    { name: 'readSeq', type: optLong },
    { name: 'readOrdinal', type: optLong },
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
    { name: 'mentions', type: 'long' },
    { name: 'readSeq', type: 'long' },
    { name: 'readOrdinal', type: 'long' },
    /** Newest message that this reader may see, or null. */
    { name: 'preview', type: ['null', itemSchema] },
    { name: 'memberCount', type: 'int' },
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
  ack: frame('Ack', [{ name: 'acks', type: { type: 'array', items: ackSchema } }]),
  ping: frame('Ping', [id]),
  heads: frame('Heads', [id]),
  conversations: frame('Conversations', [id, { name: 'limit', type: ['null', 'int'] }]),
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
export const itemCodec = codec(itemSchema)
