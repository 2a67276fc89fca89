/** Recalls and edits that a device has missed, and look-ups by packId. */
import type { Item, Range } from '../../schemas/frames.ts'
import { limits } from '../../schemas/limits.ts'
import type { Interval } from '../directory/membership.ts'
import type { LookupAnswer, Refused, SyncAnswer } from '../reads.ts'
import { itemFrom } from '../timeline/element.ts'
import { blankEdit } from './archive.ts'
import { type Change, changesFrom, knownUpTo, mayKnow } from './knowledge.ts'
import { bytesOf } from './page.ts'
import { type Horizon, isBeyond } from './policy.ts'
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

export interface SyncAsk {
  readonly ranges: readonly Range[]
  readonly changesUpTo: number
}

export async function sync(
  sources: Sources,
  user: string,
  stream: string,
  ask: SyncAsk,
): Promise<Refused | SyncAnswer> {
  if (!couldRead(user, stream)) return { code: 'not_member' }
  const fromLive = await liveSync(sources, user, stream, ask)
  if (fromLive?.sure) return fromLive.answer
  const fromArchive = await archiveSync(sources, user, stream, ask)
  if (fromArchive) return fromArchive
  throw unavailable()
}

const held = (ranges: readonly Range[], seq: number): boolean =>
  ranges.some(({ from, to }) => seq >= from && seq <= to)

async function liveSync(
  sources: Sources,
  user: string,
  stream: string,
  { ranges, changesUpTo }: SyncAsk,
): Promise<{ sure: boolean; answer: Refused | SyncAnswer } | undefined> {
  const { live } = sources
  const read = await orDown(
    readLive(sources, async () => {
      const access = await liveAccess(sources, user, stream)
      const from = changesFrom(access.intervals, changesUpTo)
      const isIn = knownUpTo(access.intervals) === Number.POSITIVE_INFINITY
      // For one who is out most of the index may be edits that he is not told.
      const max = isIn ? limits.changesPerSyncMax : limits.changeIndexEntriesMax
      const index = await live.changes(stream, from, max)
      if (index.applied <= (access.head?.applied ?? 0)) return { ...access, from, index }
      // He may have left before a change that came in between.
      return { ...access, ...(await liveAccess(sources, user, stream)), from, index }
    }),
  )
  if (!read) return undefined
  const { head, intervals, unsure, from, index } = read.value
  const sure = read.complete && !unsure
  if (intervals.length === 0) return { sure, answer: { code: 'not_member' } }
  const knows = knownUpTo(intervals)
  const told = from < index.floor ? null : portionOf(index, from, knows, wantedOf(intervals, ranges))
  if (told === null) {
    const upTo = Math.min(index.applied, knows)
    return {
      sure,
      answer: { code: null, partial: false, reset: true, changesUpTo: upTo, changes: [] },
    }
  }
  const items = await changedItems(sources, stream, told.changes)
  const missing = told.changes.find(({ seq }) => !items.has(seq))?.seq ?? Number.POSITIVE_INFINITY
  const there = [...items.values()].filter(({ seq }) => seq < missing)
  const horizon = horizonNow(sources, stream, head?.ordinal ?? 0)
  const { changes, changesUpTo: upTo, cut } = fitting(there, Math.min(missing - 1, told.upTo), horizon)
  const partial = cut || told.cut || missing < Number.POSITIVE_INFINITY || index.applied < (head?.seq ?? 0)
  // Beyond what he may know lie recalls alone: these are told again rather than how far the conversation has come.
  return {
    sure,
    answer: { code: null, partial, reset: false, changesUpTo: Math.min(upTo, knows), changes },
  }
}

type Wanted = (change: Change) => boolean
const wantedOf =
  (intervals: readonly Interval[], ranges: readonly Range[]): Wanted =>
  (change) =>
    held(ranges, change.target) && mayKnow(intervals, change)

/** Of the changes in the index those that one answer tells, and up to where it tells all. Null: too many to tell ever. */
function portionOf(
  { applied, changes: all }: { readonly applied: number; readonly changes: readonly Change[] },
  from: number,
  knows: number,
  isWanted: Wanted,
): { readonly changes: Change[]; readonly upTo: number; readonly cut: boolean } | null {
  const max = limits.changesPerSyncMax
  const changes = all.filter(isWanted)
  const whole = { changes, upTo: Math.max(from, applied), cut: false }
  if (knows === Number.POSITIVE_INFINITY)
    return all.length < max ? whole : { changes, upTo: all.at(-1)?.seq ?? from, cut: true }
  if (changes.length < max) return whole
  // Nobody who is out comes to an end of more recalls than one answer holds, as each begins where he left.
  const within = changes.filter(({ seq }) => seq <= knows).slice(0, max)
  return within.length === 0 ? null : { changes: within, upTo: within.at(-1)?.seq ?? from, cut: true }
}

