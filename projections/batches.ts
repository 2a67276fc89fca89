import type { RedisCall, RedisPort, RedisReply } from './ports.ts'

/** A round trip of ten thousand calls would hold up everybody else's, and run into its time limit. */
const CALLS_PER_BATCH_MAX = 500

/** Any number of calls as some round trips, one after the other. */
export async function inBatches(redis: RedisPort, calls: readonly RedisCall[]): Promise<RedisReply[]> {
  const replies: RedisReply[] = []
  for (let at = 0; at < calls.length; at += CALLS_PER_BATCH_MAX)
    replies.push(...(await redis.batch(calls.slice(at, at + CALLS_PER_BATCH_MAX))))
  return replies
}
