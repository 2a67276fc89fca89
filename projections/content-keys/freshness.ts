/**
 * How much of a topic a follower has certainly read. What counts is the topic's end, asked for beside its own reading: so it holds
 * whatever the reading, the question or its answer waits for, and needs no other clock than the follower's. Pure.
 */
import { limits } from '../../schemas/limits.ts'
import type { ContentKey } from '../../schemas/records.ts'
import type { KeyRing } from './ring.ts'

export interface Freshness {
  /** It was asked for at `at` (ms), and answered later. Not taken while an earlier answer is not read up to. */
  ended(end: number, at: number, readTo: number): void
  /** Whether an answer waits until it is read up to. */
  isBehind(readTo: number): boolean
  /** All that was written before this time (ms) lies before `readTo`, the offset behind the last record read. */
  knownTo(readTo: number): number
}

export function createFreshness(): Freshness {
  let known = Number.NEGATIVE_INFINITY
  let awaited: { readonly end: number; readonly at: number } | null = null
  function look(readTo: number): void {
    if (awaited === null || readTo < awaited.end) return
    known = Math.max(known, awaited.at)
    awaited = null
  }

  return {
    ended(end, at, readTo) {
      look(readTo)
      awaited ??= { end, at }
    },
    isBehind(readTo) {
      look(readTo)
      return awaited !== null
    },
    knownTo(readTo) {
      look(readTo)
      return known
    },
  }
}

/** Beyond that a key that was taken from its user meanwhile would seal what nobody could open. */
export const maySeal = (knownTo: number, now: number): boolean => now - knownTo <= limits.keysAgeMsMax

/** From the moment that is written into a key until no gateway seals under it, and all that one sealed is in the log or never will be. */
export const TAKEN_MS = limits.appendTimeoutMs + limits.keysAgeMsMax + limits.appendTimeoutMs

/** How long (ms) a gateway may still seal under keys that were taken from this user; 0: none does. */
export function sealedFor(ring: Pick<KeyRing, 'ofUser' | 'get'>, user: string, now: number): number {
  const taken = ring
    .ofUser(user)
    .map((id) => ring.get(id) as ContentKey)
    .filter(({ state }) => state !== 'live')
  return Math.max(0, ...taken.map(({ at }) => at + TAKEN_MS - now))
}
