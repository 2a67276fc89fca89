/** What stands in keys of Redis, whichever type they are of. */
import { inBatches } from '../batches.ts'
import type { RedisCall, RedisPort, RedisReply } from '../ports.ts'
import type { Contents } from './normal.ts'

const readers: Readonly<Record<string, (key: string) => RedisCall>> = {
  hash: (key) => ['HGETALL', key],
  zset: (key) => ['ZRANGE', key, 0, -1, 'WITHSCORES'],
  set: (key) => ['SMEMBERS', key],
  list: (key) => ['LRANGE', key, 0, -1],
  string: (key) => ['GET', key],
}

/** Fields of a hash, scores by member, members of a set, places of a list; in the order of the keys. One that is gone is empty. */
export async function contentsOf(redis: RedisPort, keys: readonly string[]): Promise<Contents[]> {
  const types = (
    await inBatches(
      redis,
      keys.map((key): RedisCall => ['TYPE', key]),
    )
  ).map(String)
  const calls = keys.map((key, i): RedisCall => readers[types[i] ?? '']?.(key) ?? ['EXISTS', key])
  const replies = await inBatches(redis, calls)
  return keys.map((_, i) => entriesOf(types[i] ?? 'none', replies[i] ?? null))
}

function entriesOf(type: string, reply: RedisReply): Contents {
  if (!(type in readers)) return new Map()
  const values = (Array.isArray(reply) ? reply : [reply]).map(String)
  if (type === 'hash' || type === 'zset')
    return new Map(values.flatMap((value, i) => (i % 2 === 0 ? [[value, values[i + 1] ?? '']] : [])))
  return new Map(
    type === 'set' ? values.map((value) => [value, '']) : values.map((value, i) => [String(i), value]),
  )
}
