/** The public face of the client: what it takes, gives and tells. Keep it small and stable. */
import type {
  Conversation,
  ConversationChange,
  ConversationPage,
  Edited,
  Group,
  GroupChange,
  GroupSettings,
  ImportProgress,
  Kicked,
  MemberPage,
  Message,
  Overview,
  Page,
  Pinned,
  Presence,
  Profile,
  ProfileChange,
  ProfileFields,
  Range,
  Reacted,
  ReadChange,
  ReaderPage,
  Recalled,
  Receipt,
  Relation,
  RelationChange,
  SearchPage,
  SendRequest,
  Sent,
  SettingChange,
  State,
  StateChange,
  Typing,
  Windows,
} from './model.ts'
import type { JoinedRoom, RoomNews } from './room-model.ts'
import type { Store } from './store.ts'
import type { WebSocketConstructor } from './transport.ts'

export type * from './model.ts'
export type * from './room-model.ts'

/** `kind` says what the operator's service wants; all else in it is between that service and the app. */
export interface Challenge {
  readonly kind: string
  readonly [name: string]: unknown
}

export interface ConnectOptions {
  /**
   * ws(s)://…/ws, on Node omtp(s)://host:port as well, or several of any kind: the client begins at a random one and goes to the next when one fails. Where a WebSocket gets nothing
   * through it polls at http(s)://…/poll by itself, and goes back when one does; http(s)://…/poll as an address polls only.
   */
  readonly url: string | readonly string[]
  /** A token, or a function that fetches a fresh one for each login. */
  readonly token: string | (() => string | Promise<string>)
  /** Stable per installation. Default: random for each client. */
  readonly deviceId?: string
  /** Default 'web' in browsers, 'node' elsewhere. */
  readonly deviceType?: string
  /** Keeps positions and the outbox over restarts. Default: memory. */
  readonly store?: Store
  /** Default 'json'. 'avro' is smaller on the wire and for Node only. */
  readonly codec?: 'json' | 'avro'
  /** Of omtp addresses. */
  readonly omtp?: {
    /** How payloads are written. Default 'json'. */
    readonly encoding?: 'json' | 'protobuf' | 'xml' | 'tars'
    /** Whether they are compressed where that pays. Default false. */
    readonly compress?: boolean
    /** PEM text of the authority of omtps servers. Default: those that Node trusts. */
    readonly ca?: string
  }
  /**
   * Handlers that are there before the first event; `on()` right after `await connect()` misses none either. What changed of
   * messages held in `store` while it was away is told to handlers given here before connect() resolves.
   */
  readonly on?: Partial<Handlers>
  /** A conversation that is further behind jumps to its newest page and says so. Default 1,000 seqs. */
  readonly catchUpMax?: number
  /** How long the first connect may try before it rejects; 0 = for ever. Default 30,000. */
  readonly connectTimeoutMs?: number
  /** Asks the server for another heartbeat period. Default: the server's. */
  readonly heartbeatMs?: number
  /**
   * Answers what the server asks of a suspicious login, such as a captcha or an SMS code: resolves with the proof, however long a
   * person takes. Without it, or when it rejects, such a login fails with `proof_required`.
   */
  readonly onChallenge?: (challenge: Challenge) => string | Promise<string>
  /** Default: the global WebSocket (browsers; Node 22 or newer). */
  readonly WebSocket?: WebSocketConstructor
}
/**
 * A handler may return a promise: then the event is acknowledged to the server when it settles. What a handler throws
 * is thrown again outside of the client, and the client goes on.
 */
