/** Accepted records for tests of `project`: an event in a stream, with fields that matter and defaults for the rest. */
import type { Accepted } from '../../../projections/projection.ts'
import { encodeEventPayload } from '../../../schemas/codec.ts'
import type { EventPayload } from '../../../schemas/records.ts'
import { packId, T0 } from '../commands.ts'

type Fields<T extends EventPayload['type']> = Partial<Omit<Extract<EventPayload, { type: T }>, 'type'>>

const content = {
  contentType: 'text',
  content: Buffer.from('{"text":"hi"}'),
  keyId: null,
  mentions: [],
  mentionAll: false,
}

/** Facts of a message that a recall or an edit names. */
export const target = (seq: number, sender = 'ann') => ({
  seq,
  ordinal: seq,
  sender,
  time: T0 + seq,
  packId: packId(T0 + seq, seq),
})

const none = { name: null, avatar: null, custom: null }

const defaults: { [T in EventPayload['type']]?: object } = {
  MessageSent: { ...content, replyTo: null },
  MessageEdited: { ...content, target: target(1) },
  MessageRecalled: { target: target(1) },
  GroupCreated: { name: 'the group', members: ['ann'] },
  MembersAdded: { members: ['bob'] },
  MembersRemoved: { members: ['bob'] },
  ReadMarked: { conversationId: 'p2p:ann:bob', seq: 1, ordinal: 1 },
  Rejection: { code: 'not_member' },
  Reacted: { target: target(1), emoji: '👍', on: true },
  MessagePinned: { target: target(1), on: true },
  JoinRequested: { note: 'let me in' },
  JoinAnswered: { user: 'bob', accept: true },
  RoleSet: { user: 'bob', role: 'admin' },
  MemberMuted: { user: 'bob', until: T0 + 60_000 },
  AllMuted: { on: true },
  GroupSet: { ...none, joinPolicy: null, addPolicy: null, announcement: null },
  Observing: { on: true },
  FriendRequested: { note: 'it is me' },
  FriendAnswered: { accept: true },
  Blocked: { on: true },
  SettingSet: { key: 'theme', value: 'dark' },
  ProfileSet: { ...none, birthday: null, region: null, gender: null },
}

export function accepted<T extends EventPayload['type']>(
  at: { stream?: string; seq?: number; ordinal?: number; sender?: string; offset?: number },
  type: T,
  fields: Fields<T> = {},
): Accepted {
  const { stream = 'p2p:ann:bob', seq = 1, ordinal = seq, sender = 'ann', offset = seq } = at
  const origin = { packId: packId(T0 + seq, seq), sender, device: 'd1', bodyHash: 0 }
  const payload = { type, ...origin, ...defaults[type], ...fields } as unknown as EventPayload
  const kind = type === 'Rejection' ? 'rejection' : type === 'Repeat' ? 'repeat' : 'event'
  return {
    partition: 0,
    offset,
    envelope: {
      kind,
      generation: 0,
      epoch: 0,
      source: offset - 1,
      stream,
      seq: kind === 'event' ? seq : 0,
      ordinal,
      time: T0 + seq,
      trace: null,
      reply: null,
      ...encodeEventPayload(payload),
    },
    payload,
  }
}

/** The same record as one whose payload cannot be read. */
export const undecodable = (record: Accepted): Accepted => ({ ...record, payload: null })
