/** What clients are given and give: messages, conversations, groups, people. */
/** JSON content; `type` names its kind: text, image, voice, video, file, location, card, custom, system. Text is `{ type: 'text', text }`. */
export interface Content {
  readonly type: string
  readonly text?: string
  readonly [field: string]: unknown
}

export interface Message {
  readonly conversationId: string
  readonly seq: number
  /** Messages of the conversation up to and including this one. */
  readonly ordinal: number
  readonly senderId: string
  readonly packId: string
  /** Broker time in ms. */
  readonly sentAt: number
  /** Null: it was recalled. */
  readonly content: Content | null
  readonly mentions: readonly string[]
  readonly mentionAll: boolean
  readonly replyTo: number | null
  /** Seq of the edit or recall applied last, or null. */
  readonly changedBy: number | null
  /** As counted when it was read, by emoji; a message that is told has none yet. */
  readonly reactions: readonly Reaction[]
}

export interface Reaction {
  readonly emoji: string
  readonly count: number
  /** This user is among them. */
  readonly mine: boolean
}

export interface Recalled {
  readonly conversationId: string
  /** Of the recall itself. */
  readonly seq: number
  readonly targetSeq: number
  readonly byUserId: string
  readonly time: number
}

export interface Edited {
  readonly conversationId: string
  /** Of the edit itself. */
  readonly seq: number
  readonly targetSeq: number
  readonly byUserId: string
  readonly time: number
  readonly content: Content | null
  readonly mentions: readonly string[]
  readonly mentionAll: boolean
}

/** A reaction was put on a message, or taken off. The same one may come again and then changes nothing. */
export interface Reacted {
  readonly conversationId: string
  /** Of the reaction itself. */
  readonly seq: number
  readonly targetSeq: number
  readonly byUserId: string
  readonly time: number
  readonly emoji: string
  readonly on: boolean
}

/** A message was pinned or unpinned for all. A recall unpins, too, without an event of its own. */
export interface Pinned {
  readonly conversationId: string
  /** Of the pinning itself. */
  readonly seq: number
  readonly targetSeq: number
  readonly byUserId: string
  readonly time: number
  readonly on: boolean
}

export type GroupRole = 'owner' | 'admin' | 'member'
/** open: whoever asks is in. approval: an admin answers. closed: only by being added. */
export type JoinPolicy = 'open' | 'approval' | 'closed'
/** Who may add members. */
export type AddPolicy = 'members' | 'admins'

/** What owner and admins may change of a group; what is left out stays. `custom` is any JSON. */
export interface GroupSettings {
  readonly name?: string
  readonly avatar?: string
  readonly announcement?: string
  readonly custom?: unknown
  readonly joinPolicy?: JoinPolicy
  readonly addPolicy?: AddPolicy
}

export interface GroupChange {
  readonly conversationId: string
  readonly seq: number
  readonly kind:
    | 'created'
    | 'added'
    /** By an admin, or by oneself: left. */
    | 'removed'
    | 'dissolved'
    /** `byUserId` asks to join; owner and admins find his note in `Group.requests`. */
    | 'joinRequested'
    | 'joinAnswered'
    | 'roleSet'
    | 'muted'
    | 'allMuted'
    | 'groupSet'
    /** `byUserId` began or ended to observe. */
    | 'observing'
  readonly byUserId: string
  readonly time: number
  /** Whom it concerns: of created, added, removed, joinAnswered, roleSet, muted. */
  readonly members: readonly string[]
  /** Of created and groupSet: the new name. */
  readonly name: string | null
  /** Of roleSet. The owner before the new one is an admin then. */
  readonly role: GroupRole | null
  /** Of allMuted and observing: on or off. Of joinAnswered: accepted or not. */
  readonly on: boolean | null
  /** Of muted: server time in ms; 0: no longer. */
  readonly until: number | null
  /** Of groupSet: what changed. */
  readonly changes: GroupSettings | null
}

/** Between this user and another: each side hears of it, but of being blocked or deleted only who did it. */
export interface RelationChange {
  readonly conversationId: string
  readonly seq: number
  readonly kind: 'friendRequested' | 'friendAnswered' | 'friendDeleted' | 'blocked'
  readonly byUserId: string
  /** The other one of the two. */
  readonly userId: string
  readonly time: number
  /** Of friendAnswered: accepted or not. Of blocked: on or off. */
  readonly on: boolean | null
  /** Of friendRequested. */
  readonly note: string | null
}

/** A setting of one's own, changed on this or another device. */
export interface SettingChange {
  readonly key: string
  /** Null: taken away. */
  readonly value: string | null
  readonly seq: number
}

/** `custom` is any JSON, `birthday` YYYY-MM-DD. */
export interface ProfileFields {
  readonly name: string | null
  readonly avatar: string | null
  readonly birthday: string | null
  readonly region: string | null
  readonly gender: string | null
  readonly custom: unknown
}
export interface Profile extends ProfileFields {
  readonly userId: string
  /** Grows with each change; 0: nothing was ever set. */
  readonly version: number
}

/** One's own profile, or that of a friend that was asked for before. */
export interface ProfileChange {
  readonly userId: string
  readonly version: number
  /** To be written over what is held. */
  readonly changes: Partial<ProfileFields>
}

/** The other side of a single chat has read up to `seq`. */
export interface Receipt {
  readonly conversationId: string
  readonly userId: string
  readonly seq: number
}

/** Good for some 6 s. */
export interface Typing {
  readonly conversationId: string
  readonly userId: string
}

export interface Presence {
  readonly userId: string
  readonly online: boolean
  readonly devices: readonly { readonly deviceId: string; readonly deviceType: string }[]
}

