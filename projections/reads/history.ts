/** Pages of a stream: the newest items from the timeline, older ones from the archive, each as it stands now. */
import type { Item, Reaction } from '../../schemas/frames.ts'
import { itemFor, recalledMessage } from '../../schemas/item.ts'
import { limits } from '../../schemas/limits.ts'
import type { Interval } from '../directory/membership.ts'
import type { HistoryAnswer, PageRequest, Refused } from '../reads.ts'
import { itemFrom } from '../timeline/element.ts'
import { messageOf } from './archive.ts'
import { type Change, isLater, knownUpTo } from './knowledge.ts'
import { type PageRange, pageOf, rangeOf } from './page.ts'
import { withinHorizon } from './policy.ts'
import {
  archiveAccess,
  couldRead,
  horizonNow,
  liveAccess,
  orDown,
  readLive,
  type Sources,
  unavailable,
} from './sources.ts'
import { asKnown } from './versions.ts'

export async function history(
  sources: Sources,
  user: string,
  stream: string,
  ask: PageRequest,
): Promise<Refused | HistoryAnswer> {
  if (!couldRead(user, stream)) return { code: 'not_member' }
  const fromLive = await liveHistory(sources, user, stream, ask)
  if (fromLive?.sure) return fromLive.answer
  // Redis is away or being rebuilt: the archive may hold more, and says nothing of what it does not hold yet.
  const fromArchive = await archiveHistory(sources, user, stream, ask)
  if (fromArchive) return fromArchive
  if (fromLive && fromLive.answer.code === null) return fromLive.answer
  throw unavailable()
}

interface LiveAnswer {
  /** False: Redis does not hold everything at the moment. */
  readonly sure: boolean
  readonly answer: Refused | HistoryAnswer
}

async function liveHistory(
  sources: Sources,
  user: string,
  stream: string,
  ask: PageRequest,
): Promise<LiveAnswer | undefined> {
  const { live } = sources
  const read = await orDown(
    readLive(sources, async () => {
      const { head, intervals, unsure } = await liveAccess(sources, user, stream)
      const range = rangeOf(ask, intervals, head?.seq ?? 0)
      const known = { head, intervals, unsure, range, upTo: knownUpTo(intervals) }
      if (!head || intervals.length === 0) return { ...known, items: [], first: 1, reactions: [] }
      const [timeline, reactions] = await Promise.all([
        live.elements(stream, range.lo, range.hi),
        live.reactions(user, stream, { from: range.lo, to: range.hi, upTo: known.upTo }),
      ])
      const items = timeline.elements.map(itemFrom)
      // He may have left before a change that came in between.
      const upTo = items.some((item) => isLater(item, head.applied))
        ? knownUpTo((await liveAccess(sources, user, stream)).intervals)
        : known.upTo
      return { ...known, upTo, items, first: timeline.first, reactions }
    }),
  )
  if (!read) return undefined
  const { head, intervals, unsure, range, upTo, first, reactions } = read.value
  const sure = read.complete && !unsure
  if (intervals.length === 0) return { sure, answer: { code: 'not_member' } }
  const found = new Map(read.value.items.map((item) => [item.seq, item]))
  // Only below what the timeline holds: nothing is shown that lies beyond the memberships read from Redis.
  const top = Math.min(range.hi, first - 1)
  const stale = range.lo <= top ? await addOlder(sources, stream, range.lo, top, found) : 'fresh'
  if (stale === 'down' && found.size === 0) throw unavailable()
  const known = await asKnown(sources, stream, upTo, found)
  const show = shownTo(sources, user, stream, head?.ordinal ?? 0)
  const partial = !sure || stale !== 'fresh' || !known.whole
  return { sure, answer: answerOf(stream, range, intervals, mapped(known.items, show), reactions, partial) }
}

/** What this reader may see of an item that lies within his membership. */
const shownTo = (sources: Sources, user: string, stream: string, headOrdinal: number) => {
  const horizon = horizonNow(sources, stream, headOrdinal)
  return (item: Item): Item => withinHorizon(itemFor(item, user), horizon)
}

const mapped = (found: ReadonlyMap<number, Item>, show: (item: Item) => Item): Map<number, Item> =>
  new Map([...found].map(([seq, item]) => [seq, show(item)]))

/** `down`: the archive did not answer. `stale`: it trails behind a change that Redis knows of. */
async function addOlder(
  sources: Sources,
  stream: string,
  from: number,
  to: number,
  found: Map<number, Item>,
  anew = false,
): Promise<'fresh' | 'stale' | 'down'> {
  const { live, archive, redisGuard, archiveGuard } = sources
  const page = await orDown(archiveGuard(() => archive.page(stream, from, to, anew)))
  // After the archive: a recall in between must not slip through.
  const index = await orDown(redisGuard(() => live.changes(stream, 0, limits.changeIndexEntriesMax)))
  if (!page || !index) return 'down'
  const newest = new Map<number, Change>()
  // Changes that neither the index nor the archive knows of: each text may be one that was recalled.
  const lost = index.floor > page.changesUpTo
  for (const change of index.changes) newest.set(change.target, change)
  let fresh = true
  for (const item of page.items) {
    const of = messageOf(item)
    const change = of === null ? undefined : newest.get(of)
    if (lost && change === undefined && item.content !== null) {
      fresh = false
      continue
    }
    const trails = change !== undefined && (page.versions.get(item.seq)?.version ?? 0) < change.seq
    if (trails && change.kind === 'r') found.set(item.seq, recalledItem(item, change.seq))
    else {
      found.set(item.seq, item)
      if (trails) fresh = false
    }
  }
  if (fresh) return 'fresh'
  return page.held ? addOlder(sources, stream, from, to, found, true) : 'stale'
}

function recalledItem(item: Item, changeSeq: number): Item {
  const gone = recalledMessage(item, { ...item, seq: changeSeq })
  return item.kind === 'edited' ? { ...gone, targetSeq: item.targetSeq } : gone
}

async function archiveHistory(
  sources: Sources,
  user: string,
  stream: string,
  ask: PageRequest,
): Promise<HistoryAnswer | undefined> {
  const access = await archiveAccess(sources, user, stream)
  if (!access) return undefined
  const range = rangeOf(ask, access.intervals, access.headSeq)
  const { archive, archiveGuard } = sources
  const page =
    range.lo <= range.hi
      ? await orDown(archiveGuard(() => archive.page(stream, range.lo, range.hi, true)))
      : { items: [] }
  if (!page) return undefined
  const show = shownTo(sources, user, stream, access.headOrdinal)
  const found = new Map(page.items.map((item) => [item.seq, item]))
  // Beyond the head nothing says whether he was still in.
  const upTo = Math.min(knownUpTo(access.intervals), access.headSeq)
  const known = await asKnown(sources, stream, upTo, found)
  return answerOf(stream, range, access.intervals, mapped(known.items, show), [], true)
}

function answerOf(
  stream: string,
  range: PageRange,
  intervals: readonly Interval[],
  found: ReadonlyMap<number, Item>,
  reactions: readonly Reaction[],
  partial: boolean,
): HistoryAnswer {
  const page = pageOf(stream, range, intervals, found)
  const messages = new Set<number>()
  for (const { kind, seq, content } of page.items)
    if (kind === 'message' && content !== null) messages.add(seq)
  return {
    code: null,
    partial: partial || page.partial,
    fromSeq: range.fromSeq,
    toSeq: range.toSeq,
    more: page.more,
    items: page.items,
    reactions: reactions.filter(({ seq }) => messages.has(seq)),
  }
}
