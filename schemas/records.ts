/** What stands on the topics: the frozen envelope, commands, and the payloads of commands and events. */
import { codec, type Infer } from './avro.ts'

const packId = { type: 'fixed', name: 'PackId', size: 16 } as const
const fingerprint = { type: 'fixed', name: 'Fingerprint', size: 8 } as const
const ids = { type: 'array', items: 'string' } as const
const nullableString = ['null', 'string'] as const

const replySchema = {
  type: 'record',
  name: 'ReplyAddress',
  fields: [
    { name: 'gateway', type: 'string' },
    { name: 'boot', type: 'string' },
    { name: 'connection', type: 'string' },
  ],
} as const

/**
 * Envelope of every record of im.events, frozen for ever. `accept()` reads nothing else, so that readers that do not
 * know a payload's schema still agree on which records count.
 */
const envelopeSchema = {
  type: 'record',
  name: 'Envelope',
  namespace: 'longwire',
  fields: [
    {
      name: 'kind',
      type: { type: 'enum', name: 'Kind', symbols: ['event', 'rejection', 'repeat', 'claim'] },
    },
    /** Generation of the logs; an offset, epoch or source means something only within it. */
    { name: 'generation', type: 'int' },
    /** Offset of the writer's claim. −1 in a claim, whose epoch is its own offset. */
    { name: 'epoch', type: 'long' },
    /** Offset of the command in im.commands; in a claim, the first source it will write. */
    { name: 'source', type: 'long' },
    { name: 'stream', type: 'string' },
    /** Of an event: its seq in the stream, from 1. 0 otherwise. */
    { name: 'seq', type: 'long' },
    /** Messages in the stream up to and including this record. 0 in a claim. */
    { name: 'ordinal', type: 'long' },
    /** Broker time of the command in ms, never below an earlier record's of the partition. */
    { name: 'time', type: 'long' },
    /** Fingerprint of the payload's schema. */
    { name: 'schema', type: fingerprint },
    { name: 'trace', type: ['null', { type: 'fixed', name: 'TraceId', size: 16 }] },
    { name: 'reply', type: ['null', replySchema] },
    { name: 'payload', type: 'bytes' },
  ],
} as const

/** Record of im.commands. Its time is the broker's (LogAppendTime). */
const commandSchema = {
  type: 'record',
  name: 'Command',
  namespace: 'longwire',
  fields: [
    { name: 'stream', type: 'string' },
    { name: 'packId', type: packId },
    { name: 'sender', type: 'string' },
    { name: 'device', type: 'string' },
    { name: 'trace', type: ['null', { type: 'fixed', name: 'TraceId', size: 16 }] },
    { name: 'reply', type: ['null', replySchema] },
    { name: 'schema', type: fingerprint },
    { name: 'payload', type: 'bytes' },
  ],
} as const

/** Content as the client made it (JSON, UTF-8), opaque to processors, with what they need beside it. */
const contentFields = [
  { name: 'contentType', type: 'string' },
  { name: 'content', type: 'bytes' },
  /** Key that seals `content`; null: in clear. */
  { name: 'keyId', type: nullableString },
  { name: 'mentions', type: ids },
  { name: 'mentionAll', type: 'boolean' },
] as const

/** What may be changed of a group; null: stays as it is. `custom` is JSON text of the clients' own. */
const groupProfileFields = [
  { name: 'name', type: nullableString },
  { name: 'avatar', type: nullableString },
  { name: 'announcement', type: nullableString },
  { name: 'custom', type: nullableString },
  /** open: whoever asks is in. approval: an admin answers. closed: only by being added. */
  { name: 'joinPolicy', type: nullableString },
  /** members: any member may add. admins: only they. */
  { name: 'addPolicy', type: nullableString },
] as const

/** What may be changed of a user's profile; null: stays as it is. `custom` is JSON text of the clients' own. */
const userProfileFields = [
  { name: 'name', type: nullableString },
  { name: 'avatar', type: nullableString },
  /** YYYY-MM-DD. */
  { name: 'birthday', type: nullableString },
  { name: 'region', type: nullableString },
  { name: 'gender', type: nullableString },
  { name: 'custom', type: nullableString },
] as const

