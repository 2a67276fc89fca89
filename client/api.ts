/** The public face of the client: what it takes, gives and tells. Keep it small and stable. */
import type { Store } from './store.ts'
import type { WebSocketConstructor } from './transport.ts'

export interface ConnectOptions {
  /** ws(s)://…/ws, or several: the client begins at a random one and goes to the next when one fails. */
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
  /** Handlers that are there before the first event; `on()` right after `await connect()` misses none either. */
  readonly on?: Partial<Handlers>
  /** A conversation that is further behind jumps to its newest page and says so. Default 1,000 seqs. */
  readonly catchUpMax?: number
  /** How long the first connect may try before it rejects; 0 = for ever. Default 30,000. */
  readonly connectTimeoutMs?: number
  /** Asks the server for another heartbeat period. Default: the server's. */
  readonly heartbeatMs?: number
  /** Default: the global WebSocket (browsers; Node 22 or newer). */
  readonly WebSocket?: WebSocketConstructor
}

/** JSON content; `type` names its kind. Text is `{ type: 'text', text }`. */
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

export interface GroupChange {
  readonly conversationId: string
  readonly seq: number
  readonly kind: 'created' | 'added' | 'removed'
  readonly byUserId: string
  readonly members: readonly string[]
  readonly name: string | null
  readonly time: number
}

export interface ConversationChange {
  readonly conversationId: string
  /**
   * new: first heard of. jumped: too far behind, messages up to `lastSeq` were not told one by one.
   * reset: what is held of it may miss recalls and edits; drop the local copy and read it again.
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
  group(change: GroupChange): unknown
  conversation(change: ConversationChange): unknown
  read(change: ReadChange): unknown
  kicked(kicked: Kicked): unknown
  state(change: StateChange): unknown
}
export type EventName = keyof Handlers

export interface Conversation {
  readonly conversationId: string
  readonly kind: 'single' | 'group'
  /** The other user's id in single chat (one's own for notes to oneself), else null. */
  readonly peerId: string | null
  readonly name: string | null
  readonly unread: number
  readonly mentions: number
  readonly lastSeq: number
  readonly lastTime: number
  readonly readSeq: number
  readonly readOrdinal: number
  readonly memberCount: number
  readonly preview: Message | null
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
  /** True: the read model trails, what is missing at the new end will come. */
  readonly partial: boolean
  /** First and last seq that the page covers (0 and 0 when empty): `before: firstSeq` is the page above. */
  readonly firstSeq: number
  readonly lastSeq: number
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
  /** Resolves when committed; retries by itself until then. Rejects with a LongwireError when refused for good. */
  send(request: SendRequest): Promise<Sent>
  /** The creator is a member without being named. */
  createGroup(request: { name: string; members: readonly string[] }): Promise<Sent>
  addMembers(conversationId: string, members: readonly string[]): Promise<Sent>
  removeMembers(conversationId: string, members: readonly string[]): Promise<Sent>
  recall(conversationId: string, seq: number): Promise<Sent>
  edit(
    conversationId: string,
    seq: number,
    request: Pick<SendRequest, 'text' | 'content' | 'mentions' | 'mentionAll'>,
  ): Promise<Sent>
  /** Coalesced: at most one goes out per conversation in 2 s. Resolves when a mark at or beyond `seq` is committed. */
  markRead(conversationId: string, seq: number): Promise<void>
  /** Newest first. */
  conversations(options?: { limit?: number }): Promise<Conversation[]>
  /** A page before (default: the newest) or after a seq. */
  history(
    conversationId: string,
    options?: { before?: number; after?: number; limit?: number },
  ): Promise<Page>
  /** Returns a function that takes the handler away again. */
  on<E extends EventName>(event: E, handler: Handlers[E]): () => void
  off<E extends EventName>(event: E, handler: Handlers[E]): void
  stats(): Stats
  /** Waits up to `deadlineMs` (default 5,000) for the outbox, then logs out. What is left rejects with `closed`. */
  close(options?: { deadlineMs?: number }): Promise<void>
}
