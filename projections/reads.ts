/** What the gateway reads: heads, conversation lists, history, changes. Answers of a model that trails say `partial`; the client asks again. */
import type { Conversation, Head, Item, Range } from '../schemas/frames.ts'
import type { ArchivePort, RedisPort } from './ports.ts'
import { archiveReads } from './reads/archive.ts'
import { lookup, sync } from './reads/changes.ts'
import { guard } from './reads/guard.ts'
import { history } from './reads/history.ts'
import { conversations, heads } from './reads/lists.ts'
import { liveReads } from './reads/live.ts'
import type { Sources } from './reads/sources.ts'

export interface Refused {
  readonly code: 'not_member'
}

export interface HeadsAnswer {
  readonly partial: boolean
  readonly heads: Head[]
}

export interface ConversationsAnswer {
  readonly partial: boolean
  readonly conversations: Conversation[]
}

export interface PageRequest {
  /** Exclusive. The newest page below it. */
  readonly before?: number | null
  /** Exclusive. The page that begins right above it. */
  readonly after?: number | null
  readonly limit?: number | null
}

export interface HistoryAnswer {
  readonly code: null
  readonly partial: boolean
  /** First and last seq that this reader may see now; toSeq is 0 where there is nothing yet. */
  readonly fromSeq: number
  readonly toSeq: number
  readonly more: boolean
  /** In seq order without a hole. */
  readonly items: Item[]
}

export interface SyncAnswer {
  readonly code: null
  readonly partial: boolean
  readonly reset: boolean
  readonly changesUpTo: number
  readonly changes: Item[]
}

export interface LookupAnswer {
  readonly partial: boolean
  /** Null is certain only with `partial: false`. */
  readonly found: { readonly seq: number; readonly ordinal: number; readonly time: number } | null
}

export interface StreamHeadAnswer {
  readonly partial: boolean
  /** Null: the stream has no event (certain only with `partial: false`). */
  readonly head: { readonly seq: number; readonly ordinal: number; readonly time: number } | null
}

/** Every call rejects with Fault `unavailable` when no store that could answer does. */
export interface ReadModels {
  /** Of every stream this user may read, `u:<user>` included, newest first, at most limits.headsPerAnswerMax. */
  heads(user: string): Promise<HeadsAnswer>
  conversations(user: string, limit?: number | null): Promise<ConversationsAnswer>
  history(user: string, conversationId: string, page: PageRequest): Promise<Refused | HistoryAnswer>
  /** Recalls and edits after `changesUpTo` whose target lies in a held range, in seq order. */
  sync(
    user: string,
    conversationId: string,
    request: { readonly ranges: readonly Range[]; readonly changesUpTo: number },
  ): Promise<Refused | SyncAnswer>
  /** Whether this user's command with this packId (text form) is an event of the conversation. */
  lookup(user: string, conversationId: string, packId: string): Promise<LookupAnswer>
  headOf(conversationId: string): Promise<StreamHeadAnswer>
}

export interface ReadModelsOptions {
  readonly redis: RedisPort
  readonly clickhouse: Pick<ArchivePort, 'query'>
  readonly partitions: number
  readonly generation: number
}

export function readModels({ redis, clickhouse, partitions, generation }: ReadModelsOptions): ReadModels {
  const sources: Sources = {
    live: liveReads(redis, { partitions, generation }),
    archive: archiveReads(clickhouse),
    // The client of Redis has its own limit of 500 ms per round trip; one read makes a few.
    redisGuard: guard('Redis', { timeoutMs: 2_000, running: 256, queued: 4_096, failures: 8, restMs: 500 }),
    archiveGuard: guard('the archive', {
      timeoutMs: 3_000,
      running: 8,
      queued: 64,
      failures: 5,
      restMs: 2_000,
    }),
  }
  return {
    heads: (user) => heads(sources, user),
    conversations: (user, limit) => conversations(sources, user, limit),
    history: (user, conversationId, page) => history(sources, user, conversationId, page),
    sync: (user, conversationId, request) => sync(sources, user, conversationId, request),
    lookup: (user, conversationId, packId) => lookup(sources, user, conversationId, packId),
    headOf: (conversationId) =>
      sources.redisGuard(async () => {
        const { value, complete } = await sources.live.whole(() => sources.live.heads([conversationId]))
        return { partial: !complete, head: value.get(conversationId) ?? null }
      }),
  }
}
