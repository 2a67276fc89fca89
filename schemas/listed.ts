import type { Envelope, EventPayload } from './records.ts'

/**
 * Whose lists a single chat enters with this event. Fan-out asks it at once and the directory when it gets there: were they to differ, a
 * list would hold something else after a replay. Both have it from the first event on, unless that is one that only its sender may see.
 */
export function listedIn(
  { seq, ordinal }: Pick<Envelope, 'seq' | 'ordinal'>,
  payload: EventPayload | null,
  pair: readonly [string, string],
): readonly string[] {
  if (payload?.type === 'Blocked') return seq === 1 ? [payload.sender] : []
  const first = seq === 1 || ordinal === 1 || payload?.type === 'FriendRequested'
  return first ? [...new Set(pair)] : []
}
