/**
 * One live room as a gateway follows it: its newest items, and what of them waits to be sent. Seqs are gapless, so what is left out
 * needs no bookkeeping: whoever was shown up to `last` is told how many lie between that and what he is shown next. Changed in
 * place; pure otherwise.
 */
import type { Item } from '../schemas/frames.ts'
import { changedBy } from './push.ts'

export interface Lane {
  /** The newest items, in seq order and without a hole. */
  ring: Item[]
  /** Seq of the newest item known, in the ring or by a page; null: nothing is known. */
  head: number | null
  /** The ring begins where the room does, or as far back as it reaches. */
  whole: boolean
  /** Seq of the item taken last; what is not above it came again. */
  last: number
  /** Taken and not sent yet, in seq order. */
  pending: Item[]
  pendingBytes: number
}

/** A connection in a room. */
export interface Seat {
  readonly conversationId: string
  /** Up to here it was shown, or told what was skipped; null: not known. */
  last: number | null
  /** Its joinRoom is answered. */
  open: boolean
}

export interface LaneLimits {
  readonly ringMax: number
  /** Of what is sent at once. */
  readonly itemsMax: number
  readonly bytesMax: number
}

export interface Page {
  readonly partial: boolean
  readonly headSeq: number
  readonly items: readonly Item[]
}

/** Items that leave together. */
export interface Batch {
  readonly upTo: number
  readonly items: readonly Item[]
}

/** What one connection is shown of a batch. Equal `from` and `skipped` are equal bytes. */
export interface Part {
  /** Index of its first item in the batch. */
  readonly from: number
  readonly skipped: number
}

const OVERHEAD_BYTES = 300
const sizeOf = ({ content }: Item): number => OVERHEAD_BYTES + (content?.length ?? 0)

export const newLane = (): Lane => ({
  ring: [],
  head: null,
  whole: false,
  last: 0,
  pending: [],
  pendingBytes: 0,
})

/** Takes an item that was delivered. Answers how many of those that wait had to go for it; null: it came again. */
export function take(lane: Lane, item: Item, limits: LaneLimits): number | null {
  if (item.seq <= lane.last) return null
  lane.last = item.seq
  // What is taken back while it waits is never shown.
  lane.pending = changed(lane.pending, item)
  remember(lane, item, limits.ringMax)
  lane.pending.push(item)
  lane.pendingBytes += sizeOf(item)
  let dropped = 0
  while (
    lane.pending.length > limits.itemsMax ||
    (lane.pendingBytes > limits.bytesMax && lane.pending.length > 1)
  ) {
    const oldest = lane.pending.shift()
    if (oldest) lane.pendingBytes -= sizeOf(oldest)
    dropped += 1
  }
  return dropped
}

function remember(lane: Lane, item: Item, ringMax: number): void {
  const { head } = lane
  // A page has it already.
  if (head !== null && item.seq <= head) return
  if (head === null || item.seq > head + 1) {
    lane.ring = []
    lane.whole = false
  }
  lane.ring = changed(lane.ring, item)
  lane.ring.push(item)
  if (lane.ring.length > ringMax) lane.ring.shift()
  lane.head = item.seq
}

function changed(items: Item[], change: Item): Item[] {
  return change.targetSeq === null || change.kind === 'message'
    ? items
    : items.map((item) => changedBy(change, item) ?? item)
}

/** Takes what the timeline holds, which may be behind what was delivered meanwhile, or ahead of it. */
export function seed(lane: Lane, page: Page, ringMax: number): void {
  const { head } = lane
  if (head === null || page.headSeq >= head) {
    lane.ring = page.items.slice(-ringMax)
    lane.head = page.headSeq
    lane.whole = !page.partial
    return
  }
  const newer = lane.ring.filter(({ seq }) => seq > page.headSeq)
  // Between the two something is missing.
  if (newer[0]?.seq !== page.headSeq + 1) return
  const older = newer.reduce((items, change) => changed(items, change), [...page.items])
  lane.ring = [...older, ...newer].slice(-ringMax)
  lane.whole = !page.partial
}

/** Nothing may have come for a while: the ring is not to be trusted. */
export const doubt = (lane: Lane): void => {
  lane.whole = false
}

/** From here on the seat is shown what comes. Answers what stands in its joinRoom's answer. */
export function enter(lane: Lane, seat: Seat, newest: number): Page {
  seat.open = true
  seat.last = lane.head
  const items = newest === 0 ? [] : lane.ring.slice(-newest)
  return { partial: !lane.whole, headSeq: lane.head ?? 0, items }
}

/** All that waits; null: nothing does. */
export function cut(lane: Lane): Batch | null {
  const items = lane.pending
  if (items.length === 0) return null
  lane.pending = []
  lane.pendingBytes = 0
  return { upTo: items.at(-1)?.seq ?? 0, items }
}

/** Null: nothing in it is new to the seat. */
export function partFor({ upTo, items }: Batch, { last, open }: Seat): Part | null {
  if (!open || (last !== null && upTo <= last)) return null
  const from = last === null ? 0 : items.findIndex(({ seq }) => seq > last)
  const before = last ?? (items[0]?.seq ?? 1) - 1
  return { from, skipped: upTo - before - (items.length - from) }
}
