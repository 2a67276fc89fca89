/** Heads and conversation lists. Streams are joined here, at read: heads and membership, read positions, settings, own and recalled ordinals. */
import type { Conversation, Head, Item } from '../../schemas/frames.ts'
import { parseStream, userStream } from '../../schemas/ids.ts'
import { limits } from '../../schemas/limits.ts'
import type { Interval } from '../directory/membership.ts'
import { baseOf } from '../inbox/unread.ts'
import type { ConversationsAnswer, ConversationsRequest, HeadsAnswer } from '../reads.ts'
import { cursorText, isAfter, type Place, parseCursor } from './cursor.ts'
import { knownUpTo } from './knowledge.ts'
import type { ConversationDetail, LiveHead } from './live.ts'
import { bytesOf } from './page.ts'
import { withinHorizon } from './policy.ts'
import { horizonNow, readLive, type Sources } from './sources.ts'
import { asMember, asReader, type Streams, streamsOf } from './streams.ts'
import { asKnown } from './versions.ts'

export async function heads(sources: Sources, user: string): Promise<HeadsAnswer> {
  const { value, complete } = await readLive(sources, async () => {
    const { listed, observed } = await sources.live.listOf(user)
    // One's own stream has no head before its first event.
    const own = userStream(user)
    return streamsOf(sources, user, [...new Set([...listed, ...observed, own])], asReader, own)
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
  readonly intervals: readonly Interval[]
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
    const last = intervals.at(-1) as Interval
    const end = last.toSeq ?? head.seq
    // As far as all that is counted has come, so that what an entry says is of one moment.
    const seq = Math.min(end, head.applied)
    const ordinal = Math.min(last.toOrdinal ?? head.ordinal, head.appliedOrdinal)
    if (seq < end) trails = true
    // A friend request alone makes no conversation.
    if (ordinal === 0 && conversationId.startsWith('p2p:')) continue
    const deleted = Number(settings.get(`deleted:${conversationId}`) ?? 0)
    if (seq <= deleted || (deleted > 0 && head.message <= deleted)) continue
    const pinned = settings.get(`pin:${conversationId}`) === '1'
    // Of a group that was left nothing later counts, its activity included.
    const time = last.toTime ?? head.time
    listed.push({ conversationId, head, seq, ordinal, intervals, last, pinned, time })
  }
  return { listed: listed.sort((a, b) => (isAfter(a, b) ? 1 : -1)), trails }
}

/** A list of so many is not sorted anew for each page: below the first, its order stands for a while. */
const ORDERS_KEPT_OVER = 1_000
const ORDERS_KEPT_MS = 60_000
const PLACES_KEPT_MAX = 200_000

interface Order {
  readonly places: readonly Place[]
  readonly until: number
}

export function conversationsOf(sources: Sources) {
  const { live, clock } = sources
  /** By user; the oldest comes first. */
  const orders = new Map<string, Order>()
  let kept = 0

  function drop(user: string): void {
    kept -= orders.get(user)?.places.length ?? 0
    orders.delete(user)
  }

  function keep(user: string, listed: readonly Listed[]): void {
    drop(user)
    if (listed.length <= ORDERS_KEPT_OVER) return
    const places = listed.map(({ pinned, time, conversationId }) => ({ pinned, time, conversationId }))
    orders.set(user, { places, until: clock.now() + ORDERS_KEPT_MS })
    kept += places.length
    for (const oldest of orders.keys()) {
      if (kept <= PLACES_KEPT_MAX) break
      drop(oldest)
    }
  }

  function orderOf(user: string): readonly Place[] | null {
    const order = orders.get(user)
    if (order && order.until <= clock.now()) drop(user)
    return orders.get(user)?.places ?? null
  }

  /** What stands on the page, and where the next one goes on. */
  async function pageOf(user: string, cursor: Place | null, max: number) {
    const places = cursor && orderOf(user)?.filter((place) => isAfter(place, cursor))
    const { listed: all, settings } = await live.listOf(user)
    const ids = places ? places.slice(0, max).map(({ conversationId }) => conversationId) : all
    const streams = await streamsOf(sources, user, ids, asMember)
    const { listed, trails } = listedOf(streams, settings)
    const { reads } = streams
    if (places) {
      const byId = new Map(listed.map((of) => [of.conversationId, of]))
      const page = ids.flatMap((id) => byId.get(id) ?? [])
      return { page, reads, trails, next: places.length > max ? (places[max - 1] as Place) : null }
    }
    if (!cursor) keep(user, listed)
    const below = cursor ? listed.filter((of) => isAfter(of, cursor)) : listed
    const page = below.slice(0, max)
    return { page, reads, trails, next: below.length > max ? (page.at(-1) as Place) : null }
  }

  return async (user: string, ask: ConversationsRequest): Promise<ConversationsAnswer> => {
    const limit = ask.limit ?? limits.conversationsPageDefault
    const max = Math.max(1, Math.min(limit, limits.conversationsPageMax))
    const { value, complete } = await readLive(sources, async () => {
      const { page, reads, trails, next } = await pageOf(user, parseCursor(ask.before), max)
      return { found: await entriesOf(sources, user, page, reads), trails, next }
    })
    const { found, trails, next } = value
    // Outside of the read of Redis, whose time is its own.
    const { conversations, whole } = await withPreviews(sources, found)
    return { partial: !complete || trails || !whole, conversations, next: next && cursorText(next) }
  }
}

/** What the list says of these conversations, but for what the user has set of them: who deleted one is told of it here too. */
export async function entriesFor(
  sources: Pick<Sources, 'live'>,
  user: string,
  ids: readonly string[],
): Promise<Omit<Conversation, 'preview'>[]> {
  const streams = await streamsOf(sources, user, ids, asMember)
  const { listed } = listedOf(streams, new Map())
  return (await entriesOf(sources, user, listed, streams.reads)).map(({ entry }) => entry)
}

async function entriesOf(
  sources: Pick<Sources, 'live'>,
  user: string,
  page: readonly Listed[],
  reads: ReadonlyMap<string, string>,
): Promise<Entry[]> {
  const { live } = sources
  const asked = page.map((of) => {
    const { readSeq, readOrdinal } = positionIn(reads.get(of.conversationId))
    const base = baseOf({ readOrdinal, joinOrdinal: of.last.fromOrdinal })
    return { ...of, readSeq, readOrdinal, base, peer: peerIn(of.conversationId, user) }
  })
  const [details, marks] = await Promise.all([
    live.conversations(user, asked),
    live.settingsOf(
      user,
      page.flatMap(({ conversationId: id }) => [`mute:${id}`, `draft:${id}`]),
    ),
  ])
  return asked.map((of, i): Entry => {
    const detail = details[i] as ConversationDetail
    const { ordinal, intervals } = of
    const marked = { muted: marks[2 * i] === '1', draft: marks[2 * i + 1] ?? null }
    return { entry: { ...entryOf(of, detail), ...marked }, ordinal, intervals, newest: detail.preview }
  })
}

/** A conversation in the list without its preview, and the newest message that it may be of, as that stands now. */
interface Entry {
  readonly entry: Omit<Conversation, 'preview'>
  readonly ordinal: number
  readonly intervals: readonly Interval[]
  readonly newest: Item | null
}

async function withPreviews(sources: Sources, entries: readonly Entry[]) {
  const known = await Promise.all(
    entries.map(({ entry, intervals, newest }) => {
      const found = new Map(newest ? [[newest.seq, newest]] : [])
      return asKnown(sources, entry.conversationId, knownUpTo(intervals), found)
    }),
  )
  let bytes = 0
  const conversations = entries.map(({ entry, ordinal }, i): Conversation => {
    const [newest] = known[i]?.items.values() ?? []
    const preview = newest && withinHorizon(newest, horizonNow(sources, entry.conversationId, ordinal))
    bytes += preview ? bytesOf(preview) : 0
    const shown = preview?.kind === 'message' && bytes <= limits.pageBytesMax
    return { ...entry, preview: shown ? preview : null }
  })
  return { conversations, whole: known.every(({ whole }) => whole) }
}

function entryOf(
  of: Listed & { readonly readSeq: number; readonly readOrdinal: number },
  detail: ConversationDetail,
): Omit<Entry['entry'], 'muted' | 'draft'> {
  const { conversationId, readSeq, readOrdinal } = of
  const ref = parseStream(conversationId)
  return {
    conversationId,
    kind: ref?.kind === 'group' ? 'group' : 'p2p',
    name: detail.name,
    avatar: detail.avatar,
    dissolved: detail.dissolved,
    lastSeq: of.seq,
    lastTime: of.time,
    unread: detail.unread,
    mentions: detail.mentions,
    mentionsAll: detail.mentionsAll,
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
