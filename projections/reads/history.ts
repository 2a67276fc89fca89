/** Pages of a stream: the newest items from the timeline, older ones from the archive, each as it stands now. */
import type { Item } from '../../schemas/frames.ts'
import { recalledMessage } from '../../schemas/item.ts'
import { limits } from '../../schemas/limits.ts'
import type { Interval } from '../directory/membership.ts'
import type { HistoryAnswer, PageRequest, Refused } from '../reads.ts'
import { itemFrom } from '../timeline/element.ts'
import type { LiveChange } from './live.ts'
import { type PageRange, pageOf, rangeOf } from './page.ts'
import { archiveAccess, fixedReaders, liveAccess, orDown, type Sources, unavailable } from './sources.ts'

export async function history(
  sources: Sources,
  user: string,
  stream: string,
  ask: PageRequest,
): Promise<Refused | HistoryAnswer> {
  const readers = fixedReaders(stream)
  if (readers === undefined || (readers && !readers.includes(user))) return { code: 'not_member' }
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
  const { live, redisGuard } = sources
  const read = await orDown(
    redisGuard(() =>
      live.whole(async () => {
        const { head, intervals, unsure } = await liveAccess(sources, user, stream)
        const range = rangeOf(ask, intervals, head?.seq ?? 0)
        const timeline =
          head && intervals.length > 0 ? await live.elements(stream, range.lo, range.hi) : undefined
        return { intervals, unsure, range, timeline }
      }),
    ),
  )
  if (!read) return undefined
  const { intervals, unsure, range, timeline } = read.value
  const sure = read.complete && !unsure
  if (intervals.length === 0) return { sure, answer: { code: 'not_member' } }
  const found = new Map<number, Item>()
  for (const element of timeline?.elements ?? []) {
    const item = itemFrom(element)
    found.set(item.seq, item)
  }
  // Only below what the timeline holds: nothing is shown that lies beyond the memberships read from Redis.
  const top = Math.min(range.hi, (timeline?.first ?? 1) - 1)
  const stale = range.lo <= top ? await addOlder(sources, stream, range.lo, top, found) : 'fresh'
  if (stale === 'down' && found.size === 0) throw unavailable()
  const answer = answerOf(stream, range, intervals, found, !sure || stale !== 'fresh')
  return { sure, answer }
}

/** `down`: the archive did not answer. `stale`: it trails behind a change that Redis knows of. */
async function addOlder(
  { live, archive, redisGuard, archiveGuard }: Sources,
  stream: string,
  from: number,
  to: number,
  found: Map<number, Item>,
): Promise<'fresh' | 'stale' | 'down'> {
  const page = await orDown(archiveGuard(() => archive.page(stream, from, to)))
  // After the archive: a recall in between must not slip through.
  const index = await orDown(redisGuard(() => live.changes(stream, 0, limits.changeIndexEntriesMax)))
  if (!page || !index) return 'down'
  const newest = new Map<number, LiveChange>()
  for (const change of index.changes) newest.set(change.target, change)
  let fresh = true
  for (const item of page.items) {
    const of = item.kind === 'edited' ? item.targetSeq : item.kind === 'message' ? item.seq : null
    const change = of === null ? undefined : newest.get(of)
    const trails = change !== undefined && (page.versions.get(of ?? 0)?.version ?? 0) < change.seq
    if (trails && change.kind === 'r') found.set(item.seq, recalledItem(item, change.seq))
    else {
      found.set(item.seq, item)
      if (trails) fresh = false
    }
  }
  return fresh ? 'fresh' : 'stale'
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
      ? await orDown(archiveGuard(() => archive.page(stream, range.lo, range.hi)))
      : { items: [] }
  if (!page) return undefined
  const found = new Map(page.items.map((item) => [item.seq, item]))
  return answerOf(stream, range, access.intervals, found, true)
}

function answerOf(
  stream: string,
  range: PageRange,
  intervals: readonly Interval[],
  found: ReadonlyMap<number, Item>,
  partial: boolean,
): HistoryAnswer {
  const page = pageOf(stream, range, intervals, found)
  return {
    code: null,
    partial: partial || page.partial,
    fromSeq: range.fromSeq,
    toSeq: range.toSeq,
    more: page.more,
    items: page.items,
  }
}