export interface ConversationChange {
  readonly conversationId: string
  /**
   * new: first heard of. jumped: too far behind, messages up to `lastSeq` were not told one by one.
   * Reactions to older messages were not told then either. reset: what is held of it may miss recalls and edits; drop the
   * local copy and read it again.
   */
  readonly reason: 'new' | 'jumped' | 'reset'
  readonly lastSeq: number
}

/** A read mark of one's own, on this or another device. */
export interface ReadChange {
  readonly conversationId: string
  readonly seq: number
  readonly ordinal: number
}

export type { Windows } from '../schemas/windows.ts'

export type State = 'connecting' | 'online' | 'waiting' | 'closed'
export interface StateChange {
  readonly state: State
  /** Why it is not online: a code of the table, or 'lost' for a connection that broke. */
  readonly code: string | null
  readonly address: string | null
}

export interface Kicked {
  readonly code: string
  readonly message: string
  /** The login that took its place; null where the server does not say. `loginAt`: server time in ms. */
  readonly by: { readonly deviceId: string; readonly deviceType: string; readonly loginAt: number } | null
}

export interface Conversation {
  readonly conversationId: string
  readonly kind: 'single' | 'group'
  /** The other user's id in single chat (one's own for notes to oneself), else null. */
  readonly peerId: string | null
  readonly name: string | null
  readonly avatar: string | null
  readonly unread: number
  /** Unread messages that name this user; those that name everyone count apart. */
  readonly mentions: number
  readonly mentionsAll: number
  readonly lastSeq: number
  readonly lastTime: number
  readonly readSeq: number
  readonly readOrdinal: number
  /** Single chat: the other side has read up to here. */
  readonly peerReadSeq: number
  /** To the top of this user's list. */
  readonly pinned: boolean
  /** Do not disturb. */
  readonly muted: boolean
  readonly draft: string | null
  readonly dissolved: boolean
  readonly memberCount: number
  readonly preview: Message | null
}

export interface ConversationPage {
  /** Pinned ones before all, then newest first. */
  readonly conversations: readonly Conversation[]
  /** For `before` of the next page; null: this was the last. */
  readonly next: string | null
  readonly partial: boolean
}

export interface Overview extends ConversationPage {
  /** The newest page of the first conversations, by conversation id. */
  readonly pages: ReadonlyMap<string, Page>
}

export interface Sent {
  readonly conversationId: string
  readonly seq: number
  readonly ordinal: number
  readonly time: number
  readonly packId: string
}

export interface SendRequest {
  /** A user id, for single chat. Either this or conversationId. */
  readonly to?: string
  readonly conversationId?: string
  /** Short for content { type: 'text', text }. */
  readonly text?: string
  readonly content?: Content
  readonly mentions?: readonly string[]
  readonly mentionAll?: boolean
  readonly replyTo?: number
}

export interface Page {
  /** By seq, with edits and recalls applied. */
  readonly messages: readonly Message[]
  /** What happened to the group within the page. */
  readonly group: readonly GroupChange[]
  /** More exists on the side this page was asked towards. */
  readonly more: boolean
  /** True: the read model trails. What is missing at the new end will come; for the rest ask again. */
  readonly partial: boolean
  /** First and last seq that the page covers (0 and 0 when empty): `before: firstSeq` is the page above. */
  readonly firstSeq: number
  readonly lastSeq: number
  /** How far the conversation had come for this reader when the page was read. */
  readonly headSeq: number
}

/** From `from` up to and with `to`. */
export interface Range {
  readonly from: number
  readonly to: number
}

export interface Group {
  readonly conversationId: string
  readonly name: string
  readonly avatar: string | null
  readonly announcement: string | null
  /** JSON of the clients' own, or null. */
  readonly custom: unknown
  readonly joinPolicy: JoinPolicy
  readonly addPolicy: AddPolicy
  readonly memberCount: number
  readonly large: boolean
  readonly dissolved: boolean
  readonly allMuted: boolean
  /** Null: no member, who sees name, avatar, announcement, joinPolicy and memberCount only. */
  readonly role: GroupRole | null
  /** Server time in ms; 0: not muted. */
  readonly mutedUntil: number
  /** Seqs of pinned messages. */
  readonly pinned: readonly number[]
  /** This user has asked to join and waits. */
  readonly asked: boolean
  /** For owner and admins: who waits for an answer. */
  readonly requests: readonly { readonly userId: string; readonly note: string; readonly time: number }[]
  readonly partial: boolean
}

export interface Member {
  readonly userId: string
  readonly role: GroupRole
  readonly joinedSeq: number
  /** Server time in ms; 0: not muted. */
  readonly mutedUntil: number
}

export interface MemberPage {
  /** In the order in which they joined. */
  readonly members: readonly Member[]
  /** For `after` of the next page; null: this was the last. */
  readonly next: string | null
  readonly partial: boolean
}

export interface ReaderPage {
  /** All who have read it, not only those of this page. */
  readonly count: number
  readonly readers: readonly string[]
  /** For `after` of the next page; null: this was the last. */
  readonly next: string | null
  readonly partial: boolean
}

export interface SearchPage {
  /** Newest first. */
  readonly messages: readonly Message[]
  /** For `before` of the next page; null: this was the last. */
  readonly next: string | null
  readonly partial: boolean
}

export interface Relation {
  readonly userId: string
  /** asked: by this user. asking: the other side waits for an answer. */
  readonly state: 'none' | 'asked' | 'asking' | 'friend'
  /** By this user. */
  readonly blocked: boolean
  /** Of the request that waits. */
  readonly note: string | null
  /** This user's own name for the other. */
  readonly remark: string | null
}

export interface ImportProgress {
  /** Ids that are members now, counted from the front of the list. */
  readonly done: number
  readonly total: number
}
