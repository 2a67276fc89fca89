/** Streams of one user, joined at read: their heads, and what he may read of them. */
import {
  ALWAYS,
  type Fact,
  type Interval,
  intervalsOf,
  parseFacts,
  readableOf,
} from '../directory/membership.ts'
import type { LiveHead } from './live.ts'
import { isFixedReader, mayHaveJoined, type Sources } from './sources.ts'

export interface Stream {
  readonly conversationId: string
  readonly head: LiveHead
  readonly intervals: readonly Interval[]
}

export interface Streams {
  readonly found: Stream[]
  /** By conversation: `<seq>:<ordinal>`. */
  readonly reads: ReadonlyMap<string, string>
  /** One is listed whose membership or head is not there (yet). */
  readonly trails: boolean
}

/** What lets a user in: membership alone, or observing as well. */
type ByFacts = (memberships: readonly Fact[], observing: readonly Fact[]) => readonly Interval[]
export const asMember: ByFacts = intervalsOf
export const asReader: ByFacts = readableOf

const NO_FACTS: readonly Fact[] = []
const factsIn = (text: string | undefined): readonly Fact[] => (text ? parseFacts(text) : NO_FACTS)

/** `optional`: the one of these that may have no event yet. */
export async function streamsOf(
  { live }: Pick<Sources, 'live'>,
  user: string,
  ids: readonly string[],
  byFacts: ByFacts,
  optional: string | null = null,
): Promise<Streams> {
  const heads = await live.heads(ids)
  // After the heads: the facts then cover whatever lies up to each head's `applied`.
  const facts = await live.factsAndReads(user, ids)
  const found: Stream[] = []
  let trails = false
  for (const conversationId of ids) {
    const head = heads.get(conversationId)
    const fixed = isFixedReader(conversationId, user)
    const intervals = fixed
      ? ALWAYS
      : byFacts(factsIn(facts.memberships.get(conversationId)), factsIn(facts.observing.get(conversationId)))
    if (head && intervals.length > 0) found.push({ conversationId, head, intervals })
    else if (conversationId !== optional) trails = true
    if (!fixed && mayHaveJoined(head ?? null, intervals)) trails = true
  }
  return { found, reads: facts.reads, trails }
}
