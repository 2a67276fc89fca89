/** Waits until everything that was under way has arrived everywhere, or says what has not. */
import { createRedis } from '../../infra/redis/client.ts'
import { keys } from '../../projections/keys.ts'
import { topics } from '../../schemas/topics.ts'
import type { Cluster } from './cluster.ts'
import type { Load } from './load-process.ts'
import { partitions } from './settings.ts'

const lookEveryMs = 1_000
const stableMs = 4_000
const sayEveryMs = 5_000

/** Null: at rest. Else the reason why not, when `msMax` had passed. */
export async function untilAtRest(
  cluster: Cluster,
  load: Load,
  msMax: number,
  say: (line: string) => void,
): Promise<string | null> {
  const logger = { debug() {}, info() {}, warn() {}, error() {} }
  const redis = createRedis({ urls: [cluster.engines.redis.url], name: 'chaos' }, logger)
  const admin = await cluster.store.admin()
  const untilMs = performance.now() + msMax
  let received = -1
  let stableSince = performance.now()
  let saidMs = performance.now()
  try {
    for (;;) {
      const stats = load.stats()
      if (stats.received !== received) stableSince = performance.now()
      received = stats.received
      const waits: string[] = []
      if (stats.pending > 0) waits.push(`${stats.pending} commands without outcome`)
      if (stats.online < stats.devices) waits.push(`${stats.devices - stats.online} devices offline`)
      if (stats.lacking > 0) waits.push(`${stats.lacking} messages not seen by a device`)
      if (waits.length === 0) waits.push(...(await storesBehind(cluster, redis, admin)))
      if (waits.length === 0 && performance.now() - stableSince < stableMs)
        waits.push('messages still arrive')
      if (waits.length === 0) return null
      const text = waits.join(', ')
      if (performance.now() > untilMs) return text
      if (performance.now() - saidMs > sayEveryMs) {
        say(`waiting: ${text}`)
        saidMs = performance.now()
      }
      await new Promise((resolve) => setTimeout(resolve, lookEveryMs))
    }
  } finally {
    await admin.close()
    await redis.close()
  }
}

async function storesBehind(
  cluster: Cluster,
  redis: ReturnType<typeof createRedis>,
  admin: Awaited<ReturnType<Cluster['store']['admin']>>,
): Promise<string[]> {
  try {
    const waits: string[] = []
    const [positions] = await redis.batch([['HGETALL', keys.positions()]])
    const live = new Map<number, number>()
    const flat = Array.isArray(positions) ? positions : []
    for (let i = 0; i + 1 < flat.length; i += 2)
      live.set(Number(flat[i]), Number(String(flat[i + 1]).split('.')[1]))
    const sources = await archivedSources(cluster.engines.clickhouse.url)
    for (let p = 0; p < partitions; p++) {
      const events = await admin.range(topics.events, p)
      const commands = await admin.range(topics.commands, p)
      if (events.end > (live.get(p) ?? 0)) waits.push(`Redis behind in ${p}`)
      if (commands.end - 1 > (sources.get(p) ?? -1)) waits.push(`archive behind in ${p}`)
    }
    return waits
  } catch (error) {
    return [`a store does not answer (${String(error).slice(0, 100)})`]
  }
}

async function archivedSources(url: string): Promise<Map<number, number>> {
  const body = 'SELECT partition, max(source) FROM longwire.events GROUP BY partition FORMAT TSV'
  const response = await fetch(url, { method: 'POST', body, signal: AbortSignal.timeout(10_000) })
  if (!response.ok) throw new Error(`ClickHouse ${response.status}`)
  const rows = (await response.text()).split('\n').filter((line) => line !== '')
  return new Map(rows.map((line) => line.split('\t').map(Number) as [number, number]))
}
