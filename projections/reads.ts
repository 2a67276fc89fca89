/** What the gateway reads: heads, lists, history, changes, groups, people, search. Answers of a model that trails say `partial`; the client asks again. */
import type {
  Conversation,
  Head,
  Item,
  Member,
  Profile,
  Range,
  Reaction,
  Relation,
  ServerFrames,
  Setting,
} from '../schemas/frames.ts'
import type { Clock } from '../schemas/ports.ts'
import type { Target } from '../schemas/records.ts'
import type { ArchivePort, RedisPort } from './ports.ts'
import { archiveReads } from './reads/archive.ts'
import { archiveSearch } from './reads/archive-search.ts'
import { channelsOf, membersAmong, typingAudience } from './reads/audience.ts'
import { lookup, sync } from './reads/changes.ts'
import { endFor } from './reads/end.ts'
import { group } from './reads/group.ts'
import { guard } from './reads/guard.ts'
import { history } from './reads/history.ts'
import { conversationsOf, heads } from './reads/lists.ts'
import { liveReads } from './reads/live.ts'
import { members } from './reads/members.ts'
import { withoutObserving } from './reads/observing.ts'
import { overview } from './reads/overview.ts'
import { openFriends, profiles, relations, settings } from './reads/people.ts'
import { KEEP_ALL, type Policies } from './reads/policy.ts'
import { readersOf } from './reads/readers.ts'
import { roomPage } from './reads/room.ts'
import { type SearchSources, search } from './reads/search.ts'
import { readLive } from './reads/sources.ts'
import { target } from './reads/target.ts'

export interface Refused {
  readonly code: 'not_member'
}

export interface HeadsAnswer {
  readonly partial: boolean
  readonly heads: Head[]
}

export interface ConversationsRequest {
  readonly limit?: number | null
  /** `next` of the page above. */
  readonly before?: string | null
}

