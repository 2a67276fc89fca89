/** Who hears of what is not in the log's own fan-out: large groups by channel, and who is shown that someone types. */
import { parseStream } from '../../schemas/ids.ts'
import { limits } from '../../schemas/limits.ts'
import { intervalsOf, parseFacts } from '../directory/membership.ts'
import { keys } from '../keys.ts'
import { valueIn } from '../latest.ts'
import type { RedisReply } from '../ports.ts'
import type { ChannelsAnswer } from '../reads.ts'
import { pairs, strings } from './live.ts'
import { reaches, readLive, type Sources, settledHeads, unavailable } from './sources.ts'

const USERS_PER_CALL_MAX = 1_000

/** Certain, where the directory has come to what the heads of all the user's groups were: one may let him in or become large there. */
export async function channelsOf(sources: Sources, user: string): Promise<ChannelsAnswer> {
  const { live } = sources
  const { value, complete } = await readLive(sources, async () => {
    const { listed } = await live.listOf(user)
    const { settled } = await settledHeads(
      sources,
      listed.filter((stream) => parseStream(stream)?.kind === 'group'),
    )
    const [facts] = await live.batch([['HGETALL', keys.memberships(user)]])
    const groups = [...pairs(facts)].flatMap(([stream, text]) =>
      intervalsOf(parseFacts(text)).at(-1)?.toSeq === null ? [stream] : [],
    )
    const flags = await live.batch(groups.map((id) => ['HGET', keys.group(id), 'large']))
    return { settled, channels: groups.filter((_, i) => valueIn(flags[i]) !== null) }
  })
  return { partial: !complete || !value.settled, channels: value.channels }
}

export async function membersAmong(
  sources: Sources,
  conversationId: string,
  users: readonly string[],
  atLeast = 0,
): Promise<ReadonlyMap<string, number>> {
  const { live } = sources
  const { value, complete } = await readLive(sources, async () => {
    // First how far it has come, then the members: they cover that.
    const reached = await reaches(sources, conversationId, atLeast)
    const found = new Map<string, number>()
    for (let at = 0; at < users.length; at += USERS_PER_CALL_MAX) {
      const some = users.slice(at, at + USERS_PER_CALL_MAX)
      const [scores] = await live.batch([['ZMSCORE', keys.members(conversationId), ...some]])
      for (const [i, user] of some.entries()) {
        const joinedSeq = Number((scores as RedisReply[])[i] ?? 0)
        if (joinedSeq > 0) found.set(user, joinedSeq)
      }
    }
    return { reached, found }
  })
  if (!complete || !value.reached) throw unavailable()
  return value.found
}

export async function typingAudience(
  sources: Sources,
  user: string,
  conversationId: string,
): Promise<string[] | null> {
  const ref = parseStream(conversationId)
  if (ref === null || ref.kind === 'user') return null
  if (ref.kind === 'p2p' && !ref.users.includes(user)) return null
  const { value, complete } = await readLive(sources, () =>
    ref.kind === 'p2p' ? peerOf(sources, user, ref.users) : smallGroup(sources, user, conversationId),
  )
  return complete ? value : null
}

async function peerOf({ live }: Sources, user: string, users: readonly string[]): Promise<string[] | null> {
  const peer = users.find((one) => one !== user)
  if (peer === undefined) return null
  const blocks = await live.batch([
    ['HGET', keys.relations(user), `b:${peer}`],
    ['HGET', keys.relations(peer), `b:${user}`],
  ])
  return blocks.some((text) => valueIn(text) !== null) ? null : [peer]
}

async function smallGroup({ live }: Sources, user: string, conversationId: string): Promise<string[] | null> {
  const key = keys.members(conversationId)
  const [reply, dissolved] = await live.batch([
    ['ZRANGEBYSCORE', key, 1, '+inf', 'LIMIT', 0, limits.typingMembersMax + 1],
    ['HGET', keys.group(conversationId), 'dissolved'],
  ])
  const members = strings(reply)
  if (members.length > limits.typingMembersMax || !members.includes(user)) return null
  return valueIn(dissolved) === null ? members.filter((one) => one !== user) : null
}
