/** Unread is a subtraction over ordinals, never a counter: nothing is written per recipient when a message is sent. */
export interface UnreadOf {
  /** Ordinal of the newest event that this reader may see. */
  readonly headOrdinal: number
  readonly readOrdinal: number
  /** Messages that were there before the last join. */
  readonly joinOrdinal: number
  readonly own: Iterable<number>
  readonly recalled: Iterable<number>
}

/** From where on messages count. */
export const baseOf = (of: Pick<UnreadOf, 'readOrdinal' | 'joinOrdinal'>): number =>
  Math.max(of.readOrdinal, of.joinOrdinal)

/** head − base − |(own ∪ recalled) above base|, never below 0. */
export function unreadOf(of: UnreadOf): number {
  const base = baseOf(of)
  const settled = new Set<number>()
  for (const ordinals of [of.own, of.recalled])
    for (const ordinal of ordinals) if (ordinal > base && ordinal <= of.headOrdinal) settled.add(ordinal)
  return Math.max(0, of.headOrdinal - base - settled.size)
}

/** How many of these messages are unread. */
export function unreadAmong(of: UnreadOf, ordinals: Iterable<number>): number {
  const base = baseOf(of)
  const settled = new Set([...of.own, ...of.recalled])
  let count = 0
  for (const ordinal of new Set(ordinals))
    if (ordinal > base && ordinal <= of.headOrdinal && !settled.has(ordinal)) count++
  return count
}