/** Immutable facts of a message, from an accepted record. */
const targetSchema = {
  type: 'record',
  name: 'Target',
  fields: [
    { name: 'seq', type: 'long' },
    { name: 'ordinal', type: 'long' },
    { name: 'sender', type: 'string' },
    { name: 'time', type: 'long' },
    { name: 'packId', type: packId },
  ],
} as const

const ns = 'longwire.command'
export const commandPayloads = {
  SendMessage: codec({
    type: 'record',
    name: 'SendMessage',
    namespace: ns,
    fields: [...contentFields, { name: 'replyTo', type: ['null', 'long'] }],
  } as const),
  CreateGroup: codec({
    type: 'record',
    name: 'CreateGroup',
    namespace: ns,
    fields: [
      { name: 'name', type: 'string' },
      { name: 'members', type: ids },
    ],
  } as const),
  AddMembers: codec({
    type: 'record',
    name: 'AddMembers',
    namespace: ns,
    fields: [{ name: 'members', type: ids }],
  } as const),
  RemoveMembers: codec({
    type: 'record',
    name: 'RemoveMembers',
    namespace: ns,
    fields: [{ name: 'members', type: ids }],
  } as const),
  RecallMessage: codec({
    type: 'record',
    name: 'RecallMessage',
    namespace: ns,
    fields: [
      { name: 'seq', type: 'long' },
      /** Attached by the gateway where the target is older than what the fold keeps. */
      { name: 'target', type: ['null', targetSchema] },
    ],
  } as const),
  EditMessage: codec({
    type: 'record',
    name: 'EditMessage',
    namespace: ns,
    fields: [
      { name: 'seq', type: 'long' },
      { name: 'target', type: ['null', targetSchema] },
      ...contentFields,
    ],
  } as const),
  React: codec({
    type: 'record',
    name: 'React',
    namespace: ns,
    fields: [
      { name: 'seq', type: 'long' },
      { name: 'target', type: ['null', targetSchema] },
      { name: 'emoji', type: 'string' },
      { name: 'on', type: 'boolean' },
    ],
  } as const),
  PinMessage: codec({
    type: 'record',
    name: 'PinMessage',
    namespace: ns,
    fields: [
      { name: 'seq', type: 'long' },
      { name: 'target', type: ['null', targetSchema] },
      { name: 'on', type: 'boolean' },
    ],
  } as const),
  DissolveGroup: codec({ type: 'record', name: 'DissolveGroup', namespace: ns, fields: [] } as const),
  RequestJoin: codec({
    type: 'record',
    name: 'RequestJoin',
    namespace: ns,
    fields: [{ name: 'note', type: 'string' }],
  } as const),
  AnswerJoin: codec({
    type: 'record',
    name: 'AnswerJoin',
    namespace: ns,
    fields: [
      { name: 'user', type: 'string' },
      { name: 'accept', type: 'boolean' },
    ],
  } as const),
  /** role `owner` hands the group over: the owner before becomes an admin. */
  SetRole: codec({
    type: 'record',
    name: 'SetRole',
    namespace: ns,
    fields: [
      { name: 'user', type: 'string' },
      { name: 'role', type: 'string' },
    ],
  } as const),
  MuteMember: codec({
    type: 'record',
    name: 'MuteMember',
    namespace: ns,
    fields: [
      { name: 'user', type: 'string' },
      /** Ms from the broker time of this command; 0 ends it. */
      { name: 'forMs', type: 'long' },
    ],
  } as const),
  MuteAll: codec({
    type: 'record',
    name: 'MuteAll',
    namespace: ns,
    fields: [{ name: 'on', type: 'boolean' }],
  } as const),
  SetGroup: codec({ type: 'record', name: 'SetGroup', namespace: ns, fields: groupProfileFields } as const),
  /** Appended by the edge only for a token with the right. The observer is the sender. */
  Observe: codec({
    type: 'record',
    name: 'Observe',
    namespace: ns,
    fields: [{ name: 'on', type: 'boolean' }],
  } as const),
  RequestFriend: codec({
    type: 'record',
    name: 'RequestFriend',
    namespace: ns,
    fields: [{ name: 'note', type: 'string' }],
  } as const),
  AnswerFriend: codec({
    type: 'record',
    name: 'AnswerFriend',
    namespace: ns,
    fields: [{ name: 'accept', type: 'boolean' }],
  } as const),
  DeleteFriend: codec({ type: 'record', name: 'DeleteFriend', namespace: ns, fields: [] } as const),
  Block: codec({
    type: 'record',
    name: 'Block',
    namespace: ns,
    fields: [{ name: 'on', type: 'boolean' }],
  } as const),
  /** In one's own stream; value null removes the key. */
  SetSetting: codec({
    type: 'record',
    name: 'SetSetting',
    namespace: ns,
    fields: [
      { name: 'key', type: 'string' },
      { name: 'value', type: nullableString },
    ],
  } as const),
  SetProfile: codec({
    type: 'record',
    name: 'SetProfile',
    namespace: ns,
    fields: userProfileFields,
  } as const),
  /** In the reader's own stream; the edge has checked {seq, ordinal} against the conversation's head. */
  MarkRead: codec({
    type: 'record',
    name: 'MarkRead',
    namespace: ns,
    fields: [
      { name: 'conversationId', type: 'string' },
      { name: 'seq', type: 'long' },
      { name: 'ordinal', type: 'long' },
    ],
  } as const),
}

