/** What is known of one group or single chat as a whole: names, rules, roles, who waits to be let in, what is pinned. */
import type { JoinRequest } from '../../schemas/frames.ts'
import { parseStream } from '../../schemas/ids.ts'
import { limits } from '../../schemas/limits.ts'
import { mayRead } from '../directory/membership.ts'
import { keys } from '../keys.ts'
import { parseLatest, valueIn } from '../latest.ts'
import type { RedisReply } from '../ports.ts'
import type { GroupAnswer, Refused } from '../reads.ts'
import { latestPairs, pairs } from './live.ts'
import { liveAccess, readLive, type Sources, settledHeads, unavailable } from './sources.ts'

type Group = GroupAnswer['group']

export async function group(
  sources: Sources,
  user: string,
  conversationId: string,
): Promise<Refused | GroupAnswer> {
  const ref = parseStream(conversationId)
  if (ref === null || ref.kind === 'user') return { code: 'not_member' }
  if (ref.kind === 'p2p' && !ref.users.includes(user)) return { code: 'not_member' }
  const { live } = sources
  const { value, complete } = await readLive(sources, async () => {
    const { settled } = await settledHeads(sources, [conversationId])
    const [fields, count, joined, role, muted, pinned, asked] = await live.batch([
      ['HGETALL', keys.group(conversationId)],
      ['ZCOUNT', keys.members(conversationId), 1, '+inf'],
      ['ZSCORE', keys.members(conversationId), user],
      ['HGET', keys.roles(conversationId), user],
      ['HGET', keys.muted(conversationId), user],
      ['HGETALL', keys.pinned(conversationId)],
      ['HGET', keys.joins(conversationId), user],
    ])
    const ofGroup = latestPairs(fields)
    const seqs = pinnedIn(pinned)
    if (ref.kind === 'p2p') return { settled, group: singleChat(conversationId, ref.users, seqs) }
    if (!ofGroup.has('name')) return { settled, group: null }
    const everyone = publicPart(conversationId, ofGroup, Number(count))
    const joinedSeq = Number(joined ?? 0)
    if (joinedSeq <= 0) return { settled, group: { ...everyone, asked: valueIn(asked) !== null } }
    const own = roleOf(role, joinedSeq)
    const { intervals } = await liveAccess(sources, user, conversationId)
    const group: Group = {
      ...everyone,
      custom: ofGroup.get('custom') || null,
      addPolicy: ofGroup.get('addPolicy') ?? 'members',
      large: ofGroup.has('large'),
      allMuted: ofGroup.has('allMuted'),
      role: own,
      mutedUntil: mutedUntil(muted, sources.clock.now()),
      pinned: seqs.filter((seq) => mayRead(intervals, seq)),
      requests: own === 'member' ? [] : await requestsOf(sources, conversationId),
    }
    return { settled, group }
  })
  const partial = !complete || !value.settled
  if (value.group) return { code: null, partial, group: value.group }
  if (partial) throw unavailable()
  return { code: 'not_member' }
}

const publicPart = (
  conversationId: string,
  fields: ReadonlyMap<string, string>,
  memberCount: number,
): Group => ({
  conversationId,
  name: fields.get('name') ?? '',
  avatar: fields.get('avatar') || null,
  announcement: fields.get('announcement') || null,
  custom: null,
  joinPolicy: fields.get('joinPolicy') ?? 'approval',
  addPolicy: 'members',
  memberCount,
  large: false,
  dissolved: fields.has('dissolved'),
  allMuted: false,
  role: null,
  mutedUntil: 0,
  pinned: [],
  asked: false,
  requests: [],
})

/** Has no name and lets nobody in; what it has is pinned messages. */
const singleChat = (conversationId: string, users: readonly string[], pinned: readonly number[]): Group => ({
  ...publicPart(conversationId, new Map([['joinPolicy', 'closed']]), new Set(users).size),
  role: 'member',
  pinned: [...pinned],
})

/** The newest pin first. */
function pinnedIn(reply: RedisReply | undefined): number[] {
  const pins: { readonly seq: number; readonly at: number }[] = []
  for (const [seq, text] of pairs(reply)) {
    const latest = parseLatest(text)
    if (latest && latest.value !== null) pins.push({ seq: Number(seq), at: latest.seq })
  }
  return pins.sort((a, b) => b.at - a.at).map(({ seq }) => seq)
}

/** In the order of asking. */
async function requestsOf({ live }: Sources, conversationId: string): Promise<JoinRequest[]> {
  const [reply] = await live.batch([['HGETALL', keys.joins(conversationId)]])
  const requests = [...latestPairs(reply)].map(([userId, value]): JoinRequest => {
    const end = value.indexOf(':')
    return { userId, note: value.slice(end + 1), time: Number(value.slice(0, end)) }
  })
  return requests.sort((a, b) => a.time - b.time).slice(0, limits.joinRequestsPerGroupMax)
}

/** A role from before the user's last joining is gone with the membership it belonged to. */
export function roleOf(text: RedisReply | undefined, joinedSeq: number): 'owner' | 'admin' | 'member' {
  const latest = parseLatest(text)
  if (!latest || latest.seq < joinedSeq) return 'member'
  return latest.value === 'owner' || latest.value === 'admin' ? latest.value : 'member'
}

/** Broker time in ms; 0: not muted any more. */
export function mutedUntil(text: RedisReply | undefined, now: number): number {
  const until = Number(valueIn(text) ?? 0)
  return until > now ? until : 0
}
