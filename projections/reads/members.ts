/** Members of a group, a page at a time, in the order in which they joined. */
import type { Member } from '../../schemas/frames.ts'
import { parseStream } from '../../schemas/ids.ts'
import { limits } from '../../schemas/limits.ts'
import { keys } from '../keys.ts'
import type { RedisReply } from '../ports.ts'
import type { ListRequest, MembersAnswer, Refused } from '../reads.ts'
import { mutedUntil, roleOf } from './group.ts'
import { strings } from './live.ts'
import { liveAccess, readLive, type Sources, settledHeads, unavailable } from './sources.ts'

/** So many members, and whoever created the group with them, can have joined by one event. */
const SAME_SEQ_MAX = limits.membersPerCommandMax + 1

interface Joined {
  readonly userId: string
  readonly joinedSeq: number
}

export async function members(
  sources: Sources,
  user: string,
  conversationId: string,
  ask: ListRequest,
): Promise<Refused | MembersAnswer> {
  if (parseStream(conversationId)?.kind !== 'group') return { code: 'not_member' }
  const { live, clock } = sources
  const max = Math.max(1, Math.min(ask.limit ?? limits.membersPageDefault, limits.membersPageMax))
  const { value, complete } = await readLive(sources, async () => {
    const { settled } = await settledHeads(sources, [conversationId])
    const { intervals } = await liveAccess(sources, user, conversationId)
    // Whoever is in no longer sees who is in now.
    if (intervals.at(-1)?.toSeq !== null) return { settled, page: null, next: null }
    const after = parsePlace(ask.after)
    const [reply] = await live.batch([
      [
        'ZRANGEBYSCORE',
        keys.members(conversationId),
        after?.joinedSeq ?? 1,
        '+inf',
        'WITHSCORES',
        'LIMIT',
        0,
        max + 1 + (after ? SAME_SEQ_MAX : 0),
      ],
    ])
    const below = joinedIn(reply).filter((member) => !after || isAfter(member, after))
    const page = below.slice(0, max)
    const names = page.map(({ userId }) => userId)
    if (names.length === 0) return { settled, page: [], next: null }
    const [roles, mutes] = await live.batch([
      ['HMGET', keys.roles(conversationId), ...names],
      ['HMGET', keys.muted(conversationId), ...names],
    ])
    const found = page.map(
      ({ userId, joinedSeq }, i): Member => ({
        userId,
        role: roleOf((roles as RedisReply[])[i], joinedSeq),
        joinedSeq,
        mutedUntil: mutedUntil((mutes as RedisReply[])[i], clock.now()),
      }),
    )
    return { settled, page: found, next: below.length > max ? placeText(page.at(-1) as Joined) : null }
  })
  const partial = !complete || !value.settled
  if (value.page) return { code: null, partial, members: value.page, next: value.next }
  if (partial) throw unavailable()
  return { code: 'not_member' }
}

const isAfter = (a: Joined, b: Joined): boolean =>
  a.joinedSeq === b.joinedSeq ? a.userId > b.userId : a.joinedSeq > b.joinedSeq

const placeText = ({ joinedSeq, userId }: Joined): string => `${joinedSeq}.${userId}`

/** Null for what is no place: the list then begins at its top. */
export function parsePlace(text: string | null | undefined): Joined | null {
  const found = text && text.length <= limits.cursorCharsMax ? /^([1-9]\d{0,15})\.(.+)$/.exec(text) : null
  return found && { joinedSeq: Number(found[1]), userId: found[2] as string }
}

function joinedIn(reply: RedisReply | undefined): Joined[] {
  const flat = strings(reply)
  const found: Joined[] = []
  for (let i = 0; i + 1 < flat.length; i += 2)
    found.push({ userId: flat[i] as string, joinedSeq: Number(flat[i + 1]) })
  return found
}
