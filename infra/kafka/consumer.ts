import type { Consumer, EachBatchPayload, Kafka } from 'kafkajs'
import {
  type Clock,
  type ConsumerHandlers,
  type ConsumerOptions,
  Fault,
  type GroupConsumer,
  type Logger,
  type LogRecord,
} from '../../schemas/ports.ts'
import { createPacer } from '../logstore/pacer.ts'
import { createPartitionFeed, type PartitionFeed } from '../logstore/partition-feed.ts'
import { createKafkaClient, innerRetry, type KafkaSettings } from './client.ts'
import { type CommitEntry, createCommitter } from './committer.ts'
import { createGroupProtocol } from './group-protocol.ts'
import { createGroupQueries, type GroupQueries } from './group-queries.ts'
import { createOffsetGuard } from './offset-guard.ts'
import { createWatchdog } from './watchdog.ts'

/** One partition of one topic as this member sees it. */
export interface AssignedPartition {
  readonly topic: string
  readonly partition: number
  readonly feed: PartitionFeed
  /** False while another member may own it; what still arrives is dropped. */
  assigned: boolean
  pausedInKafka: boolean
}

const requestTimeoutMs = 5_000
const metadataMaxAgeMs = 5_000
const queueBytesMax = 4_194_304
const queueRecordsMax = 10_000
const stopMsMax = 5_000
/** Under load a fetch waits a moment for more: each costs the same, and many bring one record only. */
const fetchPace = { perSecondMax: 450, perSecondMin: 200, recordsFew: 2_000, burst: 40 }
/** Batches of one fetch are taken side by side, so that a pause after one holds back the next fetch and nothing else. */
const batchesAtOnce = 16

/**
 * A group member over kafkajs that trusts positions only: each partition holds the offset it needs next, whatever else a
 * fetch, a rejoin or an automatic reset by kafkajs brings is dropped and the position sought again.
 */
