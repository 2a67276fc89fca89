import type { Admin } from 'kafkajs'
import { type Clock, Fault, type LogAdmin, type Logger, type TopicSpec } from '../../schemas/ports.ts'
import { createKafkaClient, innerRetry, type KafkaSettings } from './client.ts'
import { topicRanges } from './group-queries.ts'

const requestTimeoutMs = 15_000

export async function createLogAdmin(
  settings: KafkaSettings,
  logger: Logger,
  clock: Clock,
): Promise<LogAdmin> {
  const { kafka } = createKafkaClient(settings, logger, clock, { requestTimeoutMs, retry: innerRetry })
  const admin = kafka.admin()
  await withFault('kafka_unreachable', () => admin.connect())

  return {
    ensureTopics: (topics) => ensureTopics(admin, settings, topics),
    async deleteTopic(name) {
      if ((await admin.listTopics()).includes(name)) {
        await withFault('topic_not_deleted', () => admin.deleteTopics({ topics: [name] }))
      }
    },
    listTopics: async () => (await admin.listTopics()).filter((name) => !name.startsWith('__')),
    async partitionCount(topic) {
      if (!(await admin.listTopics()).includes(topic)) return 0
      const { topics } = await withFault('topics_not_readable', () =>
        admin.fetchTopicMetadata({ topics: [topic] }),
      )
      return topics[0]?.partitions.length ?? 0
    },
    async range(topic, partition) {
      const found = (await withFault('range_failed', () => topicRanges(admin, topic))).get(partition)
      if (found !== undefined) return found
      throw new Fault('unknown_partition', `${topic} has no partition ${partition}`, { retriable: false })
    },
    deleteGroup: (group) => deleteGroup(admin, group),
    async listGroups(prefix) {
      const { groups } = await withFault('groups_not_listed', () => admin.listGroups())
      return groups.map(({ groupId }) => groupId).filter((groupId) => groupId.startsWith(prefix))
    },
    close: () => admin.disconnect(),
  }
}

async function ensureTopics(
  admin: Admin,
  settings: KafkaSettings,
  topics: readonly TopicSpec[],
): Promise<void> {
  const existing = new Set(await withFault('kafka_unreachable', () => admin.listTopics()))
  const missing = topics.filter(({ name }) => !existing.has(name))
  if (missing.length > 0) {
    try {
      await admin.createTopics({
        waitForLeaders: true,
        timeout: requestTimeoutMs,
        topics: missing.map(({ name, partitions, config }) => ({
          topic: name,
          numPartitions: partitions,
          replicationFactor: settings.replication ?? -1,
          configEntries: configEntries(config, settings.minInsync),
        })),
      })
    } catch (cause) {
      if (!onlyExisting(cause)) throw faultOf('topics_not_created', cause)
    }
  }
  await refuseMismatch(admin, topics)
}

function configEntries(config: TopicSpec['config'], minInsync: number | undefined) {
  const all = minInsync === undefined ? config : { 'min.insync.replicas': String(minInsync), ...config }
  return Object.entries(all).map(([name, value]) => ({ name, value }))
}

/** Another process may create the same topics at the same moment. */
function onlyExisting(error: unknown): boolean {
  const errors =
    error instanceof Error && 'errors' in error && Array.isArray(error.errors) ? error.errors : []
  return (
    errors.length > 0 &&
    errors.every((one) => one instanceof Error && 'type' in one && one.type === 'TOPIC_ALREADY_EXISTS')
  )
}

/** A stream's partition is a hash modulo the count: another count would tear every stream apart. */
async function refuseMismatch(admin: Admin, topics: readonly TopicSpec[]): Promise<void> {
  const names = topics.map(({ name }) => name)
  const { topics: found } = await withFault('topics_not_readable', () =>
    admin.fetchTopicMetadata({ topics: names }),
  )
  for (const { name, partitions } of topics) {
    const count = found.find((one) => one.name === name)?.partitions.length
    if (count === partitions) continue
    const text = `${name} has ${count ?? 'no'} partitions, ${partitions} are expected`
    throw new Fault('partition_count_mismatch', text, { retriable: false })
  }
}

async function deleteGroup(admin: Admin, group: string): Promise<void> {
  try {
    await admin.deleteGroups([group])
  } catch (cause) {
    if (describe(cause).includes('GROUP_ID_NOT_FOUND')) return
    throw faultOf('group_not_deleted', cause)
  }
}

async function withFault<T>(code: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    throw faultOf(code, cause)
  }
}

function faultOf(code: string, cause: unknown): Fault {
  return cause instanceof Fault ? cause : new Fault(code, describe(cause), { retriable: true, cause })
}

/** kafkajs keeps the details of group and topic errors in lists beside the message. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const parts: unknown[] = []
  if ('errors' in error && Array.isArray(error.errors)) parts.push(...error.errors.map(describe))
  if ('groups' in error && Array.isArray(error.groups)) {
    parts.push(...error.groups.map((one: { error?: { type?: string } }) => one.error?.type ?? ''))
  }
  if ('type' in error && typeof error.type === 'string') parts.push(error.type)
  return [error.message, ...parts].join(' ')
}
