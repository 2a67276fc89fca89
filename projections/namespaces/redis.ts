/** Namespaces of the Redis projections: the same keys under another prefix. What is no projection's is not rewritten: its writers have a port without. */
import { KEY_PREFIX, prefixOf } from '../keys.ts'
import type { RedisCall, RedisPort } from '../ports.ts'
import type { Namespaces } from './follower.ts'
import { fedIn } from './registry.ts'

/** '' changes nothing. */
export function inNamespace(redis: RedisPort, name: string): RedisPort {
  if (name === '') return redis
  return { batch: (calls) => redis.batch(callsIn(name, calls)) }
}

/** In whichever namespace is read at the moment of the call. */
export const inActive = (redis: RedisPort, namespaces: Namespaces): RedisPort => ({
  batch: (calls) => redis.batch(callsIn(namespaces.of('live').active, calls)),
})

/** In each namespace that is kept up, so that a switch shows nothing older; answers what the active one does. */
export const inEach = (redis: RedisPort, namespaces: Namespaces): RedisPort => ({
  async batch(calls) {
    const fed = fedIn(namespaces.of('live'))
    const replies = await redis.batch(fed.flatMap((name) => callsIn(name, calls)))
    return replies.slice(0, calls.length)
  },
})

/** The hash tags stay, so a key and its like in another namespace are in one slot. */
export function callsIn(name: string, calls: readonly RedisCall[]): readonly RedisCall[] {
  if (name === '') return calls
  const prefix = prefixOf(name)
  const moved = (key: string): string => {
    if (!key.startsWith(KEY_PREFIX)) throw new Error('a key of no projection')
    return prefix + key.slice(KEY_PREFIX.length)
  }
  return calls.map((call): RedisCall => {
    if ('script' in call) return { ...call, keys: call.keys.map(moved) }
    const [command, key, ...args] = call
    return [command, moved(key), ...args]
  })
}
