/** Exact percentiles: every value is kept, four bytes each. */
export interface Samples {
  add(valueMs: number): void
  readonly count: number
  /** Nearest rank; NaN when there is none. */
  summary(): Summary
  /** What was added so far, in no order. */
  values(): Float32Array
}

export interface Summary {
  readonly count: number
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

export function createSamples(): Samples {
  let values = new Float32Array(4_096)
  let count = 0
  return {
    add(valueMs) {
      if (count === values.length) {
        const grown = new Float32Array(count * 2)
        grown.set(values)
        values = grown
      }
      values[count++] = valueMs
    },
    get count() {
      return count
    },
    summary: () => summarise(values.subarray(0, count)),
    values: () => values.slice(0, count),
  }
}

export function summarise(values: Float32Array): Summary {
  const sorted = values.slice().sort()
  const at = (share: number): number =>
    sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
  return { count: sorted.length, p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99), maxMs: at(1) }
}

/** One array of all. */
export function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