const es = 'longwire.event'
/** Who did it and under which packId: the first fields of every event, rejection and repeat. */
const originFields = [
  { name: 'packId', type: packId },
  { name: 'sender', type: 'string' },
  { name: 'device', type: 'string' },
  /** Hash of the command's schema and payload, to tell a repeat from a conflict. */
  { name: 'bodyHash', type: 'long' },
] as const

export const eventPayloads = {
  MessageSent: codec({
    type: 'record',
    name: 'MessageSent',
    namespace: es,
    fields: [...originFields, ...contentFields, { name: 'replyTo', type: ['null', 'long'] }],
  } as const),
  GroupCreated: codec({
    type: 'record',
    name: 'GroupCreated',
    namespace: es,
    fields: [...originFields, { name: 'name', type: 'string' }, { name: 'members', type: ids }],
  } as const),
  MembersAdded: codec({
    type: 'record',
    name: 'MembersAdded',
    namespace: es,
    fields: [...originFields, { name: 'members', type: ids }],
  } as const),
  MembersRemoved: codec({
    type: 'record',
    name: 'MembersRemoved',
    namespace: es,
    fields: [...originFields, { name: 'members', type: ids }],
  } as const),
  MessageRecalled: codec({
    type: 'record',
    name: 'MessageRecalled',
    namespace: es,
    fields: [...originFields, { name: 'target', type: targetSchema }],
  } as const),
  MessageEdited: codec({
    type: 'record',
    name: 'MessageEdited',
    namespace: es,
    fields: [...originFields, { name: 'target', type: targetSchema }, ...contentFields],
  } as const),
  Reacted: codec({
    type: 'record',
    name: 'Reacted',
    namespace: es,
    fields: [
      ...originFields,
      { name: 'target', type: targetSchema },
      { name: 'emoji', type: 'string' },
      { name: 'on', type: 'boolean' },
    ],
  } as const),
  MessagePinned: codec({
    type: 'record',
    name: 'MessagePinned',
    namespace: es,
    fields: [...originFields, { name: 'target', type: targetSchema }, { name: 'on', type: 'boolean' }],
  } as const),
  GroupDissolved: codec({
    type: 'record',
    name: 'GroupDissolved',
    namespace: es,
    fields: [...originFields],
  } as const),
  JoinRequested: codec({
    type: 'record',
    name: 'JoinRequested',
    namespace: es,
    fields: [...originFields, { name: 'note', type: 'string' }],
  } as const),
  /** Accepted: the user is a member from here on. */
  JoinAnswered: codec({
    type: 'record',
    name: 'JoinAnswered',
    namespace: es,
    fields: [...originFields, { name: 'user', type: 'string' }, { name: 'accept', type: 'boolean' }],
  } as const),
  RoleSet: codec({
    type: 'record',
    name: 'RoleSet',
    namespace: es,
    fields: [...originFields, { name: 'user', type: 'string' }, { name: 'role', type: 'string' }],
  } as const),
  MemberMuted: codec({
    type: 'record',
    name: 'MemberMuted',
    namespace: es,
    fields: [
      ...originFields,
      { name: 'user', type: 'string' },
      /** Broker time in ms; 0: not muted. */
      { name: 'until', type: 'long' },
    ],
  } as const),
  AllMuted: codec({
    type: 'record',
    name: 'AllMuted',
    namespace: es,
    fields: [...originFields, { name: 'on', type: 'boolean' }],
  } as const),
  GroupSet: codec({
    type: 'record',
    name: 'GroupSet',
    namespace: es,
    fields: [...originFields, ...groupProfileFields],
  } as const),
  Observing: codec({
    type: 'record',
    name: 'Observing',
    namespace: es,
    fields: [...originFields, { name: 'on', type: 'boolean' }],
  } as const),
  FriendRequested: codec({
    type: 'record',
    name: 'FriendRequested',
    namespace: es,
    fields: [...originFields, { name: 'note', type: 'string' }],
  } as const),
  FriendAnswered: codec({
    type: 'record',
    name: 'FriendAnswered',
    namespace: es,
    fields: [...originFields, { name: 'accept', type: 'boolean' }],
  } as const),
  /** Shown to its sender only. */
  FriendDeleted: codec({
    type: 'record',
    name: 'FriendDeleted',
    namespace: es,
    fields: [...originFields],
  } as const),
  /** Shown to its sender only. */
  Blocked: codec({
    type: 'record',
    name: 'Blocked',
    namespace: es,
    fields: [...originFields, { name: 'on', type: 'boolean' }],
  } as const),
  SettingSet: codec({
    type: 'record',
    name: 'SettingSet',
    namespace: es,
    fields: [...originFields, { name: 'key', type: 'string' }, { name: 'value', type: nullableString }],
  } as const),
  ProfileSet: codec({
    type: 'record',
    name: 'ProfileSet',
    namespace: es,
    fields: [...originFields, ...userProfileFields],
  } as const),
  ReadMarked: codec({
    type: 'record',
    name: 'ReadMarked',
    namespace: es,
    fields: [
      ...originFields,
      { name: 'conversationId', type: 'string' },
      { name: 'seq', type: 'long' },
      { name: 'ordinal', type: 'long' },
    ],
  } as const),
  Rejection: codec({
    type: 'record',
    name: 'Rejection',
    namespace: es,
    fields: [...originFields, { name: 'code', type: 'string' }],
  } as const),
  /** The first answer to the same (sender, packId): a seq, or a code. */
  Repeat: codec({
    type: 'record',
    name: 'Repeat',
    namespace: es,
    fields: [
      ...originFields,
      { name: 'seq', type: 'long' },
      { name: 'ordinal', type: 'long' },
      { name: 'time', type: 'long' },
      { name: 'code', type: nullableString },
      /** Same packId with another body: the first stays. */
      { name: 'conflict', type: 'boolean' },
    ],
  } as const),
  Claim: codec({
    type: 'record',
    name: 'Claim',
    namespace: es,
    fields: [{ name: 'owner', type: 'string' }],
  } as const),
}

