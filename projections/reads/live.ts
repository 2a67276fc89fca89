/** Reads of the Redis projections. */
import type { Item, Reaction } from '../../schemas/frames.ts'
import { inBatches } from '../batches.ts'
import { type Interval, parseFacts } from '../directory/membership.ts'
import { countOwn } from '../inbox/own.ts'
import { readConversation } from '../inbox/read-conversation.ts'
import { unreadOf } from '../inbox/unread.ts'
import { keys } from '../keys.ts'
import { valueIn } from '../latest.ts'
import { completeness, readPositions } from '../live/positions.ts'
import type { RedisCall, RedisPort, RedisReply } from '../ports.ts'
import { itemFrom } from '../timeline/element.ts'
import { readChanges, readItems, readReactions } from '../timeline/scripts.ts'
import type { Change } from './knowledge.ts'

export interface LiveHead {
  readonly seq: number
  readonly ordinal: number
  readonly time: number
  /** How far the timeline has come, and all that is counted with it; heads may be ahead of it. */
  readonly applied: number
  readonly appliedOrdinal: number
  /** Seq of the newest message up to `applied`; 0: none. */
  readonly message: number
}

/** What the list shows of one conversation beside its head. */
export interface ConversationDetail {
  readonly name: string | null
  readonly avatar: string | null
  readonly dissolved: boolean
  readonly memberCount: number
  readonly unread: number
  readonly mentions: number
  readonly mentionsAll: number
  readonly preview: Item | null
  readonly peerReadSeq: number
}

const FIELDS_ASKED_MAX = 1_000
/** As readConversation takes them. */
const detailKeys = [
  keys.head,
  keys.timeline,
  keys.members,
  keys.group,
  keys.readers,
  keys.recalled,
  keys.recalledBy,
  keys.mentions,
  keys.mentionsAll,
]

export function liveReads(redis: RedisPort, options: { partitions: number; generation: number }) {
  const batch = (calls: readonly RedisCall[]) => inBatches(redis, calls)

  async function completenessNow(): Promise<string | null> {
    const [reply] = await redis.batch([readPositions()])
    return completeness(reply, options.partitions, options.generation)
  }

  return {
    batch,

    /**
     * Reads, and tells whether all that the log held was in Redis meanwhile. Asked on both sides: what was read during a rebuild
     * is not made whole by the rebuild's end.
     */
    async whole<T>(read: () => Promise<T>): Promise<{ readonly value: T; readonly complete: boolean }> {
      const before = await completenessNow()
      const value = await read()
      return { value, complete: before !== null && (await completenessNow()) === before }
    },

    async heads(streams: readonly string[]): Promise<Map<string, LiveHead>> {
      const replies = await batch(streams.map(readHead))
      const heads = new Map<string, LiveHead>()
      for (const [i, stream] of streams.entries()) {
        const head = headIn(replies[i])
        if (head) heads.set(stream, head)
      }
      return heads
    },

    /** Streams that the user follows, as a member or fixed reader and as an observer, and the settings that order the list. */
    async listOf(user: string) {
      const [listed, observed, settings] = await redis.batch([
        ['SMEMBERS', keys.conversations(user)],
        ['HKEYS', keys.observing(user)],
        ['HGETALL', keys.listSettings(user)],
      ])
      return { listed: strings(listed), observed: strings(observed), settings: latestPairs(settings) }
    },

    /** By stream; of all where many are asked for, as one round trip of one command is then the cheaper one. */
    async factsAndReads(user: string, streams: readonly string[]) {
      const hashes = [keys.memberships(user), keys.observing(user), keys.reads(user)]
      const all = streams.length > FIELDS_ASKED_MAX
      const [memberships, observing, reads] = await redis.batch(
        streams.length === 0
          ? []
          : hashes.map((key): RedisCall => (all ? ['HGETALL', key] : ['HMGET', key, ...streams])),
      )
      const of = (reply: RedisReply | undefined) => (all ? pairs(reply) : fields(streams, reply))
      return { memberships: of(memberships), observing: of(observing), reads: of(reads) }
    },

    async headAndFacts(user: string, conversationId: string) {
      // One after the other: the facts then cover whatever lies up to this head's `applied`, on a Cluster too.
      const [head] = await redis.batch([readHead(conversationId)])
      const [memberships, observing] = await redis.batch([
        ['HGET', keys.memberships(user), conversationId],
        ['HGET', keys.observing(user), conversationId],
      ])
      return {
        head: headIn(head),
        memberships: parseFacts(typeof memberships === 'string' ? memberships : ''),
        observing: parseFacts(typeof observing === 'string' ? observing : ''),
      }
    },

    /** Elements of `from`..`to` that the timeline holds; `first` is the oldest it holds at all. */
    async elements(conversationId: string, from: number, to: number) {
      const args = [from, Math.min(to, Number.MAX_SAFE_INTEGER)]
      const timeline = [keys.head(conversationId), keys.timeline(conversationId)]
      const [reply] = await redis.batch([{ script: readItems, keys: timeline, args }])
      const [applied, first, elements] = (reply ?? []) as [number, number, string[]]
      return { applied, first, elements }
    },

    async changes(conversationId: string, after: number, max: number) {
      const index = [keys.head(conversationId), keys.changes(conversationId)]
      const [reply] = await redis.batch([{ script: readChanges, keys: index, args: [after, max] }])
      const [applied, floor, entries] = (reply ?? []) as [number, number, string[]]
      return { applied, floor, changes: entries.map(changeIn) }
    },

    /** Of the messages `from`..`to`, in their order; without those that came after `upTo`. */
    async reactions(
      user: string,
      conversationId: string,
      { from, to, upTo }: { readonly from: number; readonly to: number; readonly upTo: number },
    ): Promise<Reaction[]> {
      if (from > to) return []
      const args = [from, to, user, Number.isFinite(upTo) ? upTo : 0]
      const hashes = [keys.reactions(conversationId), keys.reacted(conversationId)]
      const [reply] = await redis.batch([{ script: readReactions, keys: hashes, args }])
      const flat = (reply ?? []) as readonly [string, string, number, number]
      const found: Reaction[] = []
      for (let at = 0; at < flat.length; at += 4)
        found.push({
          seq: Number(flat[at]),
          emoji: String(flat[at + 1]),
          count: Number(flat[at + 2]),
          mine: flat[at + 3] === 1,
        })
      return found
    },

    async conversations(
      user: string,
      asked: readonly {
        readonly conversationId: string
        /** Unread counts above it, up to the ordinal of the newest event that the user may see. */
        readonly base: number
        readonly ordinal: number
        readonly intervals: readonly Interval[]
        /** Of a single chat. */
        readonly peer: string | null
      }[],
    ): Promise<ConversationDetail[]> {
      const calls = asked.flatMap(({ conversationId: id, base, ordinal, intervals, peer }): RedisCall[] => [
        {
          script: readConversation,
          keys: detailKeys.map((key) => key(id)),
          args: [
            ...[user, base, ordinal, peer ?? ''],
            ...intervals.flatMap(({ fromSeq, toSeq }) => [fromSeq, toSeq ?? 0]),
          ],
        },
        { script: countOwn, keys: [keys.own(user, id)], args: [base, ordinal] },
      ])
      const replies = await batch(calls)
      return asked.map(({ base, ordinal: headOrdinal }, i) => {
        const [group, memberCount, preview, peerRead, counts] = (replies[2 * i] ?? []) as RedisReply[]
        const [recalled = 0, ownRecalled = 0, mentions = 0, mentionsAll = 0] = (counts ?? []) as number[]
        const own = Number(replies[2 * i + 1])
        const [name, avatar, dissolved] = (group ?? []) as RedisReply[]
        return {
          name: valueIn(name),
          avatar: valueIn(avatar) || null,
          dissolved: valueIn(dissolved) !== null,
          memberCount: Number(memberCount),
          unread: unreadOf({ headOrdinal, base, own, recalled, ownRecalled }),
          mentions,
          mentionsAll,
          preview: typeof preview === 'string' ? itemFrom(preview) : null,
          peerReadSeq: Number(peerRead ?? 0),
        }
      })
    },

    /** Values of these settings, null where one is not set. */
    async settingsOf(user: string, names: readonly string[]): Promise<(string | null)[]> {
      if (names.length === 0) return []
      const [values] = await redis.batch([['HMGET', keys.settings(user), ...names]])
      return names.map((_, i) => valueIn((values as RedisReply[])[i]))
    },
  }
}

