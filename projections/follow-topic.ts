/** A compacted topic of one partition, read from its beginning and then on, by a process that needs all of it. */
import { randomUUID } from 'node:crypto'
import type { Fault, Logger, LogRecord, LogStore } from '../schemas/ports.ts'

export interface FollowedTopic {
  /** Resolves once the end that the topic had at the start was read; there is no deadline. */
  readonly caughtUp: Promise<void>
  /** Offset behind the last record read. */
  readTo(): number
  /** The topic's end now. */
  end(): Promise<number>
  stop(): Promise<void>
}

const PARTITION = 0
const MAX_WAIT_MS = 500

export async function followTopic(options: {
  readonly store: LogStore
  readonly topic: string
  /** What its consumer group begins with. */
  readonly name: string
  readonly logger: Logger
  /** A record of which it throws does not count. */
  take(record: LogRecord): void
  failed(fault: Fault): void
}): Promise<FollowedTopic> {
  const { store, topic, logger } = options
  // Every follower reads everything: a group of its own, deleted at the end.
  const group = `${options.name}-${randomUUID()}`
  const consumer = store.consumer({ group, topics: [topic], compacted: [topic], maxWaitMs: MAX_WAIT_MS })
  const { promise: caughtUp, resolve, reject } = Promise.withResolvers<void>()
  // Awaited by whoever follows; it may come before.
  caughtUp.catch(() => {})
  let startEnd: number | null = null
  let next = 0

  async function begin(): Promise<void> {
    const { begin: first, end } = await consumer.range(topic, PARTITION)
    startEnd ??= end
    next = Math.max(next, first)
    if (next >= startEnd) resolve()
    consumer.seek(topic, PARTITION, next)
  }

  await consumer.start({
    assigned(added) {
      if (added.includes(PARTITION)) begin().catch(reject)
    },
    records(_topic, _partition, batch) {
      for (const record of batch) {
        next = record.offset + 1
        try {
          options.take(record)
        } catch (err) {
          logger.error({ err, topic, offset: record.offset }, 'a record could not be read and does not count')
        }
      }
      if (startEnd !== null && next >= startEnd) resolve()
    },
    failed: options.failed,
  })

  return {
    caughtUp,
    readTo: () => next,
    end: async () => (await consumer.range(topic, PARTITION)).end,
    async stop() {
      await consumer.stop()
      const admin = await store.admin()
      await admin.deleteGroup(group).catch((err) => logger.debug({ err, group }, 'group was not deleted'))
      await admin.close()
    },
  }
}