export function createGroupConsumer(
  settings: KafkaSettings,
  logger: Logger,
  clock: Clock,
  options: ConsumerOptions,
): GroupConsumer {
  const { group, topics } = options
  const sessionTimeoutMs = options.sessionTimeoutMs ?? 10_000
  const compacted = new Set(options.compacted ?? [])
  const partitions = new Map<string, AssignedPartition[]>(topics.map((topic) => [topic, []]))
  const { kafka } = createKafkaClient(settings, logger, clock, {
    requestTimeoutMs,
    retry: innerRetry,
    onLog: ({ log }) => {
      if (log.message.startsWith('Offset out of range')) suspect(String(log.topic), Number(log.partition))
    },
  })
  const queries: GroupQueries = createGroupQueries(kafka, group)

  let consumer: Consumer | null = null
  let handlers: ConsumerHandlers | null = null
  let memberId: string | null = null
  let owned: readonly number[] = []
  let joinAttempts = 0
  let commitInGroup: EachBatchPayload['commitOffsetsIfNecessary'] | null = null
  let ended = false
  const fetchPacer = createPacer(fetchPace)
  let fetchIsNew = false

  const fail = (fault: Fault) => {
    if (ended) return
    ended = true
    logger.error({ group, code: fault.code, cause: fault.message }, 'consumer cannot go on')
    watchdog.stop()
    handlers?.failed(fault)
  }

  const find = (topic: string, partition: number) => partitions.get(topic)?.[partition]
  const guard = createOffsetGuard({ range: queries.range, clock, fail, reseek: seekInKafka })
  const suspect = (topic: string, partition: number) => {
    const one = find(topic, partition)
    if (one?.assigned && !ended) guard.check(one)
  }

  const watchdog = createWatchdog({
    clock,
    intervalMs: sessionTimeoutMs / 2,
    range: queries.range,
    // A compacted log may end in removed records: there the end is never reached.
    active: () =>
      [...partitions.values()]
        .flat()
        .filter((one) => one?.assigned && one.feed.wantsRecords() && !compacted.has(one.topic)),
    suspect: (one) => guard.check(one),
    fail,
  })

  const committer = createCommitter(async (entries: readonly CommitEntry[]) => {
    if (consumer === null) throw new Error('not running')
    const list = entries.map(({ offset, ...entry }) => ({ ...entry, offset: String(offset) }))
    // Through the runner kafkajs retries a commit for ever, at last in the name of a later generation.
    if (commitInGroup === null) await consumer.commitOffsets(list)
    else await commitInGroup({ topics: byTopic(list) })
  })

  function seekInKafka(one: AssignedPartition): void {
    const offset = one.feed.next()
    if (offset === null) return
    tryKafka(() => consumer?.seek({ topic: one.topic, partition: one.partition, offset: String(offset) }))
  }

  /** kafkajs refuses calls while it restarts; the next join sets position and pause again. */
  function tryKafka(call: () => void): void {
    try {
      call()
    } catch (error) {
      logger.debug({ group, cause: String(error) }, 'kafkajs is between two lives')
    }
  }

  const syncPause = (one: AssignedPartition) => {
    const pause = !one.feed.wantsRecords()
    if (!one.assigned || pause === one.pausedInKafka) return
    one.pausedInKafka = pause
    const list = [{ topic: one.topic, partitions: [one.partition] }]
    tryKafka(() => (pause ? consumer?.pause(list) : consumer?.resume(list)))
  }

  const create = (topic: string, partition: number): AssignedPartition => {
    const one: AssignedPartition = {
      topic,
      partition,
      assigned: false,
      pausedInKafka: true,
      feed: createPartitionFeed({
        deliver: (records, end) => handlers?.records(topic, partition, records, end),
        onChange: () => syncPause(one),
        onError: (cause) =>
          fail(new Fault('handler_failed', `reader of ${topic} threw`, { retriable: false, cause })),
        queueBytesMax,
        queueRecordsMax,
      }),
    }
    return one
  }

  const onJoin = (joinedAs: string, assignment: Readonly<Record<string, readonly number[]>>) => {
    if (ended) return
    const now = [...new Set(topics.flatMap((topic) => assignment[topic] ?? []))].sort((a, b) => a - b)
    // Another member id or a second attempt: somebody else may have owned any of them in between.
    const unbroken = joinedAs === memberId && joinAttempts === 1
    const before = owned
    const added = unbroken ? now.filter((partition) => !before.includes(partition)) : now
    const removed = unbroken ? before.filter((partition) => !now.includes(partition)) : before
    memberId = joinedAs
    owned = now
    joinAttempts = 0
    commitInGroup = null
    for (const partition of removed) {
      committer.forget(partition)
      for (const topic of topics) {
        const one = find(topic, partition)
        if (one === undefined) continue
        one.assigned = false
        one.feed.reset()
      }
    }
    for (const topic of topics) for (const partition of assignment[topic] ?? []) adopt(topic, partition)
    logger.info({ group, partitions: now, added, removed }, 'joined the group')
    try {
      handlers?.assigned(added, removed)
    } catch (cause) {
      fail(new Fault('handler_failed', 'assigned() threw', { retriable: false, cause }))
    }
  }

  /** kafkajs starts every generation from the committed offset: position and pause are set again for all. */
  const adopt = (topic: string, partition: number) => {
    const list = partitions.get(topic) ?? []
    const one = list[partition] ?? create(topic, partition)
    list[partition] = one
    one.assigned = true
    one.pausedInKafka = !one.feed.wantsRecords()
    const topicPartitions = [{ topic, partitions: [partition] }]
    tryKafka(() => (one.pausedInKafka ? consumer?.pause(topicPartitions) : consumer?.resume(topicPartitions)))
    seekInKafka(one)
  }

  const onBatch = async ({ batch, commitOffsetsIfNecessary }: EachBatchPayload): Promise<void> => {
    commitInGroup = commitOffsetsIfNecessary
    const one = find(batch.topic, batch.partition)
    const next = one?.feed.next() ?? null
    if (one === undefined || !one.assigned || next === null || ended) return
    const { records, hole } = recordsFrom(batch.messages, next, compacted.has(batch.topic))
    if (records.length > 0) {
      fetchPacer.carried(records.length, clock.now())
      one.feed.take(records, Number(batch.highWatermark))
    }
    // Nothing of use although the fetch began elsewhere: kafkajs was reset behind our back, or the answer is an old one.
    if (hole || (records.length === 0 && !compacted.has(batch.topic))) suspect(batch.topic, batch.partition)
    if (Number(batch.lastOffset()) + 1 !== one.feed.next()) {
      if (compacted.has(batch.topic) && records.length === 0) return
      seekInKafka(one)
    }
    if (fetchIsNew) await pace()
  }

  /** Once per fetch that brought something. */
  const pace = async (): Promise<void> => {
    fetchIsNew = false
    const waitMs = fetchPacer.waitMs(clock.now())
    if (waitMs === 0) return
    await new Promise<void>((resolve) => {
      clock.after(waitMs, resolve)
    })
    fetchPacer.force(clock.now())
  }

  const start = async (given: ConsumerHandlers): Promise<void> => {
    if (consumer !== null) throw new Fault('already_started', group, { retriable: false })
    handlers = given
    await queries.requireTopics(topics)
    const protocol = createGroupProtocol(() => {
      joinAttempts += 1
      // A failed attempt may have given the partitions to others: claim them once only.
      return { memberId, partitions: joinAttempts === 1 ? owned : [] }
    })
    consumer = newConsumer(kafka, options, sessionTimeoutMs, protocol)
    const joined = new Promise<void>((resolve, reject) => {
      consumer?.on('consumer.group_join', ({ payload }) => {
        onJoin(payload.memberId, payload.memberAssignment)
        resolve()
      })
      consumer?.on('consumer.crash', ({ payload: { error, restart } }) => {
        logger.warn({ group, restart, cause: error.message }, 'consumer interrupted')
        if (restart) return
        const fault = new Fault('consumer_crashed', error.message, { retriable: true, cause: error })
        fail(fault)
        reject(fault)
      })
      consumer?.on('consumer.fetch', () => {
        fetchIsNew = true
        watchdog.fetched()
      })
    })
    joined.catch(() => undefined)
    await consumer.connect()
    await consumer.subscribe({ topics: [...topics], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: true,
      eachBatch: onBatch,
      partitionsConsumedConcurrently: batchesAtOnce,
    })
    await joined
    watchdog.start()
  }

  const stop = async (): Promise<void> => {
    ended = true
    watchdog.stop()
    for (const one of [...partitions.values()].flat()) one?.feed.pause()
    const work = async () => {
      await committer.settled()
      await consumer?.disconnect()
      await queries.close()
    }
    await Promise.race([
      work().catch((error) => logger.warn({ group, cause: String(error) }, 'consumer did not stop cleanly')),
      new Promise<void>((resolve) => {
        clock.after(stopMsMax, resolve)
      }),
    ])
  }

  const assignedOf = (topic: string, partition: number): AssignedPartition => {
    const one = find(topic, partition)
    if (one?.assigned) return one
    throw new Fault('not_assigned', `${topic}/${partition} is not assigned to this member`, {
      retriable: false,
    })
  }

  return {
    start,
    seek(topic, partition, offset) {
      const one = assignedOf(topic, partition)
      one.feed.seek(offset)
      seekInKafka(one)
    },
    pause: (topic, partition) => find(topic, partition)?.feed.pause(),
    resume: (topic, partition) => find(topic, partition)?.feed.resume(),
    async commit(topic, partition, { offset, metadata }) {
      assignedOf(topic, partition)
      await committer.commit({ topic, partition, offset, metadata })
    },
    committed: queries.committed,
    range: queries.range,
    stop,
  }
}

