/**
 * Reads im.activity into the archive. The position stands in the archive; a block is inserted again, under the same token, until it
 * is in, and what comes twice replaces itself.
 */
import { Undecodable } from '../../schemas/avro.ts'
import { openActivity } from '../../schemas/codec.ts'
import {
  type Clock,
  Fault,
  type GroupConsumer,
  type Logger,
  type LogRecord,
  sleepOf,
} from '../../schemas/ports.ts'
import type { Activity } from '../../schemas/records.ts'
import { topics } from '../../schemas/topics.ts'
import type { ArchivePort } from '../ports.ts'
import { activityRows, activityTables } from './project.ts'

export interface ActivityReaderOptions {
  readonly consumer: GroupConsumer
  readonly clickhouse: ArchivePort
  readonly generation: number
  readonly clock: Clock
  readonly logger: Logger
  readonly failed: (fault: Fault) => void
}

export interface ActivityReader {
  start(): Promise<void>
  stop(): Promise<void>
  stats(): {
    /** Logins, and rows of the ledger. */
    applied: number
    ledger: number
    undecodable: number
    retries: number
    partitions: number
    beginning: number
  }
}

/** Some ten megabytes, when they are full. */
const RECORDS_PER_BLOCK = 20
const RETRY_MS_MIN = 200
const RETRY_MS_MAX = 5_000

export function createActivityReader(options: ActivityReaderOptions): ActivityReader {
  const { consumer, clickhouse, generation, clock, logger } = options
  const counts = { applied: 0, ledger: 0, undecodable: 0, retries: 0 }
  const owned = new Set<number>()
  const beginning = new Set<number>()
  let stopped = false

  /** Null: the partition went, or the reader stops. */
  async function untilDone<T>(partition: number, work: () => Promise<T>): Promise<T | null> {
    for (let wait = RETRY_MS_MIN; !stopped && owned.has(partition); wait = Math.min(2 * wait, RETRY_MS_MAX)) {
      try {
        return await work()
      } catch (err) {
        if (!(err instanceof Fault)) throw err
        counts.retries += 1
        if (wait === RETRY_MS_MAX)
          logger.warn({ code: err.code, err }, 'the archive takes no login records; trying on')
        await sleepOf(clock)(wait)
      }
    }
    return null
  }

  async function begin(partition: number): Promise<void> {
    beginning.add(partition)
    const from = await untilDone(partition, async () => {
      const { begin: first, end } = await consumer.range(topics.activity, partition)
      const [row] = await clickhouse.query<{ offset_: string }>(
        `SELECT toString(max(offset)) AS offset_ FROM activity_positions
         WHERE generation = {generation:UInt32} AND partition = {partition:UInt32} HAVING count() > 0`,
        { generation, partition },
      )
      const next = row ? Number(row.offset_) + 1 : first
      if (next < first)
        logger.error(
          { partition, from: next, to: first },
          'login records were deleted before they were archived: the log keeps them too short, or the archive was away too long',
        )
      // Beyond the end: the log was replaced.
      return next > end ? first : Math.max(first, next)
    })
    beginning.delete(partition)
    if (from !== null) consumer.seek(topics.activity, partition, from)
  }

  function decode(partition: number, { offset, value }: LogRecord): Activity[] {
    try {
      return value ? [openActivity(value)] : []
    } catch (err) {
      if (!(err instanceof Undecodable)) throw err
      counts.undecodable += 1
      logger.warn({ partition, offset, err }, 'login records that cannot be decoded are left out')
      return []
    }
  }

  async function apply(partition: number, batch: readonly LogRecord[]): Promise<void> {
    for (let at = 0; at < batch.length && !stopped; at += RECORDS_PER_BLOCK)
      await write(partition, batch.slice(at, at + RECORDS_PER_BLOCK))
  }

  async function write(partition: number, batch: readonly LogRecord[]): Promise<void> {
    const [first, last] = [batch[0]?.offset ?? 0, batch.at(-1)?.offset ?? 0]
    const rows = activityRows(batch.flatMap((record) => decode(partition, record)))
    const dedupToken = `${topics.activity}:${generation}:${partition}:${first}-${last}`
    const insert = async (table: string, block: readonly object[]): Promise<void> => {
      if (block.length > 0) await untilDone(partition, () => clickhouse.insert(table, block, { dedupToken }))
    }
    for (const table of activityTables) await insert(table, rows[table])
    await insert('activity_positions', [{ generation, partition, offset: last }])
    counts.applied += rows.logins.length
    counts.ledger += rows.ledger_pushes.length + rows.ledger_sends.length
  }

  return {
    start: () =>
      consumer.start({
        assigned(added, removed) {
          for (const partition of removed) owned.delete(partition)
          for (const partition of added) {
            owned.add(partition)
            begin(partition).catch((cause: unknown) =>
              options.failed(new Fault('activity_failed', String(cause), { retriable: false, cause })),
            )
          }
        },
        records: (_topic, partition, batch) => apply(partition, batch),
        failed: options.failed,
      }),
    async stop() {
      stopped = true
      await consumer.stop()
    },
    stats: () => ({ ...counts, partitions: owned.size, beginning: beginning.size }),
  }
}
