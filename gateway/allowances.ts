/**
 * One token bucket per key (a user, an address): it holds over all of the key's connections, and over reconnects, since it goes
 * only when it is full again and says nothing any more. Pure but for its memory; time comes in.
 */
import { type Bucket, fullBucket, type Rate, take } from './bucket.ts'

export interface Allowances {
  /** Takes one; where there is none, says how many ms until there is. */
  take(key: string, now: number): number | null
  size(): number
}

/** Of more keys than `keysMax` the one that asked longest ago is forgotten. */
export function createAllowances(rate: Rate, keysMax: number): Allowances {
  /** In order of the last asking: what stands first is the fullest. */
  const buckets = new Map<string, Bucket>()
  const refilledMs = (rate.burst * 1000) / rate.perSecond

  function forget(now: number): void {
    for (const [key, { at }] of buckets) {
      if (buckets.size <= keysMax && now - at < refilledMs) return
      buckets.delete(key)
    }
  }

  return {
    take(key, now) {
      const { bucket, retryAfterMs } = take(buckets.get(key) ?? fullBucket(rate, now), rate, now)
      buckets.delete(key)
      buckets.set(key, bucket)
      forget(now)
      return retryAfterMs
    },
    size: () => buckets.size,
  }
}
