/** Which seqs a page covers and what of it can be shown: pure. */
import type { Item } from '../../schemas/frames.ts'
import { hiddenItem } from '../../schemas/item.ts'
import { limits } from '../../schemas/limits.ts'
import { type Interval, mayRead } from '../directory/membership.ts'

export interface PageRange {
  /** The first and last seq that this reader may see. */
  readonly fromSeq: number
  readonly toSeq: number
  /** The page; empty when lo > hi. */
  readonly lo: number
  readonly hi: number
  /** From where the page grows: a page cut short keeps this end. */
  readonly direction: 'up' | 'down'
}

export interface PageAsk {
  readonly before?: number | null
  readonly after?: number | null
  readonly limit?: number | null
}

/** The page asked for, clamped to what the reader may see of a stream that has come to `head`. */
export function rangeOf(ask: PageAsk, intervals: readonly Interval[], head: number): PageRange {
  const first = intervals[0]
  const last = intervals.at(-1)
  const fromSeq = first?.fromSeq ?? 1
  const toSeq = Math.min(head, last?.toSeq ?? head)
  const limit = Math.max(1, Math.min(ask.limit ?? limits.pageMessagesDefault, limits.pageMessagesMax))
  const top = Math.min(toSeq, (ask.before ?? Number.MAX_SAFE_INTEGER) - 1)
  if (ask.after !== null && ask.after !== undefined) {
    const lo = Math.max(fromSeq, ask.after + 1)
    return { fromSeq, toSeq, lo, hi: Math.min(top, lo + limit - 1), direction: 'up' }
  }
  return { fromSeq, toSeq, lo: Math.max(fromSeq, top - limit + 1), hi: top, direction: 'down' }
}

export interface Page {
  readonly items: Item[]
  readonly more: boolean
  /** A part of the range is not there yet. */
  readonly partial: boolean
}

/** About what an item takes in an answer. */
export function bytesOf({ content, value, members }: Item): number {
  let bytes = 200 + Buffer.byteLength(content ?? '') + Buffer.byteLength(value ?? '')
  for (const user of members) bytes += user.length + 3
  return bytes
}

/**
 * The run of items from the page's fixed end to the first one that is missing, or to where it is full. What the reader may not see
 * is `hidden`, never missing.
 */
export function pageOf(
  conversationId: string,
  range: PageRange,
  intervals: readonly Interval[],
  found: ReadonlyMap<number, Item>,
): Page {
  const { fromSeq, toSeq, lo, hi, direction } = range
  const at = (seq: number): Item | undefined =>
    mayRead(intervals, seq) ? found.get(seq) : hiddenItem(conversationId, seq)
  const items: Item[] = []
  let bytes = 0
  let missing = false
  /** False: the page ends before this item. */
  const take = (seq: number): boolean => {
    const item = at(seq)
    missing = item === undefined
    if (item === undefined) return false
    bytes += bytesOf(item)
    if (bytes > limits.pageBytesMax && items.length > 0) return false
    items.push(item)
    return true
  }
  if (direction === 'up') {
    for (let seq = lo; seq <= hi && take(seq); seq++);
    const last = items.at(-1)?.seq ?? Math.min(lo - 1, toSeq)
    return { items, more: last < toSeq, partial: missing }
  }
  let top = hi
  // The newest may not have been applied yet: the page then ends below it, and says so.
  while (top >= lo && !at(top)) top--
  for (let seq = top; seq >= lo && take(seq); seq--);
  items.reverse()
  const first = items[0]?.seq ?? hi + 1
  return { items, more: first > fromSeq && hi >= fromSeq, partial: missing || top < hi }
}
