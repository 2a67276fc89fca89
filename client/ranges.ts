/** Sets of seqs as sorted, disjoint, inclusive ranges. Pure. */
export interface Range {
  readonly from: number
  readonly to: number
}

/** The ranges with one more, merged where they touch. */
export function withRange(ranges: readonly Range[], added: Range): readonly Range[] {
  if (added.to < added.from) return ranges
  let { from, to } = added
  const apart: Range[] = []
  for (const range of ranges) {
    if (range.to + 1 < from || range.from - 1 > to) apart.push(range)
    else {
      from = Math.min(from, range.from)
      to = Math.max(to, range.to)
    }
  }
  apart.push({ from, to })
  return apart.sort((a, b) => a.from - b.from)
}

/** What of the ranges lies from `from` up to and with `to`. */
export const within = (ranges: readonly Range[], from: number, to: number): readonly Range[] =>
  ranges.flatMap((range) =>
    range.to < from || range.from > to
      ? []
      : [{ from: Math.max(range.from, from), to: Math.min(range.to, to) }],
  )

/** At most `max` ranges that cover all of these: the oldest are taken as one, with what lies between. */
export function coarse(ranges: readonly Range[], max: number): readonly Range[] {
  const over = ranges.slice(0, ranges.length - max + 1)
  const [first, last] = [over[0], over.at(-1)]
  if (!first || !last || over.length === 1) return ranges
  return [{ from: first.from, to: last.to }, ...ranges.slice(over.length)]
}
