/** Payloads of commands: what clients ask, as it stands in im.commands. */
import { codec } from './avro.ts'
import {
  contentFields,
  groupProfileFields,
  ids,
  nullableString,
  targetSchema,
  userProfileFields,
} from './record-parts.ts'

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
