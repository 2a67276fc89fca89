/**
 * What a reader may know of a conversation (decision 16): what was said while he was in, as it stood when he was last in, and every
 * recall of it, which says nothing. Pages, previews, search and sync all ask here. Pure.
 */
import type { Item } from '../../schemas/frames.ts'
import { type Interval, mayRead } from '../directory/membership.ts'

/** Versions up to this seq are for this reader: the end of his last stay, or without end while he is in. */
export function knownUpTo(intervals: readonly Interval[]): number {
  let upTo = 0
  for (const { toSeq } of intervals) upTo = Math.max(upTo, toSeq ?? Number.POSITIVE_INFINITY)
  return upTo
}

/** Says something that came after all that this reader may know. */
export const isLater = ({ kind, seq, targetSeq, content }: Item, upTo: number): boolean =>
  kind === 'message' && content !== null && (targetSeq ?? seq) > upTo

export interface Change {
  readonly seq: number
  readonly target: number
  readonly kind: 'e' | 'r'
}

/** Whether a change is told: where it stands itself says nothing, as it may have been made while the reader was away. */
export const mayKnow = (intervals: readonly Interval[], { seq, target, kind }: Change): boolean =>
  mayRead(intervals, target) && (kind === 'r' || seq <= knownUpTo(intervals))

/**
 * From where changes must be told to one who says that he knows them up to `changesUpTo`. Where that lies in an absence he
 * was not told the edits made in it: then from its beginning.
 */
export function changesFrom(intervals: readonly Interval[], changesUpTo: number): number {
  for (const [i, { toSeq }] of intervals.entries()) {
    const next = intervals[i + 1]
    if (toSeq !== null && next && changesUpTo > toSeq && changesUpTo < next.fromSeq) return toSeq
  }
  return changesUpTo
}