/** What fan-out tells one gateway. A hint: losing one costs a resync, never a message. */
const deliverySchema = {
  type: 'record',
  name: 'Delivery',
  namespace: 'longwire',
  fields: [
    /** Which fan-out instance wrote this, for which partition, and its running number per (partition, gateway). */
    { name: 'instance', type: 'string' },
    { name: 'partition', type: 'int' },
    { name: 'counter', type: 'long' },
    /** Bytes of the im.events record to push; null where only an answer or a head is told. */
    { name: 'event', type: ['null', 'bytes'] },
    { name: 'stream', type: 'string' },
    /** With no event: the newest seq of the stream, for a client to catch up to. */
    { name: 'headSeq', type: 'long' },
    { name: 'recipients', type: ids },
    /** To everyone on that gateway who is in the large group `stream`, whom only the gateway knows; `recipients` get it too. */
    { name: 'channel', type: 'boolean', default: false },
    /** What concerns people of another stream: told once, and read again at connect. */
    {
      name: 'signal',
      type: [
        'null',
        {
          type: 'record',
          name: 'Signal',
          fields: [
            /** receipt: `user` has read `conversationId` up to `seq`. profile: that of `user` has changed. */
            { name: 'kind', type: { type: 'enum', name: 'SignalKind', symbols: ['receipt', 'profile'] } },
            { name: 'user', type: 'string' },
            { name: 'conversationId', type: 'string' },
            { name: 'seq', type: 'long' },
          ],
        },
      ],
      default: null,
    },
    {
      name: 'answer',
      type: [
        'null',
        {
          type: 'record',
          name: 'Answer',
          fields: [
            { name: 'boot', type: 'string' },
            { name: 'connection', type: 'string' },
            { name: 'packId', type: packId },
            /** null: committed. */
            { name: 'code', type: nullableString },
            { name: 'seq', type: 'long' },
            { name: 'ordinal', type: 'long' },
            { name: 'time', type: 'long' },
            { name: 'repeat', type: 'boolean' },
            { name: 'conflict', type: 'boolean' },
          ],
        },
      ],
    },
  ],
} as const

