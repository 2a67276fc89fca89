/** Who of a conversation has read a message: read marks of users joined with the members they are, at read. */
import { parseStream } from '../../schemas/ids.ts'
import { limits } from '../../schemas/limits.ts'
import { mayRead } from '../directory/membership.ts'
import { keys } from '../keys.ts'
import type { RedisReply } from '../ports.ts'
import type { ListRequest, ReadersAnswer, Refused } from '../reads.ts'
import { strings } from './live.ts'
import { couldRead, liveAccess, readLive, type Sources, settledHeads, unavailable } from './sources.ts'
import { target } from './target.ts'

/** Members of a conversation by user id, each with the seq at which he joined and the one up to which he has read. */
interface Roll {
  readonly users: readonly string[]
  readonly joined: readonly number[]
  readonly read: readonly number[]
}

const MEMBERS_PER_CALL_MAX = 1_000
/** In larger groups a roll stands for some seconds, so that asking again and again costs no more than asking once. */
const FRESH_MEMBERS_MAX = 1_000
const HELD_MS = 5_000
const ROLLS_HELD_MAX = 16

export function readersOf(sources: Sources) {
  const held = new Map<string, { readonly until: number; readonly roll: Promise<Roll> }>()

  /** Whatever it is asked for, a large roll is loaded once in HELD_MS. */
  async function rollOf(conversationId: string, users: readonly string[] | null): Promise<Roll> {
    if (users) return loadRoll(sources, conversationId, users)
    const [count] = await sources.live.batch([['ZCOUNT', keys.members(conversationId), 1, '+inf']])
    if (Number(count) <= FRESH_MEMBERS_MAX) return loadRoll(sources, conversationId, null)
    const now = sources.clock.now()
    const standing = held.get(conversationId)
    if (standing && standing.until > now) return standing.roll
    held.delete(conversationId)
    const roll = loadRoll(sources, conversationId, null)
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
  ): Promise<Refused | ReadersAnswer> => {
    const ref = parseStream(conversationId)
    if (ref === null || ref.kind === 'user' || !couldRead(user, conversationId)) return { code: 'not_member' }
    const max = Math.max(1, Math.min(ask.limit ?? limits.readersPageDefault, limits.readersPageMax))
    const { value, complete } = await readLive(sources, async () => {
      const { settled } = await settledHeads(sources, [conversationId])
      const { intervals } = await liveAccess(sources, user, conversationId)
      const roll = mayRead(intervals, ask.seq)
        ? await rollOf(conversationId, ref.kind === 'p2p' ? [...new Set(ref.users)] : null)
        : null
      return { settled, intervals, roll }
    })
    const sure = complete && value.settled
    if (value.intervals.length === 0) {
      if (!sure) throw unavailable()
      return { code: 'not_member' }
    }
    // Who wrote it is left out: that he has read it says nothing.
    const message = value.roll ? await target(sources, user, conversationId, ask.seq) : null
    const partial = !sure || message?.partial === true
    if (!value.roll || !message?.target) return { code: null, partial, count: 0, readers: [], next: null }
    const all = readBy(value.roll, ask.seq, message.target.sender)
    const below = ask.after ? all.filter((one) => one > (ask.after as string)) : all
    const readers = below.slice(0, max)
    const next = below.length > max ? (readers.at(-1) ?? null) : null
    return { code: null, partial, count: all.length, readers, next }
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
  const joined = new Map<string, number>(fixed?.map((user) => [user, 0]))
  if (!fixed) {
    const key = keys.members(conversationId)
    const [gone] = await live.batch([['ZCOUNT', key, '-inf', 0]])
    for (let from = Number(gone); ; from += MEMBERS_PER_CALL_MAX) {
      const [reply] = await live.batch([['ZRANGE', key, from, from + MEMBERS_PER_CALL_MAX - 1, 'WITHSCORES']])
      const flat = strings(reply)
      for (let i = 0; i + 1 < flat.length; i += 2)
        if (Number(flat[i + 1]) > 0) joined.set(flat[i] as string, Number(flat[i + 1]))
      if (flat.length < 2 * MEMBERS_PER_CALL_MAX) break
    }
  }
  const users = [...joined.keys()].sort()
  const read: number[] = []
  for (let at = 0; at < users.length; at += MEMBERS_PER_CALL_MAX) {
    const some = users.slice(at, at + MEMBERS_PER_CALL_MAX)
    const [marks] = await live.batch([['ZMSCORE', keys.readers(conversationId), ...some]])
    for (const mark of marks as RedisReply[]) read.push(Number(mark ?? 0))
  }
  return { users, joined: users.map((user) => joined.get(user) as number), read }
}
