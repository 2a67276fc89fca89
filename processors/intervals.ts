/** A growing set of integers as sorted, disjoint, non-adjacent pairs [from, to, from, to, …]: compact where numbers cluster. */

/** Index of the first pair whose end is ≥ value (its `from` stands there), or the length. */
function pairAt(pairs: readonly number[], value: number): number {
  let low = 0
  let high = pairs.length / 2
  while (low < high) {
    const middle = (low + high) >> 1
    if ((pairs[middle * 2 + 1] as number) < value) low = middle + 1
    else high = middle
  }
  return low * 2
}

export function has(pairs: readonly number[], value: number): boolean {
  const at = pairAt(pairs, value)
  return at < pairs.length && (pairs[at] as number) <= value
}

export function add(pairs: number[], value: number): void {
  const at = pairAt(pairs, value)
  if (at < pairs.length && (pairs[at] as number) <= value) return
  const joinsLeft = at > 0 && pairs[at - 1] === value - 1
  const joinsRight = at < pairs.length && pairs[at] === value + 1
  if (joinsLeft && joinsRight) pairs.splice(at - 1, 2)
  else if (joinsLeft) pairs[at - 1] = value
  else if (joinsRight) pairs[at] = value
  else pairs.splice(at, 0, value, value)
}
