/** Sets of seqs as sorted, disjoint, inclusive ranges. Pure. */
export interface Range {
  readonly from: number
  readonly to: number
}

/** The ranges with one more, merged where they touch; the oldest go when there are more than `max`. */
export function withRange(ranges: readonly Range[], added: Range, max: number): readonly Range[] {
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
  apart.sort((a, b) => a.from - b.from)
  return apart.slice(-max)
}
