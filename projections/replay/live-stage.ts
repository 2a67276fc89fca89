/** The read models in Redis, as replay works on them. */
import type { Clock, Logger } from '../../schemas/ports.ts'
import { KEY_PREFIX, onlineKinds, prefixOf } from '../keys.ts'
import { type LiveProjections, liveProjections } from '../live/calls.ts'
import { parseStored, readPositions } from '../live/positions.ts'
import { liveSink } from '../live/sink.ts'
import { inNamespace } from '../namespaces/redis.ts'
import type { RedisCall, RedisKeys, RedisPort } from '../ports.ts'
import type { Policies } from '../reads/policy.ts'
import { compareLive } from './compare-live.ts'
import type { Stage } from './stage.ts'

export interface LiveStageOptions {
  readonly redis: RedisPort & RedisKeys
  readonly generation: number
  readonly policies: Policies
  readonly clock: Clock
  readonly logger: Logger
  readonly signal?: AbortSignal
  /** How often what differs is looked at; default as in `compareLive`. */
  readonly looksMax?: number
}

const KEYS_PER_BATCH = 500
const PASSES_MAX = 10

export function liveStage(options: LiveStageOptions): Stage {
  const { redis, generation, policies, clock, logger, signal, looksMax } = options
  return {
    projection: 'live',
    replaceable: Object.keys(liveProjections),
    whereIs: (namespace) => `keys ${prefixOf(namespace)}… in Redis`,
    async prepare() {},
    sink(namespace, { partial, replaced }) {
      const sink = liveSink({
        redis: inNamespace(redis, namespace),
        ...{ generation, policies, clock, logger, partial },
        projections: { ...liveProjections, ...(replaced as Partial<LiveProjections>) },
      })
      return { sink, close: async () => {} }
    },
    async positions(namespace) {
      const [reply] = await inNamespace(redis, namespace).batch([readPositions()])
      const found = new Map<number, number>()
      const flat = Array.isArray(reply) ? reply : []
      for (let i = 0; i + 1 < flat.length; i += 2) {
        const stored = parseStored(flat[i + 1])
        if (stored) found.set(Number(flat[i]), stored.position.offset)
      }
      return found
    },
    compare: (active, other, onProgress) =>
      compareLive({
        ...{ redis, active, other, clock, policies },
        ...(signal ? { signal } : {}),
        ...(looksMax === undefined ? {} : { looksMax }),
        onProgress: (compared, different) => onProgress(`${compared} keys, ${different} to look at again`),
      }),
    async drop(namespace) {
      const prefix = prefixOf(namespace)
      // What is added while one pass is under way is met by the next.
      for (let pass = 0; pass < PASSES_MAX; pass++) {
        let gone = 0
        for await (const found of redis.keysLike(`${prefix}*`)) {
          const own = found.filter((key) => namespace !== '' || isProjections(key))
          for (let at = 0; at < own.length; at += KEYS_PER_BATCH)
            await redis.batch(own.slice(at, at + KEYS_PER_BATCH).map((key): RedisCall => ['UNLINK', key]))
          gone += own.length
        }
        if (gone === 0) return
      }
    },
    group: (namespace) => (namespace === '' ? 'projections-live' : `projections-live@${namespace}`),
  }
}

/** Of a key without a namespace. */
function isProjections(key: string): boolean {
  const [kind = ''] = key.slice(KEY_PREFIX.length).split(':')
  return !(onlineKinds as readonly string[]).includes(kind)
}
