/** What every read begins with: the sources, and who may read what. */
import { parseStream } from '../../schemas/ids.ts'
import { type Clock, Fault, sleepOf } from '../../schemas/ports.ts'
import { ALWAYS, type Interval, readableOf } from '../directory/membership.ts'
import type { ArchiveReads } from './archive.ts'
import type { Guard } from './guard.ts'
import type { LiveHead, LiveReads } from './live.ts'
import { type Horizon, horizonOf, type Policies, policyOf } from './policy.ts'

export interface Sources {
  readonly live: LiveReads
  readonly archive: ArchiveReads
  readonly redisGuard: Guard
  readonly archiveGuard: Guard
  readonly policies: Policies
  readonly clock: Clock
}

/** The readers that a stream's id names; null for a group, whose readers are its members; undefined where it is no stream id. */
export function fixedReaders(stream: string): readonly string[] | null | undefined {
  const ref = parseStream(stream)
  if (ref === null) return undefined
  if (ref.kind === 'p2p') return ref.users
  return ref.kind === 'user' ? [ref.userId] : null
}

export const isFixedReader = (stream: string, user: string): boolean =>
  !stream.startsWith('g:') && (fixedReaders(stream)?.includes(user) ?? false)

/** False: nothing could ever let this user read the stream. Conversations can be observed, another's own stream cannot; a room is joined. */
export function couldRead(user: string, stream: string): boolean {
  const ref = parseStream(stream)
  return ref !== null && ref.kind !== 'room' && (ref.kind !== 'user' || ref.userId === user)
}

/** Undefined where the call failed with a Fault: that source is down, another may answer. */
export async function orDown<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (err) {
    if (err instanceof Fault) return undefined
    throw err
  }
}

export const unavailable = (): Fault =>
  new Fault('unavailable', 'no store that could answer does', { retriable: true })

/** Reads Redis under its guard, and tells whether all that the log held was there. */
export const readLive = <T>(
  { live, redisGuard }: Sources,
  read: () => Promise<T>,
): Promise<{ readonly value: T; readonly complete: boolean }> => redisGuard(() => live.whole(read))

export interface LiveAccess {
  readonly head: LiveHead | null
  readonly intervals: readonly Interval[]
  /** Not a reader as far as the directory has come, and it trails behind the head: the user may be one since. */
  readonly unsure: boolean
}

export async function liveAccess({ live }: Sources, user: string, stream: string): Promise<LiveAccess> {
  if (isFixedReader(stream, user)) {
    const head = (await live.heads([stream])).get(stream) ?? null
    return { head, intervals: ALWAYS, unsure: false }
  }
  const { head, memberships, observing } = await live.headAndFacts(user, stream)
  const intervals = readableOf(memberships, observing)
  return { head, intervals, unsure: mayHaveJoined(head, intervals) }
}

/** Heads are raised by fan-out before anybody is told of an event; the directory may come later. */
export const mayHaveJoined = (head: LiveHead | null, intervals: readonly Interval[]): boolean =>
  head !== null && head.applied < head.seq && intervals.at(-1)?.toSeq !== null

/** Undefined: the archive does not answer, or does not know that this user ever was a reader (it may trail). */
export async function archiveAccess(
  { archive, archiveGuard }: Sources,
  user: string,
  stream: string,
): Promise<
  | { readonly headSeq: number; readonly headOrdinal: number; readonly intervals: readonly Interval[] }
  | undefined
> {
  const found = await orDown(
    archiveGuard(async () => {
      // In this order: memberships are inserted before items, so they cover whatever lies up to this head.
      const head = await archive.head(stream)
      const facts = isFixedReader(stream, user) ? null : await archive.facts(user, stream)
      const intervals = facts ? readableOf(facts.memberships, facts.observing) : ALWAYS
      return { headSeq: head?.seq ?? 0, headOrdinal: head?.ordinal ?? 0, intervals }
    }),
  )
  return found && found.intervals.length > 0 ? found : undefined
}

/** Where what was said ends for the readers of a stream that has come to this ordinal. */
export const horizonNow = ({ policies, clock }: Sources, stream: string, headOrdinal: number): Horizon =>
  horizonOf(policyOf(policies, stream), headOrdinal, clock.now())

const SETTLE_TRIES = 10
const SETTLE_MS = 25

/**
 * Heads of the streams, once the read models have come to what these were when it began, or a quarter of a second later. What is
 * read afterwards then holds everything that anybody had been told before.
 */
export async function settledHeads(
  { live, clock }: Sources,
  streams: readonly string[],
): Promise<{ readonly heads: ReadonlyMap<string, LiveHead>; readonly settled: boolean }> {
  const heads = await live.heads(streams)
  let behind = streams.filter((stream) => isBehind(heads.get(stream), heads.get(stream)?.seq))
  for (let tries = 0; behind.length > 0 && tries < SETTLE_TRIES; tries++) {
    await sleepOf(clock)(SETTLE_MS)
    const now = await live.heads(behind)
    behind = behind.filter((stream) => isBehind(now.get(stream), heads.get(stream)?.seq))
  }
  return { heads, settled: behind.length === 0 }
}

/** Whether the read models have come to `seq` of the stream, now or within a quarter of a second. */
export async function reaches({ live, clock }: Sources, stream: string, seq: number): Promise<boolean> {
  for (let tries = 0; ; tries++) {
    const heads = await live.heads([stream])
    if (!isBehind(heads.get(stream), seq)) return true
    if (tries === SETTLE_TRIES) return false
    await sleepOf(clock)(SETTLE_MS)
  }
}

const isBehind = (head: LiveHead | undefined, seq: number | undefined): boolean =>
  seq !== undefined && (head?.applied ?? 0) < seq
