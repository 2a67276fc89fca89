/** A small seeded generator (mulberry32), so that a schedule can be played again. */
export interface Random {
  /** In [0, 1). */
  next(): number
  /** Whole number in [0, below). */
  below(below: number): number
  between(from: number, to: number): number
  pick<T>(from: readonly T[]): T
  shuffle<T>(from: readonly T[]): T[]
}

export function randomOf(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (n: number) => Math.floor(next() * n)
  return {
    next,
    below,
    between: (from, to) => from + next() * (to - from),
    pick: (from) => {
      const item = from[below(from.length)]
      if (item === undefined) throw new RangeError('nothing to pick from')
      return item
    },
    shuffle: (from) => {
      const out = [...from]
      for (let i = out.length - 1; i > 0; i--) {
        const j = below(i + 1)
        const [a, b] = [out[i], out[j]]
        if (a !== undefined && b !== undefined) [out[i], out[j]] = [b, a]
      }
      return out
    },
  }
}
