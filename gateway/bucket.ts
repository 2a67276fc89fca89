/** Token bucket as data. */
export interface Bucket {
  readonly tokens: number
  /** When `tokens` was right, in ms. */
  readonly at: number
}

export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

export const fullBucket = (rate: Rate, now: number): Bucket => ({ tokens: rate.burst, at: now })

/** Takes one token; where there is none, says how long until there is. */
export function take(
  bucket: Bucket,
  rate: Rate,
  now: number,
): { readonly bucket: Bucket; readonly retryAfterMs: number | null } {
  // A clock that steps back must not drain the bucket.
  const passedMs = Math.max(0, now - bucket.at)
  const tokens = Math.min(rate.burst, bucket.tokens + (passedMs * rate.perSecond) / 1000)
  if (tokens >= 1) return { bucket: { tokens: tokens - 1, at: now }, retryAfterMs: null }
  return { bucket: { tokens, at: now }, retryAfterMs: Math.ceil(((1 - tokens) * 1000) / rate.perSecond) }
}
