/** Heads and conversation lists. Streams are joined here, at read: heads and membership, read positions, settings, own and recalled ordinals. */
import type { Conversation, Head } from '../../schemas/frames.ts'
import { parseStream, userStream } from '../../schemas/ids.ts'
import { limits } from '../../schemas/limits.ts'
import {
  ALWAYS,
  type Fact,
  type Interval,
  intervalsOf,
  parseFacts,
  readableOf,
} from '../directory/membership.ts'
import { baseOf, unreadAmong, unreadOf } from '../inbox/unread.ts'
import type { ConversationsAnswer, ConversationsRequest, HeadsAnswer } from '../reads.ts'
import { cursorText, isAfter, type Place, parseCursor } from './cursor.ts'
import type { ConversationDetail, LiveHead } from './live.ts'
import { bytesOf } from './page.ts'
import { withinHorizon } from './policy.ts'
import { horizonNow, isFixedReader, mayHaveJoined, readLive, type Sources } from './sources.ts'

interface Stream {
  readonly conversationId: string
  readonly head: LiveHead
  readonly intervals: readonly Interval[]
}

interface Streams {
  readonly found: Stream[]
  readonly reads: ReadonlyMap<string, string>
  /** One is listed whose membership or head is not there (yet). */
  readonly trails: boolean
}

/** Streams that this user may read by these facts, with their heads. `optional`: those that may have no event yet. */
async function streamsOf(
  { live }: Sources,
  user: string,
  listed: readonly string[],
  optional: readonly string[],
  byFacts: (memberships: readonly Fact[], observing: readonly Fact[]) => readonly Interval[],
): Promise<Streams> {
  const ids = [...new Set([...listed, ...optional])]
  const heads = await live.heads(ids)
  // After the heads: the facts then cover whatever lies up to each head's `applied`.
  const facts = await live.factsAndReads(user)
  const found: Stream[] = []
  let trails = false
  for (const conversationId of ids) {
    const fixed = isFixedReader(conversationId, user)
    const memberships = parseFacts(facts.memberships.get(conversationId) ?? '')
    const observing = parseFacts(facts.observing.get(conversationId) ?? '')
    const intervals = fixed ? ALWAYS : byFacts(memberships, observing)
    const head = heads.get(conversationId)
    if (head && intervals.length > 0) found.push({ conversationId, head, intervals })
    else if (!optional.includes(conversationId)) trails = true
    if (!fixed && mayHaveJoined(head ?? null, intervals)) trails = true
  }
  return { found, reads: facts.reads, trails }
}

export async function heads(sources: Sources, user: string): Promise<HeadsAnswer> {
  const { value, complete } = await readLive(sources, async () => {
    const { listed, observed } = await sources.live.listOf(user)
    // One's own stream has no head before its first event.
    return streamsOf(sources, user, [...listed, ...observed], [userStream(user)], readableOf)
  })
  const newest = [...value.found].sort((a, b) => b.head.time - a.head.time)
  const found = newest.slice(0, limits.headsPerAnswerMax).map(({ conversationId, head, intervals }): Head => {
    const [first, last] = [intervals[0] as Interval, intervals.at(-1) as Interval]
    return {
      conversationId,
      seq: Math.min(head.seq, last.toSeq ?? head.seq),
      ordinal: Math.min(head.ordinal, last.toOrdinal ?? head.ordinal),
      fromSeq: first.fromSeq,
      toSeq: last.toSeq,
    }
  })
  return { partial: !complete || value.trails, heads: found }
}

/** A conversation in the list, before what the list shows of it is read. */
interface Listed extends Place {
  readonly head: LiveHead
  /** Of the events that this reader may see. */
  readonly seq: number
  readonly ordinal: number
  readonly first: Interval
  readonly last: Interval
}

/** What stands in the list, in its order; and whether that may be about to change. */
function listedOf(
  streams: Streams,
  settings: ReadonlyMap<string, string>,
): { listed: Listed[]; trails: boolean } {
  let { trails } = streams
  const listed: Listed[] = []
  for (const { conversationId, head, intervals } of streams.found) {
    const [first, last] = [intervals[0] as Interval, intervals.at(-1) as Interval]
    const seq = Math.min(head.seq, last.toSeq ?? head.seq)
    const ordinal = Math.min(head.ordinal, last.toOrdinal ?? head.ordinal)
    // A friend request alone makes no conversation.
    if (ordinal === 0 && conversationId.startsWith('p2p:')) continue
    const deleted = Number(settings.get(`deleted:${conversationId}`) ?? 0)
    if (seq <= deleted) continue
    if (deleted > 0 && head.message <= deleted) {
      if (head.applied >= head.seq) continue
      // Something came after the deletion; whether a message is among it is not known yet.
      trails = true
    }
    const pinned = settings.get(`pin:${conversationId}`) === '1'
    // Of a group that was left nothing later counts, its activity included.
    const time = last.toTime ?? head.time
    listed.push({ conversationId, head, seq, ordinal, first, last, pinned, time })
  }
  return { listed: listed.sort((a, b) => (isAfter(a, b) ? 1 : -1)), trails }
}

