/** Recalls and edits that a device has missed, and look-ups by packId. */
import type { Item, Range } from '../../schemas/frames.ts'
import { limits } from '../../schemas/limits.ts'
import { mayRead } from '../directory/membership.ts'
import type { LookupAnswer, Refused, SyncAnswer } from '../reads.ts'
import { itemFrom } from '../timeline/element.ts'
import { blankEdit } from './archive.ts'
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
    readLive(sources, async () => ({
      ...(await liveAccess(sources, user, stream)),
      index: await live.changes(stream, changesUpTo, limits.changesPerSyncMax),
    })),
  )
  if (!read) return undefined
  const { head, intervals, unsure, index } = read.value
  const sure = read.complete && !unsure
  if (intervals.length === 0) return { sure, answer: { code: 'not_member' } }
  if (changesUpTo < index.floor) {
    const upTo = index.applied
    return {
      sure,
      answer: { code: null, partial: false, reset: true, changesUpTo: upTo, changes: [] },
    }
  }
  const cut = index.changes.length >= limits.changesPerSyncMax
  const upTo = cut ? (index.changes.at(-1)?.seq ?? changesUpTo) : Math.max(changesUpTo, index.applied)
  const wanted = index.changes.filter(
    ({ seq, target }) => held(ranges, target) && mayRead(intervals, target) && mayRead(intervals, seq),
  )
  const items = await changedItems(sources, stream, wanted)
  const missing = wanted.find(({ seq }) => !items.has(seq))
  const until = missing ? missing.seq - 1 : upTo
  const there = [...items.values()].filter(({ seq }) => seq <= until)
  const horizon = horizonNow(sources, stream, head?.ordinal ?? 0)
  const { changes, changesUpTo: told } = fitting(there, until, horizon)
  const partial = told < until || cut || missing !== undefined || index.applied < (head?.seq ?? 0)
  return { sure, answer: { code: null, partial, reset: false, changesUpTo: told, changes } }
}

/** The first of the changes, as far as one answer holds them, without edits that are no longer kept; and up to where that is. */
function fitting(items: readonly Item[], until: number, horizon: Horizon) {
  const changes: Item[] = []
  let bytes = 0
  for (const item of items) {
    if (item.kind === 'hidden' || (item.kind === 'edited' && isBeyond(horizon, item))) continue
    bytes += bytesOf(item)
    if (bytes > limits.pageBytesMax && changes.length > 0) return { changes, changesUpTo: item.seq - 1 }
    changes.push(item)
  }
  return { changes, changesUpTo: until }
}

/** The events themselves, in seq order; those that neither store holds are left out. */
async function changedItems(
  { live, archive, redisGuard, archiveGuard }: Sources,
  stream: string,
  wanted: readonly { readonly seq: number; readonly target: number; readonly kind: 'e' | 'r' }[],
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
      const all = await archive.changes(stream, changesUpTo, limits.changesPerSyncMax)
      const { intervals } = access
      const wanted = all.filter(
        ({ seq, target }) => held(ranges, target) && mayRead(intervals, target) && mayRead(intervals, seq),
      )
      const seqs = wanted.map(({ seq }) => seq)
      const items = await archive.itemsAt(stream, seqs)
      const horizon = horizonNow(sources, stream, access.headOrdinal)
      const until = all.at(-1)?.seq ?? changesUpTo
      return { code: null, partial: true, reset: false, ...fitting(items, until, horizon) }
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