export type LiveReads = ReturnType<typeof liveReads>

const readHead = (stream: string): RedisCall => [
  'HMGET',
  keys.head(stream),
  'seq',
  'ordinal',
  'time',
  'applied',
  'message',
  'appliedOrdinal',
]

function headIn(reply: RedisReply | undefined): LiveHead | null {
  if (!Array.isArray(reply) || typeof reply[0] !== 'string') return null
  const [seq, ordinal, time, applied, message] = reply.map(Number) as [number, number, number, number, number]
  // An earlier release did not keep it.
  const appliedOrdinal = Number(reply[5] ?? ordinal)
  return { seq, ordinal, time, applied, message, appliedOrdinal }
}

function changeIn(entry: string): Change {
  const [seq, target, kind] = entry.split(':')
  return { seq: Number(seq), target: Number(target), kind: kind === 'r' ? 'r' : 'e' }
}

export const strings = (reply: RedisReply | undefined): string[] =>
  Array.isArray(reply) ? reply.filter((value) => typeof value === 'string') : []

export function pairs(reply: RedisReply | undefined): Map<string, string> {
  const flat = strings(reply)
  const map = new Map<string, string>()
  for (let i = 0; i + 1 < flat.length; i += 2) map.set(flat[i] as string, flat[i + 1] as string)
  return map
}

/** The reply to HMGET, without those that are not there. */
function fields(names: readonly string[], reply: RedisReply | undefined): Map<string, string> {
  const map = new Map<string, string>()
  const values = Array.isArray(reply) ? reply : []
  for (const [i, name] of names.entries()) if (typeof values[i] === 'string') map.set(name, values[i])
  return map
}

/** Fields that have a value now. */
export function latestPairs(reply: RedisReply | undefined): Map<string, string> {
  const map = new Map<string, string>()
  for (const [field, text] of pairs(reply)) {
    const value = valueIn(text)
    if (value !== null) map.set(field, value)
  }
  return map
}
