/** Faults of the way between clients and gateways, and of a Redis that does not answer, or has forgotten everything. */
import { createRedis } from '../../infra/redis/client.ts'
import type { Cluster } from './cluster.ts'
import { monotonicUs } from './history.ts'
import type { Bites, Traffic } from './nemesis.ts'

/** A storm is over when so many are back. */
const backShare = 0.9
const backMsMax = 30_000

const marker = 'chaos:marker'

type Sleep = (ms: number) => Promise<void>

/** Processes were stopped: Redis takes connections and says nothing. */
export async function pauseRedis(
  cluster: Cluster,
  plannedMs: number,
  away: () => Promise<void>,
  bites: Bites,
): Promise<void> {
  const { redis } = cluster.engines
  const from = monotonicUs()
  redis.pause()
  try {
    await away()
  } finally {
    redis.resume()
  }
  bites.storeOutages.push({ store: 'Redis', from, to: monotonicUs(), plannedMs })
  bites.redisPauses += 1
}

export async function slowRedis(
  cluster: Cluster,
  delayMs: number,
  ms: number,
  bites: Bites,
  sleep: Sleep,
): Promise<void> {
  if (!cluster.redisLink) throw new Error('nothing stands before Redis')
  cluster.redisLink.delay(delayMs)
  await sleep(ms)
  cluster.redisLink.delay(0)
  bites.redisSlow += 1
}

/** Everybody at once, as when a balancer dies; those who come back meanwhile are not let in. */
export async function storm(
  cluster: Cluster,
  ms: number,
  bites: Bites,
  sleep: Sleep,
  traffic: Traffic,
): Promise<void> {
  for (const link of cluster.links) link.refuse(true)
  const cut = cluster.links.reduce((sum, link) => sum + link.cut(), 0)
  await sleep(ms)
  for (const link of cluster.links) link.refuse(false)
  if (cut === 0) throw new Error('nobody was connected')
  const openMs = performance.now()
  // Those that bounce or whose gateway was killed are away for reasons of their own.
  while (traffic.onlineShare() < backShare && performance.now() - openMs < backMsMax) await sleep(100)
  bites.storms.push({ cut, backMs: performance.now() - openMs })
}

/** `ms` is enough for the gateway to find out. */
export async function halfOpen(
  cluster: Cluster,
  index: number,
  ms: number,
  bites: Bites,
  sleep: Sleep,
): Promise<void> {
  const linked = cluster.links[index]
  // A gateway that was killed has nobody to lose.
  const link = linked && linked.open > 0 ? linked : cluster.links.find(({ open }) => open > 0)
  if (!link) throw new Error('nobody was connected')
  const vanished = link.vanish()
  await sleep(ms)
  bites.vanished.push({ count: vanished.count, closedAfterMs: [...vanished.closedAfterMs] })
}

/** Empty for certain: what was written before the stop is not there after it. */
export async function emptyRedis(
  cluster: Cluster,
  plannedMs: number,
  away: () => Promise<void>,
  bites: Bites,
  sleep: Sleep,
): Promise<void> {
  const { redis } = cluster.engines
  const logger = { debug() {}, info() {}, warn() {}, error() {} }
  const client = createRedis({ urls: [redis.url], name: 'chaos' }, logger)
  try {
    await client.ready(2_000)
    await client.batch([['SET', marker, '1']])
    const from = monotonicUs()
    await redis.stop()
    await away()
    bites.storeOutages.push({ store: 'Redis', from, to: monotonicUs(), plannedMs })
    await redis.restart({ emptied: true })
    for (let waited = 0; ; waited += 200) {
      await sleep(200)
      const [kept] = await client.batch([['GET', marker]]).catch(() => ['unknown'])
      if (kept === null) break
      if (kept !== 'unknown') throw new Error('it kept its data')
      if (waited > 10_000) throw new Error('it does not answer')
    }
    bites.redisEmptied += 1
  } finally {
    await client.close()
  }
}
