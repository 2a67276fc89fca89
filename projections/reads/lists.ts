/** Heads and conversation lists. Streams are joined here, at read: heads and membership, read positions, own and recalled ordinals. */
import type { Conversation, Head } from '../../schemas/frames.ts'
import { userStream } from '../../schemas/ids.ts'
import { limits } from '../../schemas/limits.ts'
import { ALWAYS, type Interval, intervalsOf, parseFacts } from '../directory/membership.ts'
import { baseOf, unreadOf } from '../inbox/unread.ts'
import type { ConversationsAnswer, HeadsAnswer } from '../reads.ts'
import type { LiveHead } from './live.ts'
import { fixedReaders, mayHaveJoined, type Sources } from './sources.ts'

interface Listed {
  readonly conversationId: string
  readonly head: LiveHead
  readonly first: Interval
  readonly last: Interval
}

interface List {
  readonly streams: Listed[]
  readonly reads: ReadonlyMap<string, string>
  /** A group is listed whose membership or head is not there (yet). */
  readonly trails: boolean
}

/** Streams that this user may read with their heads, newest first. */
async function listOf({ live }: Sources, user: string, extra: readonly string[]): Promise<List> {
  const conversations = await live.listOf(user)
  const heads = await live.heads([...conversations, ...extra])
  // After the heads: the facts then cover whatever lies up to each head's `applied`.
  const { facts, reads } = await live.factsAndReads(user)
  const streams: Listed[] = []
  let trails = false
  for (const conversationId of [...conversations, ...extra]) {
    const readers = fixedReaders(conversationId)
    if (readers === undefined || (readers && !readers.includes(user))) continue
    const intervals = readers ? ALWAYS : intervalsOf(parseFacts(facts.get(conversationId) ?? ''))
    const [first, last, head] = [intervals[0], intervals.at(-1), heads.get(conversationId)]
    if (head && first && last) streams.push({ conversationId, head, first, last })
    // One's own stream has no head before its first event.
    else if (!extra.includes(conversationId)) trails = true
    if (mayHaveJoined(head ?? null, intervals)) trails = true
  }
  streams.sort((a, b) => b.head.time - a.head.time || (a.conversationId < b.conversationId ? -1 : 1))
  return { streams, reads, trails }
}

export async function heads(sources: Sources, user: string): Promise<HeadsAnswer> {
  return sources.redisGuard(async () => {
    const { value, complete } = await sources.live.whole(() => listOf(sources, user, [userStream(user)]))
    const { streams, trails } = value
    const found = streams.slice(0, limits.headsPerAnswerMax).map(
      ({ conversationId, head, first, last }): Head => ({
        conversationId,
        seq: Math.min(head.seq, last.toSeq ?? head.seq),
        ordinal: Math.min(head.ordinal, last.toOrdinal ?? head.ordinal),
        fromSeq: first.fromSeq,
        toSeq: last.toSeq,
      }),
    )
    return { partial: !complete || trails, heads: found }
  })
}

export async function conversations(
  sources: Sources,
  user: string,
  limit: number | null | undefined,
): Promise<ConversationsAnswer> {
  const max = Math.max(1, Math.min(limit ?? limits.conversationsPageDefault, limits.conversationsPageMax))
  const read = async () => {
    const { streams, reads, trails } = await listOf(sources, user, [])
    const top = streams.slice(0, max).map((listed) => {
      const { conversationId, head, first, last } = listed
      const [readSeq, readOrdinal] = (reads.get(conversationId) ?? '0:0').split(':').map(Number)
      const read = { readSeq: readSeq ?? 0, readOrdinal: readOrdinal ?? 0 }
      const base = baseOf({ readOrdinal: read.readOrdinal, joinOrdinal: last.fromOrdinal })
      const visible = { fromSeq: first.fromSeq, toSeq: last.toSeq }
      const headOrdinal = Math.min(head.ordinal, last.toOrdinal ?? head.ordinal)
      return { ...listed, ...read, ...visible, base, headOrdinal }
    })
    const details = await sources.live.conversations(user, top)
    const found = top.map((of, i): Conversation => {
      const detail = details[i] as (typeof details)[number]
      const { headOrdinal, readOrdinal } = of
      const unread = { headOrdinal, readOrdinal, joinOrdinal: of.last.fromOrdinal }
      const gone = new Set([...detail.own, ...detail.recalled])
      const isGroup = of.conversationId.startsWith('g:')
      return {
        conversationId: of.conversationId,
        kind: isGroup ? 'group' : 'p2p',
        name: detail.name,
        lastSeq: Math.min(of.head.seq, of.toSeq ?? of.head.seq),
        lastTime: of.head.time,
        unread: unreadOf({ ...unread, own: detail.own, recalled: detail.recalled }),
        mentions: new Set(detail.mentions.filter((at) => at <= headOrdinal && !gone.has(at))).size,
        readSeq: of.readSeq,
        readOrdinal,
        preview: detail.preview,
        memberCount: isGroup ? detail.memberCount : (fixedReaders(of.conversationId)?.length ?? 0),
      }
    })
    return { trails, found }
  }
  return sources.redisGuard(async () => {
    const { value, complete } = await sources.live.whole(read)
    return { partial: !complete || value.trails, conversations: value.found }
  })
}
