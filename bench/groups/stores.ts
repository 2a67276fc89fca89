/** What was written so far, as the stores themselves count it: records per topic at Kafka, calls per command at Redis. */
import { systemClock } from '../../infra/clock.ts'
import { kafkaStore } from '../../infra/kafka/store.ts'
import { silentLog } from '../../infra/log.ts'
import { createRedis } from '../../infra/redis/client.ts'
import { Fault } from '../../schemas/ports.ts'
import { topics } from '../../schemas/topics.ts'
import type { Platform } from '../support/platform.ts'

export interface Written {
  /** By topic; all gateways' deliveries as one, the heartbeats of gateways left out. */
  readonly kafka: ReadonlyMap<string, number>
  /** Commands that write, those in scripts too, by name. */
  readonly redisWrites: ReadonlyMap<string, number>
  /** All commands, reads and scripts too. */
  readonly redisCalls: number
}

export interface Stores {
  look(): Promise<Written>
  close(): Promise<void>
}

const deliveries = topics.deliveries('')

/** Null where the stores' addresses are not known. */
export async function openStores(platform: Platform): Promise<Stores | null> {
  if (!platform.stores) return null
  const { kafka, redis: urls } = platform.stores
  const redis = createRedis({ urls, name: 'bench' }, silentLog)
  await redis.ready(5_000)
  const admin = await kafkaStore({ brokers: kafka, clientId: 'bench' }, silentLog, systemClock).admin()
  const isWrite = new Map<string, boolean>()

  async function learn(names: readonly string[]): Promise<void> {
    const unknown = names.filter((name) => !isWrite.has(name))
    if (unknown.length === 0) return
    const [answer] = await redis.batch([['COMMAND', 'INFO', ...unknown]])
    unknown.forEach((name, i) => {
      const about = Array.isArray(answer) ? answer[i] : null
      const flags = Array.isArray(about) ? about[2] : null
      isWrite.set(name, Array.isArray(flags) && flags.includes('write'))
    })
  }

  async function recordsIn(topic: string): Promise<number> {
    let sum = 0
    for (let partition = 0; ; partition++)
      try {
        sum += (await admin.range(topic, partition)).end
      } catch (error) {
        if (error instanceof Fault && error.code === 'unknown_partition') return sum
        throw error
      }
  }

  return {
    async look() {
      const records = new Map<string, number>()
      for (const topic of await admin.listTopics()) {
        const name = topic.startsWith(deliveries) ? deliveries : topic
        if (topic !== topics.gateways) records.set(name, (records.get(name) ?? 0) + (await recordsIn(topic)))
      }
      const [stats] = await redis.batch([['INFO', 'commandstats']])
      const calls = [...String(stats).matchAll(/^cmdstat_([^:|]+)[^:]*:calls=(\d+)/gm)].map(
        ([, name = '', count]) => [name, Number(count)] as const,
      )
      await learn(calls.map(([name]) => name))
      return {
        kafka: records,
        redisWrites: new Map(calls.filter(([name]) => isWrite.get(name))),
        redisCalls: calls.reduce((sum, [, count]) => sum + count, 0),
      }
    },
    async close() {
      await admin.close()
      await redis.close()
    },
  }
}

/** What came on top between two looks. */
export function writtenBetween(before: Written, after: Written): Written {
  const more = (a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>) =>
    new Map([...b].map(([name, count]) => [name, count - (a.get(name) ?? 0)]))
  return {
    kafka: more(before.kafka, after.kafka),
    redisWrites: more(before.redisWrites, after.redisWrites),
    redisCalls: after.redisCalls - before.redisCalls,
  }
}
