/** Whether Redis says who is online, no more and no less, once the bad clients are gone. */
import { createRedis } from '../../infra/redis/client.ts'
import { keys } from '../../projections/keys.ts'
import type { Cluster } from './cluster.ts'
import { flapperName, flappers, type RunSettings, usersOf } from './settings.ts'

export interface OnlineCheck {
  readonly records: number
  readonly devices: number
  /** Until both were equal; null: they never were. */
  readonly afterMs: number | null
}

/** What a lost gateway left expires by then. */
const equalMsMax = 60_000
const lookEveryMs = 500

export async function checkOnline(
  cluster: Cluster,
  settings: RunSettings,
  devices: () => number,
): Promise<OnlineCheck> {
  const logger = { debug() {}, info() {}, warn() {}, error() {} }
  const redis = createRedis({ urls: [cluster.engines.redis.url], name: 'chaos' }, logger)
  const users = [...usersOf(settings), ...Array.from({ length: flappers }, (_, i) => flapperName(i))]
  const fromMs = performance.now()
  try {
    await redis.ready(5_000)
    for (;;) {
      const replies = await redis.batch(users.map((user) => ['HVALS', keys.connect(user)]))
      const now = Date.now()
      const entries = replies.flatMap((reply) => (Array.isArray(reply) ? reply.map(String) : []))
      const records = entries.filter((text) => expiryOf(text) > now).length
      const waitedMs = performance.now() - fromMs
      if (records === devices()) return { records, devices: devices(), afterMs: waitedMs }
      if (waitedMs > equalMsMax) return { records, devices: devices(), afterMs: null }
      await new Promise((resolve) => setTimeout(resolve, lookEveryMs))
    }
  } finally {
    await redis.close()
  }
}

/** What cannot be read is nobody's connection, and stands there for ever. */
function expiryOf(text: string): number {
  try {
    return (JSON.parse(text) as { expiresAt: number }).expiresAt
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
