/** Reads of the Redis projections. */
import { parseFacts } from '../directory/membership.ts'
import { readConversation } from '../inbox/read-conversation.ts'
import { keys } from '../keys.ts'
import { completeness, readPositions } from '../live/positions.ts'
import type { RedisCall, RedisPort, RedisReply } from '../ports.ts'
import { itemFrom } from '../timeline/element.ts'
import { readChanges, readItems } from '../timeline/scripts.ts'

export interface LiveHead {
  readonly seq: number
  readonly ordinal: number
  readonly time: number
  /** How far the timeline has come; heads may be ahead of it. */
  readonly applied: number
}

export interface LiveChange {
  readonly seq: number
  readonly target: number
  readonly kind: 'e' | 'r'
}

const CALLS_PER_BATCH_MAX = 500

export function liveReads(redis: RedisPort, options: { partitions: number; generation: number }) {
  async function inBatches(calls: readonly RedisCall[]): Promise<RedisReply[]> {
    const replies: RedisReply[] = []
    for (let at = 0; at < calls.length; at += CALLS_PER_BATCH_MAX)
      replies.push(...(await redis.batch(calls.slice(at, at + CALLS_PER_BATCH_MAX))))
    return replies
  }

  async function completenessNow(): Promise<string | null> {
    const [reply] = await redis.batch([readPositions()])
    return completeness(reply, options.partitions, options.generation)
  }

  return {
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
      const replies = await inBatches(streams.map(readHead))
      const heads = new Map<string, LiveHead>()
      for (const [i, stream] of streams.entries()) {
        const head = headIn(replies[i])
        if (head) heads.set(stream, head)
      }
      return heads
    },

    async listOf(user: string): Promise<string[]> {
      const [listed] = await redis.batch([['SMEMBERS', keys.conversations(user)]])
      return strings(listed)
    },

    async factsAndReads(user: string) {
      const [facts, reads] = await redis.batch([
        ['HGETALL', keys.memberships(user)],
        ['HGETALL', keys.reads(user)],
      ])
      return { facts: pairs(facts), reads: pairs(reads) }
    },

    async headAndFacts(user: string, conversationId: string) {
      // One after the other: the facts then cover whatever lies up to this head's `applied`, on a Cluster too.
      const [head] = await redis.batch([readHead(conversationId)])
      const [facts] = await redis.batch([['HGET', keys.memberships(user), conversationId]])
      return { head: headIn(head), facts: typeof facts === 'string' ? parseFacts(facts) : [] }
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

    async conversations(
      user: string,
      asked: readonly {
        readonly conversationId: string
        readonly base: number
        readonly fromSeq: number
        readonly toSeq: number | null
      }[],
    ) {
      const calls = asked.flatMap(({ conversationId: id, base, fromSeq, toSeq }): RedisCall[] => [
        {
          script: readConversation,
          keys: [
            keys.head(id),
            keys.timeline(id),
            keys.recalled(id),
            keys.mentions(id),
            keys.members(id),
            keys.group(id),
          ],
          args: [user, base, fromSeq, toSeq ?? 0],
        },
        ['ZRANGEBYSCORE', keys.own(user, id), `(${base}`, '+inf'],
      ])
      const replies = await inBatches(calls)
      return asked.map(({ conversationId }, i) => {
        const [name, memberCount, recalled, mentions, preview] = (replies[2 * i] ?? []) as RedisReply[]
        return {
          conversationId,
          name: typeof name === 'string' ? name : null,
          memberCount: Number(memberCount),
          recalled: strings(recalled).map(Number),
          mentions: strings(mentions).map(Number),
          preview: typeof preview === 'string' ? itemFrom(preview) : null,
          own: strings(replies[2 * i + 1]).map(Number),
        }
      })
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
]

function headIn(reply: RedisReply | undefined): LiveHead | null {
  if (!Array.isArray(reply) || typeof reply[0] !== 'string') return null
  const [seq, ordinal, time, applied] = reply.map(Number) as [number, number, number, number]
  return { seq, ordinal, time, applied }
}

function changeIn(entry: string): LiveChange {
  const [seq, target, kind] = entry.split(':')
  return { seq: Number(seq), target: Number(target), kind: kind === 'r' ? 'r' : 'e' }
}

const strings = (reply: RedisReply | undefined): string[] =>
  Array.isArray(reply) ? reply.filter((value) => typeof value === 'string') : []

function pairs(reply: RedisReply | undefined): Map<string, string> {
  const flat = strings(reply)
  const map = new Map<string, string>()
  for (let i = 0; i + 1 < flat.length; i += 2) map.set(flat[i] as string, flat[i + 1] as string)
  return map
}
