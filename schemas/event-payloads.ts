/** Payloads of events, rejections, repeats and claims: what happened, as it stands in im.events. */
import { codec } from './avro.ts'
import {
  contentFields,
  groupProfileFields,
  ids,
  nullableString,
  packId,
  targetSchema,
  userProfileFields,
} from './record-parts.ts'

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
