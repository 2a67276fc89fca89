/**
 * Membership of one user in one group as facts in text: `+<seq>:<ordinal>:<time>` joined, `-<seq>:<ordinal>:<time>` left, sorted by
 * seq and separated by commas. Facts form a set, so that writing them again, late or in another order changes nothing. What a user
 * observes is kept as facts of the same form.
 */
export interface Fact {
  readonly joined: boolean
  readonly seq: number
  /** Messages in the group up to and including that event. */
  readonly ordinal: number
  /** Broker time in ms, where it is kept. */
  readonly time?: number
}

export interface Interval {
  /** Seq of the event that let the user in; it is visible. */
  readonly fromSeq: number
  /** Seq of the event that let the user out, visible as well; null while a member. */
  readonly toSeq: number | null
  readonly fromOrdinal: number
  readonly toOrdinal: number | null
  readonly toTime: number | null
}

const FACT = /([+-])(\d+):(\d+)(?::(\d+))?/g

export function parseFacts(text: string): Fact[] {
  return [...text.matchAll(FACT)].map(([, sign, seq, ordinal, time]) => ({
    joined: sign === '+',
    seq: Number(seq),
    ordinal: Number(ordinal),
    time: Number(time ?? 0),
  }))
}

/** Intervals in seq order. A leave without a join (the join was cut by the limit) opens nothing: the safe side. */
export function intervalsOf(facts: readonly Fact[]): Interval[] {
  const intervals: Interval[] = []
  let open: Fact | null = null
  for (const fact of facts) {
    if (fact.joined) open ??= fact
    else if (open) {
      intervals.push({ ...start(open), toSeq: fact.seq, toOrdinal: fact.ordinal, toTime: fact.time ?? 0 })
      open = null
    }
  }
  if (open) intervals.push({ ...start(open), toSeq: null, toOrdinal: null, toTime: null })
  return intervals
}

const start = (fact: Fact) => ({ fromSeq: fact.seq, fromOrdinal: fact.ordinal })

/**
 * What a user may read as a member and as an observer, in seq order. Whoever becomes a member observes no longer, which no event of
 * its own says; a leave whose join was cut says that there was one.
 */
export function readableOf(memberships: readonly Fact[], observing: readonly Fact[]): Interval[] {
  const ends = memberships.map((fact) => ({ ...fact, joined: false }))
  const observed = intervalsOf([...observing, ...ends].sort((a, b) => a.seq - b.seq))
  return [...intervalsOf(memberships), ...observed].sort((a, b) => a.fromSeq - b.fromSeq)
}

/** Everything, for streams whose readers are fixed by their id. */
export const ALWAYS: readonly Interval[] = [
  { fromSeq: 1, toSeq: null, fromOrdinal: 0, toOrdinal: null, toTime: null },
]

export const mayRead = (intervals: readonly Interval[], seq: number): boolean =>
  intervals.some(({ fromSeq, toSeq }) => seq >= fromSeq && (toSeq === null || seq <= toSeq))
