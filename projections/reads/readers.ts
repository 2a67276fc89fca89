/** Who of a conversation has read a message: read marks of users joined with the members they are, at read. */
import { parseStream } from '../../schemas/ids.ts'
import { limits } from '../../schemas/limits.ts'
import { keys } from '../keys.ts'
import type { RedisCall, RedisReply } from '../ports.ts'
import type { ListRequest, ReadersAnswer, Refused } from '../reads.ts'
import { guard } from './guard.ts'
import { type LiveReads, strings } from './live.ts'
import { liveAccess, readLive, type Sources, settledHeads, unavailable } from './sources.ts'
import { target } from './target.ts'

/** Members of a conversation by user id, each with the seq at which he joined and the one up to which he has read. */
interface Roll {
  readonly users: readonly string[]
  readonly joined: readonly number[]
  readonly read: readonly number[]
  /** False: read while Redis did not hold everything. */
  readonly complete: boolean
}

const MEMBERS_PER_CALL = 1_000
/** A round trip of more would hold up everybody else's. */
const CALLS_PER_ROUND = 10
/** In larger groups a roll stands for some seconds, so that asking again and again costs no more than asking once. */
const FRESH_MEMBERS_MAX = 1_000
const HELD_MS = 10_000
const ROLLS_HELD_MAX = 16

export function readersOf(sources: Sources) {
  const held = new Map<string, { readonly until: number; readonly roll: Promise<Roll> }>()
  // Apart from all other reads: one of a hundred thousand members may take long, and must not count as a Redis that does not answer.
  const rollGuard = guard('the roll', {
    timeoutMs: 10_000,
    running: 4,
    queued: 256,
    failures: 5,
    restMs: 1_000,
  })

  /** Whatever it is asked for, a large roll is loaded once in HELD_MS. */
  async function rollOf(conversationId: string, fixed: readonly string[] | null): Promise<Roll> {
    if (fixed) return rollGuard(() => loadRoll(sources, conversationId, fixed))
    const [count] = await sources.live.batch([['ZCOUNT', keys.members(conversationId), 1, '+inf']])
    if (Number(count) <= FRESH_MEMBERS_MAX) return rollGuard(() => loadRoll(sources, conversationId, null))
    const now = sources.clock.now()
    const standing = held.get(conversationId)
    if (standing && standing.until > now) return standing.roll
    held.delete(conversationId)
    const roll = rollGuard(() => loadRoll(sources, conversationId, null))
    held.set(conversationId, { until: now + HELD_MS, roll })
    roll.catch(() => held.delete(conversationId))
    for (const oldest of held.keys()) {
      if (held.size <= ROLLS_HELD_MAX) break
      held.delete(oldest)
    }
    return roll
  }

  return async (
    user: string,
    conversationId: string,
    ask: ListRequest & { readonly seq: number },
    /** By which it is decided whether he may see the message; by `sources`, whether he is a member. */
    seeing: Sources = sources,
  ): Promise<Refused | ReadersAnswer> => {
    const ref = parseStream(conversationId)
    if (ref === null || ref.kind === 'user') return { code: 'not_member' }
    const max = Math.max(1, Math.min(ask.limit ?? limits.readersPageDefault, limits.readersPageMax))
    const { value, complete } = await readLive(sources, async () => {
      const { settled } = await settledHeads(sources, [conversationId])
      return { settled, ...(await liveAccess(sources, user, conversationId)) }
    })
    const sure = complete && value.settled
    // Whoever is in no longer learns no more of who is in now.
    if (value.intervals.at(-1)?.toSeq !== null) {
      if (!sure) throw unavailable()
      return { code: 'not_member' }
    }
    // Who wrote it is left out: that he has read it says nothing.
    const message = await target(seeing, user, conversationId, ask.seq)
    if (!message.target)
      return { code: null, partial: !sure || message.partial, count: 0, readers: [], next: null }
    const roll = await rollOf(conversationId, ref.kind === 'p2p' ? [...new Set(ref.users)] : null)
    const all = readBy(roll, ask.seq, message.target.sender)
    const below = ask.after ? all.filter((one) => one > (ask.after as string)) : all
    const readers = below.slice(0, max)
    const next = below.length > max ? (readers.at(-1) ?? null) : null
    return { code: null, partial: !sure || !roll.complete, count: all.length, readers, next }
  }
}

/** Of those who had joined by then. */
function readBy({ users, joined, read }: Roll, seq: number, sender: string): string[] {
  return users.filter(
    (user, i) => (joined[i] as number) <= seq && (read[i] as number) >= seq && user !== sender,
  )
}

/** `fixed`: the members of a single chat; null: those of the group. */
async function loadRoll(
  { live }: Sources,
  conversationId: string,
  fixed: readonly string[] | null,
): Promise<Roll> {
  const { value, complete } = await live.whole(async () => {
    const joined = fixed
      ? new Map(fixed.map((user) => [user, 0]))
      : await joinedIn(live, keys.members(conversationId))
    const users = [...joined.keys()].sort()
    const calls: RedisCall[] = []
    for (let at = 0; at < users.length; at += MEMBERS_PER_CALL)
      calls.push(['ZMSCORE', keys.readers(conversationId), ...users.slice(at, at + MEMBERS_PER_CALL)])
    const read: number[] = []
    for (const marks of await inRounds(live, calls))
      for (const mark of marks as RedisReply[]) read.push(Number(mark ?? 0))
    return { users, joined: users.map((user) => joined.get(user) as number), read }
  })
  return { ...value, complete }
}

async function joinedIn(live: LiveReads, key: string): Promise<Map<string, number>> {
  const [gone, all] = await live.batch([
    ['ZCOUNT', key, '-inf', 0],
    ['ZCARD', key],
  ])
  const calls: RedisCall[] = []
  // Whoever joins or leaves meanwhile moves the others by a place: a chunk more than there are.
  for (let from = Number(gone); from <= Number(all); from += MEMBERS_PER_CALL)
    calls.push(['ZRANGE', key, from, from + MEMBERS_PER_CALL - 1, 'WITHSCORES'])
  const joined = new Map<string, number>()
  for (const reply of await inRounds(live, calls)) {
    const flat = strings(reply)
    for (let i = 0; i + 1 < flat.length; i += 2)
      if (Number(flat[i + 1]) > 0) joined.set(flat[i] as string, Number(flat[i + 1]))
  }
  return joined
}

async function inRounds(live: LiveReads, calls: readonly RedisCall[]): Promise<RedisReply[]> {
  const replies: RedisReply[] = []
  for (let at = 0; at < calls.length; at += CALLS_PER_ROUND)
    replies.push(...(await live.batch(calls.slice(at, at + CALLS_PER_ROUND))))
  return replies
}