/** Heartbeat of a gateway on im.gateways, every gatewayHeartbeatMs. A null value there: the gateway has left. */
const gatewaySchema = {
  type: 'record',
  name: 'GatewayAlive',
  namespace: 'longwire',
  fields: [
    { name: 'gateway', type: 'string' },
    { name: 'boot', type: 'string' },
    { name: 'draining', type: 'boolean' },
  ],
} as const

/** One slice of one partition's fold, on im.snapshots. */
const snapshotSchema = {
  type: 'record',
  name: 'SnapshotChunk',
  namespace: 'longwire',
  fields: [
    /** Shared by all slices of one snapshot. */
    { name: 'id', type: 'string' },
    { name: 'generation', type: 'int' },
    /** Next offset of im.events to fold. */
    { name: 'offset', type: 'long' },
    { name: 'epoch', type: 'long' },
    { name: 'last', type: 'long' },
    { name: 'now', type: 'long' },
    { name: 'foldVersion', type: 'int' },
    { name: 'chunk', type: 'int' },
    { name: 'chunks', type: 'int' },
    /** SHA-256 over the bodies of all slices in order. */
    { name: 'hash', type: 'bytes' },
    { name: 'body', type: 'bytes' },
  ],
} as const

const deadLetterSchema = {
  type: 'record',
  name: 'DeadLetter',
  namespace: 'longwire',
  fields: [
    { name: 'topic', type: 'string' },
    { name: 'partition', type: 'int' },
    { name: 'offset', type: 'long' },
    { name: 'reason', type: 'string' },
    { name: 'detail', type: 'string' },
    { name: 'value', type: ['null', 'bytes'] },
  ],
} as const

export const records = {
  Envelope: codec(envelopeSchema),
  Command: codec(commandSchema),
  Delivery: codec(deliverySchema),
  GatewayAlive: codec(gatewaySchema),
  SnapshotChunk: codec(snapshotSchema),
  DeadLetter: codec(deadLetterSchema),
}

export type ReplyAddress = Infer<typeof replySchema>
export type Target = Infer<typeof targetSchema>
export type Envelope = Infer<typeof envelopeSchema>
export type Command = Infer<typeof commandSchema>
export type Delivery = Infer<typeof deliverySchema>
export type Answer = NonNullable<Delivery['answer']>
export type Signal = NonNullable<Delivery['signal']>
export type GatewayAlive = Infer<typeof gatewaySchema>
export type SnapshotChunk = Infer<typeof snapshotSchema>
export type DeadLetter = Infer<typeof deadLetterSchema>

type Payloads<T extends Record<string, { decode(b: Buffer): unknown }>> = {
  [K in keyof T]: { type: K } & ReturnType<T[K]['decode']>
}[keyof T]
export type CommandPayload = Payloads<typeof commandPayloads>
export type EventPayload = Payloads<typeof eventPayloads>
export type CommandType = keyof typeof commandPayloads
export type EventType = keyof typeof eventPayloads
export type PayloadOf<T extends EventType> = Extract<EventPayload, { type: T }>