export interface Handlers {
  /** Every message from when this client came on, one's own included: by seq per conversation, each once. */
  message(message: Message): unknown
  recalled(change: Recalled): unknown
  edited(change: Edited): unknown
  reaction(change: Reacted): unknown
  pinned(change: Pinned): unknown
  group(change: GroupChange): unknown
  relation(change: RelationChange): unknown
  setting(change: SettingChange): unknown
  profile(change: ProfileChange): unknown
  conversation(change: ConversationChange): unknown
  read(change: ReadChange): unknown
  receipt(receipt: Receipt): unknown
  typing(typing: Typing): unknown
  presence(presence: Presence): unknown
  /** Of the live room that this client is in, one's own messages included. */
  room(news: RoomNews): unknown
  kicked(kicked: Kicked): unknown
  state(change: StateChange): unknown
}
export type EventName = keyof Handlers

/** Events that say what messages of a conversation look like now. */
export type ViewEvent = 'message' | 'recalled' | 'edited' | 'reaction' | 'conversation'

/**
 * The messages of one conversation as an app holds them. Events and pages may come in any order and more than once, with
 * changes before their messages: the same set of them always makes the same state.
 */
export interface ConversationView {
  readonly conversationId: string
  /** An event as its handler gets it; one of another conversation changes nothing. */
  apply<E extends ViewEvent>(event: E, value: Parameters<Handlers[E]>[0]): void
  applyPage(page: Page): void
  /** By seq, as they stand now. */
  messages(): readonly Message[]
  message(seq: number): Message | null
}

/** Counters since the client was made. */
export interface Stats {
  readonly received: number
  /** Events that came again and were dropped. */
  readonly duplicates: number
  /** Gaps that were filled by reading history. */
  readonly gapsHealed: number
  readonly jumps: number
  readonly reconnects: number
  readonly resends: number
  readonly outbox: number
}

export interface Client {
  readonly userId: string
  readonly deviceId: string
  readonly state: State
  /** The server's clock in ms, as far as this client knows it. */
  serverTime(): number
  /** For how long the server lets an author recall and edit, in ms. */
  windows(): Windows
  /** Resolves when committed; retries by itself until then. Rejects with a LongwireError when refused for good. */
  send(request: SendRequest): Promise<Sent>
  /** The creator is a member without being named. */
  createGroup(request: { name: string; members: readonly string[] }): Promise<Sent>
  addMembers(conversationId: string, members: readonly string[]): Promise<Sent>
  removeMembers(conversationId: string, members: readonly string[]): Promise<Sent>
  /**
   * Adds any number of members, in parts, one after the other; ids that are members already count as done, so after a
   * failure the same call goes on where it was.
   */
  importMembers(
    conversationId: string,
    userIds: readonly string[],
    options?: { onProgress?: (progress: ImportProgress) => void },
  ): Promise<ImportProgress>
  recall(conversationId: string, seq: number): Promise<Sent>
  edit(
    conversationId: string,
    seq: number,
    request: Pick<SendRequest, 'text' | 'content' | 'mentions' | 'mentionAll'>,
  ): Promise<Sent>
  react(conversationId: string, seq: number, emoji: string, on?: boolean): Promise<Sent>
  /** For all in the conversation. */
  pin(conversationId: string, seq: number, on?: boolean): Promise<Sent>
  /** Told to who is online, or dropped; goes out at most once in 3 s per conversation. */
  typing(conversationId: string): void
  /** Coalesced: at most one goes out per conversation in 2 s. Resolves when a mark at or beyond `seq` is committed. */
  markRead(conversationId: string, seq: number): Promise<void>

  requestJoin(conversationId: string, note?: string): Promise<Sent>
  answerJoin(conversationId: string, userId: string, accept: boolean): Promise<Sent>
  setRole(conversationId: string, userId: string, role: 'admin' | 'member'): Promise<Sent>
  /** Makes another member the owner; this user is an admin then. */
  transfer(conversationId: string, userId: string): Promise<Sent>
  /** 0 ends it. */
  mute(conversationId: string, userId: string, forMs: number): Promise<Sent>
  /** Only owner and admins may send then. */
  muteAll(conversationId: string, on?: boolean): Promise<Sent>
  setGroup(conversationId: string, changes: GroupSettings): Promise<Sent>
  leave(conversationId: string): Promise<Sent>
  dissolve(conversationId: string): Promise<Sent>
  /** Follows a conversation without being in it. Only with the right in the token. */
  observe(conversationId: string, on?: boolean): Promise<Sent>

