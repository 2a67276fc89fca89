/** LONGWIRE_SEED=s replays a run, as far as sockets let themselves be replayed. */
import { expect, test } from 'vitest'
import { systemClock } from '../../../infra/clock.ts'
import { silentLog } from '../../../infra/log.ts'
import { createMemoryLog } from '../../../infra/memory/log.ts'
import { createMemorySignalBus } from '../../../infra/memory/signal-bus.ts'
import { createRedis } from '../../../infra/redis/client.ts'
import { createRedisOnlineMap } from '../../../infra/redis/online-map.ts'
import type { RedisPort } from '../../../projections/ports.ts'
import { Fault } from '../../../schemas/ports.ts'
import { startTestGateway, type TestGateway, until } from '../../support/gateway.ts'
import { type LeanClient, leanClient } from '../../support/lean-client.ts'
import { startEngines } from '../../support/projections/engines.ts'
import { createRandom } from '../../support/random.ts'

const SEED = Number(process.env.LONGWIRE_SEED ?? 1)
const CONNECTS = 10_000
const USERS = 300
const AT_ONCE = 40
const OPEN_MAX = 400
const IDS = ['gw-a', 'gw-b', 'gw-c']

test(`after ${CONNECTS} random logins, drops, logouts and killed clients and gateways, what is online in Redis is what is connected, by user and by gateway (seed ${SEED})`, async () => {
  const random = createRandom(SEED)
  const engines = await startEngines({ clickhouse: false })
  const urls = [engines.redisEngine.url]
  const store = createMemoryLog(systemClock)
  const bus = createMemorySignalBus()
  const running = new Map<string, { gateway: TestGateway; kill(): Promise<void> }>()
  const ends: (() => Promise<void>)[] = []
  let boots = 0

  /** A gateway that can be killed: from then on nothing of it reaches Redis, and its sockets are gone. */
  async function start(gatewayId: string): Promise<void> {
    const redis = createRedis({ urls, name: gatewayId }, silentLog)
    await redis.ready(5_000)
    let isKilled = false
    const port: RedisPort = {
      batch: async (calls) => {
        if (isKilled) throw new Fault('redis_unavailable', 'killed', { retriable: true })
        return redis.batch(calls)
      },
    }
    const boot = `boot${String(++boots).padStart(5, '0')}`
    const online = createRedisOnlineMap(port)
    const gateway = await startTestGateway({ gatewayId, boot, store, bus, online, devicePolicy: 'per-type' })
    const kill = async (): Promise<void> => {
      isKilled = true
      running.delete(gatewayId)
      await gateway.stop(false)
      await redis.close()
    }
    running.set(gatewayId, { gateway, kill })
    ends.push(async () => {
      if (!isKilled) await kill()
    })
  }

  const tokens = new Map<string, string>()
  const clients = new Set<LeanClient>()
  const counts = { logins: 0, logouts: 0, ends: 0, destroys: 0, cut: 0, kills: 0, pauses: 0 }

  async function login(): Promise<void> {
    const { gateway } = random.pick([...running.values()])
    const user = `u${random.int(USERS)}`
    const device = random.int(5)
    const token = tokens.get(user) ?? (await gateway.token(user))
    tokens.set(user, token)
    const deviceType = ['phone', 'web', 'desk'][device % 3] as string
    const client = leanClient(gateway.port, { user, token, deviceId: `d${device}`, deviceType })
    clients.add(client)
    counts.logins += 1
    if (random.chance(0.1)) {
      // In the midst of it, wherever that may be.
      counts.cut += 1
      setTimeout(() => client.destroy(), random.int(4))
    }
    await client.settled
  }

  function endOne(): void {
    const all = [...clients].filter((client) => client.isIn())
    if (all.length === 0) return
    const client = random.pick(all)
    const how = random.pick(['logouts', 'ends', 'destroys'] as const)
    counts[how] += 1
    if (how === 'logouts') client.logout()
    else if (how === 'ends') client.end()
    else client.destroy()
  }

  try {
    for (const id of IDS) await start(id)
    while (counts.logins < CONNECTS) {
      await Promise.all(Array.from({ length: AT_ONCE }, login))
      for (const client of clients) if (!client.isIn()) clients.delete(client)
      const surplus = clients.size - OPEN_MAX + random.int(2 * AT_ONCE)
      for (let n = 0; n < surplus; n++) endOne()
      if (random.chance(0.04)) {
        const id = random.pick([...running.keys()])
        await running.get(id)?.kill()
        await start(id)
        counts.kills += 1
      }
      if (counts.pauses < 2 && counts.logins > (CONNECTS / 3) * (counts.pauses + 1)) {
        counts.pauses += 1
        engines.redisEngine.pause()
        await Promise.all(Array.from({ length: AT_ONCE }, login))
        for (let n = 0; n < AT_ONCE; n++) endOne()
        engines.redisEngine.resume()
      }
    }
    expect(counts.kills).toBeGreaterThan(3)

    const map = createRedisOnlineMap(engines.redis)
    const real = () => {
      const all = [...clients].filter((client) => client.isIn())
      return all.map(({ user }) => user).sort()
    }
    const recorded = async () => {
      const users = Array.from({ length: USERS }, (_, i) => `u${i}`)
      const found = await map.locate(users)
      return [...found].flatMap(([user, entries]) => entries.map((entry) => ({ user, ...entry })))
    }
    const wrong = async (): Promise<string[]> => {
      const records = await recorded()
      const found: string[] = []
      const users = records.map(({ user }) => user).sort()
      if (users.join() !== real().join()) found.push(`${users.length} records, ${real().length} connected`)
      for (const [id, { gateway }] of running) {
        const { gateway_connections: connections, gateway_online_records_ahead: ahead } =
          gateway.gateway.levels()
        const here = records.filter((record) => record.gateway === id)
        if (here.length !== connections) found.push(`${id}: ${here.length} records, ${connections} connected`)
        if (here.some(({ boot }) => boot !== gateway.boot)) found.push(`${id}: records of the dead`)
        if (ahead !== 0) found.push(`${id}: ${ahead} records ahead`)
        const names = [...new Set(here.map(({ user }) => user))].sort()
        if ((await map.usersOf(id)).sort().join() !== names.join()) found.push(`${id}: other users`)
      }
      return found
    }
    let last = ['not looked']
    const end = Date.now() + 40_000
    while (last.length > 0 && Date.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 200))
      last = await wrong()
    }
    expect(last).toEqual([])
    const open = real().length
    expect(open).toBeGreaterThan(100)
    console.info(
      `registration: ${JSON.stringify({ seed: SEED, ...counts, open, records: (await recorded()).length })}`,
    )

    for (const client of clients) client.destroy()
    await until(() =>
      [...running.values()].every(({ gateway }) => gateway.gateway.levels().gateway_connections === 0),
    )
    await expect.poll(async () => (await recorded()).length, { timeout: 30_000 }).toBe(0)
  } finally {
    engines.redisEngine.resume()
    for (const one of ends) await one()
    await engines.stop()
  }
}, 150_000)
