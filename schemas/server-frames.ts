import {
  conversationId,
  conversationSchema,
  frame,
  headSchema,
  id,
  itemSchema,
  joinRequestSchema,
  kickerSchema,
  memberSchema,
  optLong,
  optString,
  packId,
  presenceSchema,
  profileSchema,
  reactionSchema,
  relationSchema,
  settingSchema,
  strings,
  userId,
} from './frame-parts.ts'
import { limits } from './limits.ts'

/** What a gateway sends. */
export const serverFrames = {
  welcome: frame('Welcome', [
    { name: 'userId', type: 'string' },
    { name: 'connectionId', type: 'string' },
    { name: 'gatewayId', type: 'string' },
    { name: 'serverTime', type: 'long' },
    { name: 'heartbeatMs', type: 'int' },
    { name: 'recallWindowMs', type: 'long', default: limits.recallWindowMs },
    { name: 'editWindowMs', type: 'long', default: limits.editWindowMs },
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
  userTyping: frame('UserTyping', [conversationId, userId]),
  /** The profile of someone who is a friend has changed; read it again. */
  profileChanged: frame('ProfileChanged', [userId]),
  presenceChanges: frame('PresenceChanges', [
    { name: 'changes', type: { type: 'array', items: presenceSchema } },
  ]),
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
  /**
   * Of joinRoom and leaveRoom: from here on the messages of this room come, and of no other; null: of none. The items are the
   * newest up to `headSeq`.
   */
  roomResult: frame('RoomResult', [
    id,
    { name: 'conversationId', type: optString },
    { name: 'partial', type: 'boolean' },
    { name: 'headSeq', type: 'long' },
    { name: 'items', type: { type: 'array', items: itemSchema } },
  ]),
  /** Messages of the room, merged under load. Not acknowledged; `skipped`: as many before these were left out. */
  roomItems: frame('RoomItems', [
    conversationId,
    { name: 'skipped', type: 'long' },
    { name: 'items', type: { type: 'array', items: itemSchema } },
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
    /** Of kicked: the login that took its place. */
    { name: 'kickedBy', type: ['null', kickerSchema] },
    /** Of proof_required: JSON text of what must be solved; the answer goes into the next login's `proof`. */
    { name: 'challenge', type: optString },
  ]),
} as const