/** The first of the changes, as far as one answer holds them, without edits that are no longer kept; and up to where that is. */
function fitting(items: readonly Item[], until: number, horizon: Horizon) {
  const changes: Item[] = []
  let bytes = 0
  for (const item of items) {
    if (item.kind === 'hidden' || (item.kind === 'edited' && isBeyond(horizon, item))) continue
    bytes += bytesOf(item)
    if (bytes > limits.pageBytesMax && changes.length > 0)
      return { changes, changesUpTo: Math.min(until, item.seq - 1), cut: true }
    changes.push(item)
  }
  return { changes, changesUpTo: until, cut: false }
}

/** The events themselves, in seq order; those that neither store holds are left out. */
async function changedItems(
  { live, archive, redisGuard, archiveGuard }: Sources,
  stream: string,
  wanted: readonly Change[],
): Promise<Map<number, Item>> {
  const [first, last] = [wanted[0]?.seq, wanted.at(-1)?.seq]
  if (first === undefined || last === undefined) return new Map()
  const seqs = new Set(wanted.map(({ seq }) => seq))
  const items: Item[] = []
  const window = await orDown(redisGuard(() => live.elements(stream, first, last)))
  for (const element of window?.elements ?? []) {
    const item = itemFrom(element)
    if (seqs.delete(item.seq)) items.push(item)
  }
  items.push(...((await orDown(archiveGuard(() => archive.itemsAt(stream, [...seqs])))) ?? []))
  const recalled = new Set(wanted.filter(({ kind }) => kind === 'r').map(({ target }) => target))
  const readable = items.map((item) =>
    item.kind === 'edited' && recalled.has(item.targetSeq ?? 0) ? blankEdit(item) : item,
  )
  return new Map(readable.sort((a, b) => a.seq - b.seq).map((item) => [item.seq, item]))
}

async function archiveSync(
  sources: Sources,
  user: string,
  stream: string,
  { ranges, changesUpTo }: SyncAsk,
): Promise<SyncAnswer | undefined> {
  const { archive, archiveGuard } = sources
  const access = await archiveAccess(sources, user, stream)
  if (!access) return undefined
  return orDown(
    archiveGuard(async () => {
      const { intervals } = access
      const knows = knownUpTo(intervals)
      const from = changesFrom(intervals, changesUpTo)
      const all = await archive.changes(stream, from, knows, limits.changesPerSyncMax)
      const seqs = all.filter(wantedOf(intervals, ranges)).map(({ seq }) => seq)
      const items = await archive.itemsAt(stream, seqs)
      const horizon = horizonNow(sources, stream, access.headOrdinal)
      const { changes, changesUpTo: told } = fitting(items, all.at(-1)?.seq ?? from, horizon)
      return { code: null, partial: true, reset: false, changesUpTo: Math.min(told, knows), changes }
    }),
  )
}

export async function lookup(
  sources: Sources,
  user: string,
  stream: string,
  packId: string,
): Promise<LookupAnswer> {
  const { live, archive, archiveGuard } = sources
  const read = await orDown(
    readLive(sources, async () => ({
      head: (await live.heads([stream])).get(stream),
      window: await live.elements(stream, 1, Number.MAX_SAFE_INTEGER),
    })),
  )
  const window = read?.value.window
  for (const element of window?.elements ?? []) {
    if (!element.includes(packId)) continue
    const item = itemFrom(element)
    if (item.packId === packId && item.senderId === user) return { partial: false, found: coordinates(item) }
  }
  const first = window?.first ?? Number.MAX_SAFE_INTEGER
  const older =
    first > 1
      ? await orDown(
          archiveGuard(async () => ({
            // In this order: what the archive had before the search, it has searched.
            head: await archive.head(stream),
            item: await archive.byPackId(user, stream, packId),
          })),
        )
      : { head: null, item: null }
  if (older?.item) return { partial: false, found: coordinates(older.item) }
  if (!read && !older) throw unavailable()
  const timelineSure = read?.complete === true && read.value.window.applied >= (read.value.head?.seq ?? 0)
  const archiveSure = first <= 1 || (older?.head?.seq ?? 0) >= first - 1
  return { partial: !(timelineSure && archiveSure), found: null }
}

const coordinates = ({ seq, ordinal, time }: Item) => ({ seq, ordinal, time })
