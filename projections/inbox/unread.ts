/** Unread is a subtraction over ordinals, never a counter: nothing is written per recipient when a message is sent. */
export interface UnreadOf {
  /** Ordinal of the newest event that this reader may see. */
  readonly headOrdinal: number
  readonly base: number
  /** How many messages above the base and up to the head are his own, recalled, and both. */
  readonly own: number
  readonly recalled: number
  readonly ownRecalled: number
}

/** From where on messages count: the read mark, or what was there before the last join. */
export const baseOf = (of: { readonly readOrdinal: number; readonly joinOrdinal: number }): number =>
  Math.max(of.readOrdinal, of.joinOrdinal)

/** head − base − |own ∪ recalled|, never below 0. */
export function unreadOf({ headOrdinal, base, own, recalled, ownRecalled }: UnreadOf): number {
  return Math.max(0, headOrdinal - base - (own + recalled - ownRecalled))
}
