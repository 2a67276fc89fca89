import {
  ackSchema,
  content,
  conversationId,
  frame,
  id,
  optLong,
  optString,
  packId,
  rangeSchema,
  strings,
  userId,
} from './frame-parts.ts'

/** What a client may send. Commands carry a packId and are answered accepted, then committed or rejected; requests carry an id. */
export const clientFrames = {
  login: frame('Login', [
    { name: 'token', type: 'string' },
    { name: 'deviceId', type: 'string' },
    { name: 'deviceType', type: 'string' },
    { name: 'protocol', type: 'int' },
    { name: 'heartbeatMs', type: ['null', 'int'] },
    /** The answer to the `challenge` of an earlier bye: what a captcha or an SMS code proves. */
    { name: 'proof', type: optString },
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
  /** A live room: out of the one that this connection was in, into this one. `newest`: messages to begin with. */
  joinRoom: frame('JoinRoom', [
    id,
    { name: 'roomId', type: 'string' },
    { name: 'newest', type: ['null', 'int'] },
  ]),
  leaveRoom: frame('LeaveRoom', [id]),
  logout: frame('Logout', [{ name: 'reason', type: optString }]),
} as const
