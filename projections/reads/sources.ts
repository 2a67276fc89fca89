/** What every read begins with: the sources, and who may read what. */
import { parseStream } from '../../schemas/ids.ts'
import { Fault } from '../../schemas/ports.ts'
import { ALWAYS, type Interval, intervalsOf } from '../directory/membership.ts'
import type { ArchiveReads } from './archive.ts'
import type { Guard } from './guard.ts'
import type { LiveHead, LiveReads } from './live.ts'

export interface Sources {
  readonly live: LiveReads
  readonly archive: ArchiveReads
  readonly redisGuard: Guard
  readonly archiveGuard: Guard
}

/** The readers that a stream's id names; null for a group, whose readers are its members; undefined where it is no stream id. */
export function fixedReaders(stream: string): readonly string[] | null | undefined {
  const ref = parseStream(stream)
  if (ref === null) return undefined
  if (ref.kind === 'p2p') return ref.users
  return ref.kind === 'user' ? [ref.userId] : null
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

export interface LiveAccess {
  readonly head: LiveHead | null
  readonly intervals: readonly Interval[]
  /** Not a member as far as the directory has come, and it trails behind the head: the user may have joined since. */
  readonly unsure: boolean
}

export async function liveAccess({ live }: Sources, user: string, stream: string): Promise<LiveAccess> {
  if (fixedReaders(stream)) {
    const head = (await live.heads([stream])).get(stream) ?? null
    return { head, intervals: ALWAYS, unsure: false }
  }
  const { head, facts } = await live.headAndFacts(user, stream)
  const intervals = intervalsOf(facts)
  return { head, intervals, unsure: mayHaveJoined(head, intervals) }
}

/** Heads are raised by fan-out before anybody is told of an event; the directory may come later. */
export const mayHaveJoined = (head: LiveHead | null, intervals: readonly Interval[]): boolean =>
  head !== null && head.applied < head.seq && intervals.at(-1)?.toSeq !== null

/** Undefined: the archive does not answer, or does not know that this user ever was a member (it may trail). */
export async function archiveAccess(
  { archive, archiveGuard }: Sources,
  user: string,
  stream: string,
): Promise<{ readonly headSeq: number; readonly intervals: readonly Interval[] } | undefined> {
  const found = await orDown(
    archiveGuard(async () => {
      // In this order: memberships are inserted before items, so they cover whatever lies up to this head.
      const head = await archive.head(stream)
      const facts = fixedReaders(stream) ? null : await archive.facts(user, stream)
      return { headSeq: head?.seq ?? 0, intervals: facts ? intervalsOf(facts) : ALWAYS }
    }),
  )
  return found && found.intervals.length > 0 ? found : undefined
}