export interface ConversationsAnswer {
  readonly partial: boolean
  readonly conversations: Conversation[]
  /** Null: this was the last page. */
  readonly next: string | null
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
  /** Of the messages among the items. */
  readonly reactions: Reaction[]
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

export interface EndAnswer {
  readonly partial: boolean
  /** Null: the user neither is nor was in it. Zeros: nothing happened yet. */
  readonly end: { readonly seq: number; readonly ordinal: number } | null
}

export interface GroupAnswer {
  readonly code: null
  readonly partial: boolean
  readonly group: Omit<ServerFrames['groupResult'], 'type' | 'id' | 'partial'>
}

export interface ListRequest {
  /** `next` of the page before. */
  readonly after?: string | null
  readonly limit?: number | null
}

export interface MembersAnswer {
  readonly code: null
  readonly partial: boolean
  readonly members: Member[]
  readonly next: string | null
}

export interface ReadersAnswer {
  readonly code: null
  readonly partial: boolean
  /** Of all pages. */
  readonly count: number
  readonly readers: string[]
  readonly next: string | null
}

export interface RelationsAnswer {
  readonly partial: boolean
  readonly relations: Relation[]
}

export interface ProfilesAnswer {
  readonly partial: boolean
  /** One for each id asked for, in that order; of a user who never set anything it is empty, with version 0. */
  readonly profiles: Profile[]
}

export interface SettingsAnswer {
  readonly partial: boolean
  readonly settings: Setting[]
}

export interface SearchRequest {
  readonly query: string
  /** Null: in all conversations of this reader. */
  readonly conversationId?: string | null
  /** `next` of the page above. */
  readonly before?: string | null
  readonly limit?: number | null
}

export interface SearchAnswer {
  readonly code: null
  readonly partial: boolean
  /** Newest first, as they stand now. */
  readonly items: Item[]
  readonly next: string | null
}

export interface TargetAnswer {
  readonly partial: boolean
  /** Null: there is no such message, or this reader may not see it (certain only with `partial: false`). */
  readonly target: Target | null
}

export interface OverviewRequest {
  /** Conversations in the list. */
  readonly limit?: number | null
  /** Of how many of them the newest page is told. */
  readonly pages?: number | null
}

export interface OverviewAnswer {
  readonly conversations: ConversationsAnswer
  readonly pages: readonly { readonly conversationId: string; readonly page: HistoryAnswer }[]
}

export interface ChannelsAnswer {
  readonly partial: boolean
  /** Large groups that the user is a member of now. */
  readonly channels: string[]
}

export interface RoomPage {
  readonly partial: boolean
  /** The page ends here. */
  readonly headSeq: number
  /** In seq order, as they stand now. */
  readonly items: Item[]
}

/**
 * For members, past ones included: what a user merely observes is answered by `observing` alone. Every call rejects with Fault
 * `unavailable` when no store that could answer does.
 */
export interface ReadModels {
  /** The same for a connection whose token gives the right to observe. */
  readonly observing: Pick<
    ReadModels,
    'heads' | 'history' | 'sync' | 'group' | 'members' | 'readers' | 'search' | 'target' | 'overview'
  >
  /** Of every stream this user may read, `u:<user>` included, newest first, at most limits.headsPerAnswerMax. */
  heads(user: string): Promise<HeadsAnswer>
  /** Pinned ones before all, then newest first. */
  conversations(user: string, ask: ConversationsRequest): Promise<ConversationsAnswer>
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
  /** Where the conversation ends for this user. */
  endFor(user: string, conversationId: string): Promise<EndAnswer>
  /** An outsider gets the public part (role null); `not_member` only where there is no such group. */
  group(user: string, conversationId: string): Promise<Refused | GroupAnswer>
  /** In the order of joining. For those who are members now. */
  members(user: string, conversationId: string, ask: ListRequest): Promise<Refused | MembersAnswer>
  /** Members other than its sender who have read up to the message at `seq`, of those who had joined by then, by user id. For those who are members now. */
  readers(
    user: string,
    conversationId: string,
    ask: ListRequest & { readonly seq: number },
  ): Promise<Refused | ReadersAnswer>
  /** Friends, requests, those who are blocked or have a remark, by user id; at most limits.relationsPerUserMax. */
  relations(user: string): Promise<RelationsAnswer>
  /** Those of `others` who are friends of this user's, of whom neither blocks the other. Rejects with Fault `unavailable` where that is not certain. */
  openFriends(user: string, others: readonly string[]): Promise<string[]>
  profiles(users: readonly string[]): Promise<ProfilesAnswer>
  settings(user: string): Promise<SettingsAnswer>
  search(user: string, ask: SearchRequest): Promise<Refused | SearchAnswer>
  /** Immutable facts of a message, for a command that changes it. */
  target(user: string, conversationId: string, seq: number): Promise<TargetAnswer>
  /** The first page of the list, and the newest pages of its first conversations. */
  overview(user: string, ask: OverviewRequest): Promise<OverviewAnswer>
  channelsOf(user: string): Promise<ChannelsAnswer>
  /**
   * Which of these users are members now, each with the seq of the event that let him in. Rejects with Fault `unavailable`
   * where that is not certain: during a rebuild, and while the directory has not come to `atLeast`, a seq of that group
   * (default 0).
   */
  membersAmong(
    conversationId: string,
    users: readonly string[],
    atLeast?: number,
  ): Promise<ReadonlyMap<string, number>>
  /** Who is shown that this user types, without him; null: nobody is (too large, blocked, not a member, not certain). */
  typingAudience(user: string, conversationId: string): Promise<string[] | null>
  /** The newest of a live room, whose readers only gateways know. */
  roomPage(conversationId: string, limit: number): Promise<RoomPage>
}

export interface ReadModelsOptions {
  readonly redis: RedisPort
  readonly clickhouse: Pick<ArchivePort, 'query'>
  readonly partitions: number
  readonly generation: number
  readonly clock: Clock
  /** Default: everything is kept for ever. */
  readonly policies?: Policies
}

export function readModels(options: ReadModelsOptions): ReadModels {
  const { redis, clickhouse, partitions, generation, clock } = options
  const all: SearchSources = {
    live: liveReads(redis, { partitions, generation }),
    archive: archiveReads(clickhouse, clock),
    // The client of Redis has its own limit of 500 ms per round trip; one read makes a few.
    redisGuard: guard('Redis', { timeoutMs: 2_000, running: 256, queued: 4_096, failures: 8, restMs: 500 }),
    archiveGuard: guard('the archive', {
      timeoutMs: 3_000,
      running: 8,
      queued: 64,
      failures: 5,
      restMs: 2_000,
    }),
    search: archiveSearch(clickhouse),
    // Apart from history: a search may take long, and must not wait for it or hold it up.
    searchGuard: guard('the search', {
      timeoutMs: 5_000,
      running: 4,
      queued: 64,
      failures: 5,
      restMs: 2_000,
    }),
    policies: options.policies ?? KEEP_ALL,
    clock,
  }
  const sources = withoutObserving(all)
  const readers = readersOf(sources)
  const models: ReadModels = {
    observing: {
      heads: (user) => heads(all, user),
      history: (user, conversationId, page) => history(all, user, conversationId, page),
      sync: (user, conversationId, request) => sync(all, user, conversationId, request),
      group: (user, conversationId) => group(all, user, conversationId),
      members: (user, conversationId, ask) => members(all, user, conversationId, ask),
      readers: (user, conversationId, ask) => readers(user, conversationId, ask, all),
      search: (user, ask) => search(all, user, ask),
      target: (user, conversationId, seq) => target(all, user, conversationId, seq),
      overview: (user, ask) => overview({ ...models, ...models.observing }, user, ask),
    },
    heads: (user) => heads(sources, user),
    conversations: conversationsOf(sources),
    history: (user, conversationId, page) => history(sources, user, conversationId, page),
    sync: (user, conversationId, request) => sync(sources, user, conversationId, request),
    lookup: (user, conversationId, packId) => lookup(sources, user, conversationId, packId),
    async headOf(conversationId) {
      const { value, complete } = await readLive(sources, () => sources.live.heads([conversationId]))
      return { partial: !complete, head: value.get(conversationId) ?? null }
    },
    endFor: (user, conversationId) => endFor(sources, user, conversationId),
    group: (user, conversationId) => group(sources, user, conversationId),
    members: (user, conversationId, ask) => members(sources, user, conversationId, ask),
    readers,
    relations: (user) => relations(sources, user),
    openFriends: (user, others) => openFriends(sources, user, others),
    profiles: (users) => profiles(sources, users),
    settings: (user) => settings(sources, user),
    search: (user, ask) => search(sources, user, ask),
    overview: (user, ask) => overview(models, user, ask),
    target: (user, conversationId, seq) => target(sources, user, conversationId, seq),
    channelsOf: (user) => channelsOf(sources, user),
    membersAmong: (conversationId, users, atLeast) => membersAmong(sources, conversationId, users, atLeast),
    typingAudience: (user, conversationId) => typingAudience(sources, user, conversationId),
    roomPage: (conversationId, limit) => roomPage(sources, conversationId, limit),
  }
  return models
}