export async function conversations(
  sources: Sources,
  user: string,
  ask: ConversationsRequest,
): Promise<ConversationsAnswer> {
  const { live } = sources
  const max = Math.max(1, Math.min(ask.limit ?? limits.conversationsPageDefault, limits.conversationsPageMax))
  const cursor = parseCursor(ask.before)
  const read = async () => {
    const { listed: ids, settings } = await live.listOf(user)
    const streams = await streamsOf(sources, user, ids, [], intervalsOf)
    const { listed, trails } = listedOf(streams, settings)
    const below = cursor ? listed.filter((of) => isAfter(of, cursor)) : listed
    const page = below.slice(0, max)
    const asked = page.map((of) => {
      const { readSeq, readOrdinal } = positionIn(streams.reads.get(of.conversationId))
      const base = baseOf({ readOrdinal, joinOrdinal: of.last.fromOrdinal })
      const visible = { fromSeq: of.first.fromSeq, toSeq: of.last.toSeq }
      return { ...of, ...visible, readSeq, readOrdinal, base, peer: peerIn(of.conversationId, user) }
    })
    const [details, marks] = await Promise.all([
      live.conversations(user, asked),
      live.settingsOf(
        user,
        page.flatMap(({ conversationId: id }) => [`mute:${id}`, `draft:${id}`]),
      ),
    ])
    let bytes = 0
    const found = asked.map((of, i): Conversation => {
      const detail = details[i] as ConversationDetail
      const { conversationId, ordinal } = of
      const preview =
        detail.preview && withinHorizon(detail.preview, horizonNow(sources, conversationId, ordinal))
      bytes += preview ? bytesOf(preview) : 0
      return {
        ...entryOf(of, detail),
        muted: marks[2 * i] === '1',
        draft: marks[2 * i + 1] ?? null,
        preview: preview?.kind === 'message' && bytes <= limits.pageBytesMax ? preview : null,
      }
    })
    const next = below.length > max ? cursorText(page.at(-1) as Listed) : null
    return { trails, found, next }
  }
  const { value, complete } = await readLive(sources, read)
  return { partial: !complete || value.trails, conversations: value.found, next: value.next }
}

function entryOf(
  of: Listed & { readonly readSeq: number; readonly readOrdinal: number },
  detail: ConversationDetail,
): Omit<Conversation, 'muted' | 'draft' | 'preview'> {
  const { conversationId, ordinal: headOrdinal, readSeq, readOrdinal } = of
  const ref = parseStream(conversationId)
  const { own, recalled } = detail
  const unread = { headOrdinal, readOrdinal, joinOrdinal: of.last.fromOrdinal, own, recalled }
  return {
    conversationId,
    kind: ref?.kind === 'group' ? 'group' : 'p2p',
    name: detail.name,
    avatar: detail.avatar,
    dissolved: detail.dissolved,
    lastSeq: of.seq,
    lastTime: of.time,
    unread: unreadOf(unread),
    mentions: unreadAmong(unread, detail.mentions),
    mentionsAll: unreadAmong(unread, detail.mentionsAll),
    readSeq,
    readOrdinal,
    peerReadSeq: detail.peerReadSeq,
    pinned: of.pinned,
    memberCount: ref?.kind === 'p2p' ? new Set(ref.users).size : detail.memberCount,
  }
}

function positionIn(text: string | undefined): { readSeq: number; readOrdinal: number } {
  const [seq, ordinal] = (text ?? '').split(':').map(Number)
  return { readSeq: seq || 0, readOrdinal: ordinal ?? 0 }
}

/** The other side of a single chat; null of a group, and of notes to oneself. */
function peerIn(conversationId: string, user: string): string | null {
  const ref = parseStream(conversationId)
  return ref?.kind === 'p2p' ? (ref.users.find((one) => one !== user) ?? null) : null
}