  requestFriend(userId: string, note?: string): Promise<Sent>
  answerFriend(userId: string, accept: boolean): Promise<Sent>
  deleteFriend(userId: string): Promise<Sent>
  block(userId: string): Promise<Sent>
  unblock(userId: string): Promise<Sent>
  /** This user's own name for another; empty takes it away. */
  remark(userId: string, text: string): Promise<void>
  setProfile(changes: Partial<ProfileFields>): Promise<Sent>
  /** Null takes the key away. Coalesced: at most one goes out per key in 1 s, the last value counts. */
  setSetting(key: string, value: string | null): Promise<void>
  pinConversation(conversationId: string, on?: boolean): Promise<void>
  /** Do not disturb. */
  muteConversation(conversationId: string, on?: boolean): Promise<void>
  /** Empty takes it away. */
  setDraft(conversationId: string, text: string): Promise<void>
  /** Out of this user's list, read, until its next message. */
  deleteConversation(conversationId: string): Promise<void>

  /** Pinned ones before all, then newest first. The first page of `conversationPage`. */
  conversations(options?: { limit?: number }): Promise<Conversation[]>
  conversationPage(options?: { limit?: number; before?: string }): Promise<ConversationPage>
  /** For the start: the list, and the newest page of its first `pages` conversations, in compressed batches. */
  overview(options?: { limit?: number; pages?: number }): Promise<Overview>
  /** A page before (default: the newest) or after a seq. */
  history(
    conversationId: string,
    options?: { before?: number; after?: number; limit?: number },
  ): Promise<Page>
  /** One message, as for a quote; null: there is none at `seq` that this user may see. */
  message(conversationId: string, seq: number): Promise<Message | null>
  /** The newest `limit` (default 200) messages that count as unread, by seq. */
  unreadMessages(conversationId: string, options?: { limit?: number }): Promise<Message[]>
  /** What this client has told or read without a gap, in order. */
  held(conversationId: string): readonly Range[]
  search(request: {
    query: string
    conversationId?: string
    before?: string
    limit?: number
  }): Promise<SearchPage>
  /** Who has read the message at `seq`, without its sender. */
  readers(
    conversationId: string,
    seq: number,
    options?: { after?: string; limit?: number },
  ): Promise<ReaderPage>
  group(conversationId: string): Promise<Group>
  members(conversationId: string, options?: { after?: string; limit?: number }): Promise<MemberPage>
  relations(): Promise<Relation[]>
  /** In the order asked for. From then on changes of those who are friends are told. */
  profiles(userIds: readonly string[]): Promise<Profile[]>
  settings(): Promise<ReadonlyMap<string, string>>
  /** Their state now; from then on changes are told, over reconnects too. Only friends' presence is shown. */
  subscribePresence(userIds: readonly string[]): Promise<Presence[]>
  unsubscribePresence(userIds: readonly string[]): Promise<void>

  /**
   * Into a live room, out of any other; `send` to `conversationId` then speaks in it. Over reconnects it stays there, and the next
   * event says what was missed. Rejects `superseded` when a later call took its place.
   */
  joinRoom(roomId: string, options?: { newest?: number }): Promise<JoinedRoom>
  leaveRoom(): Promise<void>

  /** Returns a function that takes the handler away again. */
  on<E extends EventName>(event: E, handler: Handlers[E]): () => void
  off<E extends EventName>(event: E, handler: Handlers[E]): void
  stats(): Stats
  /** Waits up to `deadlineMs` (default 5,000) for the outbox, then logs out. What is left rejects with `closed`. */
  close(options?: { deadlineMs?: number }): Promise<void>
}
