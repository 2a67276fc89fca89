import type { Admin, Kafka } from 'kafkajs'
import { type CommittedPosition, Fault, type LogRange } from '../../schemas/ports.ts'

/** Questions a consumer asks beside its fetches. All that is asked in one turn goes out as one request. */
export interface GroupQueries {
  committed(topic: string, partition: number): Promise<CommittedPosition | null>
  range(topic: string, partition: number): Promise<LogRange>
  /** Fault `unknown_topic` if one is missing. */
  requireTopics(topics: readonly string[]): Promise<void>
  close(): Promise<void>
}

export function createGroupQueries(kafka: Kafka, group: string): GroupQueries {
  let connected: Promise<Admin> | null = null

  const admin = (): Promise<Admin> => {
    if (connected === null) {
      const fresh = kafka.admin()
      connected = fresh.connect().then(() => fresh)
      connected.catch(() => {
        connected = null
      })
    }
    return connected
  }

  const ranges = gather(async (topic: string) => topicRanges(await admin(), topic))
  const commits = gather(async (topic: string) => topicCommits(await admin(), group, topic))

  return {
    async committed(topic, partition) {
      return (await commits(topic)).get(partition) ?? null
    },
    async range(topic, partition) {
      const found = (await ranges(topic)).get(partition)
      if (found === undefined) {
        throw new Fault('unknown_partition', `${topic} has no partition ${partition}`, { retriable: false })
      }
      return found
    },
    async requireTopics(topics) {
      const existing = new Set(await (await admin()).listTopics())
      const missing = topics.filter((topic) => !existing.has(topic))
      if (missing.length > 0) {
        throw new Fault('unknown_topic', `no such topic: ${missing.join(', ')}`, { retriable: true })
      }
    },
    async close() {
      const open = connected
      connected = null
      await open?.then((one) => one.disconnect()).catch(() => undefined)
    },
  }
}

export async function topicRanges(admin: Admin, topic: string): Promise<Map<number, LogRange>> {
  const offsets = await admin.fetchTopicOffsets(topic)
  return new Map(
    offsets.map(({ partition, low, high }) => [partition, { begin: Number(low), end: Number(high) }]),
  )
}

async function topicCommits(
  admin: Admin,
  group: string,
  topic: string,
): Promise<Map<number, CommittedPosition>> {
  const found = new Map<number, CommittedPosition>()
  for (const { partitions } of await admin.fetchOffsets({ groupId: group, topics: [topic] })) {
    for (const { partition, offset, metadata } of partitions) {
      // Negative: never committed, or the marker that kafkajs writes when an offset was out of range.
      if (Number(offset) >= 0) found.set(partition, { offset: Number(offset), metadata: metadata ?? '' })
    }
  }
  return found
}

/** Callers of one turn share one question per topic; it is asked after all of them called, so nobody gets an old answer. */
function gather<T>(ask: (topic: string) => Promise<T>): (topic: string) => Promise<T> {
  const open = new Map<string, Promise<T>>()
  return (topic) => {
    const shared = open.get(topic)
    if (shared !== undefined) return shared
    const answer = Promise.resolve().then(() => {
      open.delete(topic)
      return ask(topic)
    })
    open.set(topic, answer)
    return answer
  }
}