function newConsumer(
  kafka: Kafka,
  options: ConsumerOptions,
  sessionTimeout: number,
  protocol: ReturnType<typeof createGroupProtocol>,
): Consumer {
  return kafka.consumer({
    groupId: options.group,
    partitionAssigners: [protocol],
    sessionTimeout,
    rebalanceTimeout: sessionTimeout,
    // A rebalance is noticed by a heartbeat, so its interval is part of every take-over.
    heartbeatInterval: Math.max(100, Math.min(1_000, Math.floor(sessionTimeout / 10))),
    maxWaitTimeInMs: options.maxWaitMs ?? 50,
    minBytes: options.minBytes ?? 1,
    metadataMaxAge: metadataMaxAgeMs,
    allowAutoTopicCreation: false,
    readUncommitted: true,
    // An outage of the brokers is waited for; only what can never heal ends the consumer.
    retry: { ...innerRetry, maxRetryTime: 1_000, retries: Number.MAX_SAFE_INTEGER },
  })
}

/** The records from `next` on; a hole ends them except in compacted topics. */
function recordsFrom(
  messages: EachBatchPayload['batch']['messages'],
  next: number,
  holesAllowed: boolean,
): { records: LogRecord[]; hole: boolean } {
  const records: LogRecord[] = []
  let expected = next
  for (const { offset: offsetText, key, value, timestamp } of messages) {
    const offset = Number(offsetText)
    if (offset < expected) continue
    if (offset > expected && !holesAllowed) return { records, hole: true }
    records.push({ offset, key, value, timestamp: Number(timestamp) })
    expected = offset + 1
  }
  return { records, hole: false }
}

function byTopic(entries: readonly { topic: string; partition: number; offset: string; metadata: string }[]) {
  const grouped = new Map<string, { partition: number; offset: string; metadata: string }[]>()
  for (const { topic, ...rest } of entries) {
    const list = grouped.get(topic)
    if (list === undefined) grouped.set(topic, [rest])
    else list.push(rest)
  }
  return [...grouped].map(([topic, partitions]) => ({ topic, partitions }))
}
