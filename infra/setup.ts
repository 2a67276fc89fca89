/** What must stand before any role runs: topics, and the archive's tables. */
import { checkGenerations } from '../projections/restore/generations.ts'
import { openEnvelope } from '../schemas/codec.ts'
import { Fault, type LogAdmin, type Logger, type LogStore } from '../schemas/ports.ts'
import { sharedTopics, topics } from '../schemas/topics.ts'
import { archivesIn } from './clickhouse/archives.ts'
import type { ClickHouseOptions } from './clickhouse/client.ts'
import { clickHouseOptions, migrateArchive } from './clickhouse/migrate.ts'
import { systemClock } from './clock.ts'
import { type Config, ConfigError } from './config.ts'
import { kafkaStore } from './kafka/store.ts'
import { kafkaSettings } from './role.ts'

const TRIES_MAX = 50
const RETRY_MS = 200

/**
 * Creates what is missing. Throws ConfigError where the settings do not fit the logs that stand: another partition count, a
 * generation below the newest record's, a restore that is not complete, or no log at all beside a full archive.
 */
export async function setup(
  config: Config & { kafka: readonly string[]; clickhouse: string },
  logger: Logger,
): Promise<void> {
  const store = kafkaStore(kafkaSettings(config, 'setup'), logger, systemClock)
  await checkGenerations(store, config).catch((err: unknown) => {
    const isRefusal = err instanceof Fault && err.code === 'generation_refused'
    throw isRefusal ? new ConfigError(err.message) : err
  })
  const admin = await store.admin()
  let isEmpty: boolean
  try {
    await admin.ensureTopics(sharedTopics(config.partitions))
    isEmpty = !(await checkGeneration(store, admin, config))
  } finally {
    await admin.close()
  }
  const archive = clickHouseOptions(config)
  if (isEmpty) await refuseLostLog(archive)
  await migrateArchive(archive, logger)
}

/** A log that began anew beside an archive would give seqs a second time. */
async function refuseLostLog(options: ClickHouseOptions): Promise<void> {
  const full = (await archivesIn(options)).find(({ records }) => records > 0)
  if (full)
    throw new ConfigError(
      `${topics.events} is empty, but the archive in ${full.database} holds ${full.records} records: restore them with \`npm run restore\`, or begin anew with another LONGWIRE_CLICKHOUSE_DATABASE`,
    )
}

/** Reads the last record of each partition of im.events: it names the newest generation there. False: there are none. */
async function checkGeneration(store: LogStore, admin: LogAdmin, config: Config): Promise<boolean> {
  const ends = new Map<number, number>()
  for (let partition = 0; partition < config.partitions; partition++) {
    const { begin, end } = await patiently(() => admin.range(topics.events, partition))
    if (end > begin) ends.set(partition, end)
  }
  if (ends.size === 0) return false
  const group = `setup-${process.pid}-${Date.now()}`
  const consumer = store.consumer({ group, topics: [topics.events] })
  let newest = -1
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('im.events could not be read within 20 s')), 20_000)
    const done = (error?: Error) => {
      clearTimeout(timer)
      if (error) reject(error)
      else resolve()
    }
    const waiting = new Set(ends.keys())
    consumer
      .start({
        assigned(added) {
          for (const partition of added) {
            const end = ends.get(partition)
            if (end !== undefined) consumer.seek(topics.events, partition, end - 1)
          }
        },
        records(_topic, partition, records) {
          for (const { value } of records) newest = Math.max(newest, generationOf(value))
          waiting.delete(partition)
          if (waiting.size === 0) done()
        },
        failed: done,
      })
      .catch(done)
  }).finally(async () => {
    await consumer.stop()
    await admin.deleteGroup(group).catch(() => {})
  })
  if (newest > config.generation)
    throw new ConfigError(
      `LONGWIRE_GENERATION is ${config.generation}, but the logs are of generation ${newest}: set it to ${newest}`,
    )
  return true
}

/** A topic that was just created may have no leader for a moment. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (err) {
      if (!(err instanceof Fault) || !err.retriable || tries === TRIES_MAX) throw err
      await systemClock.sleep(RETRY_MS)
    }
  }
}

function generationOf(value: Buffer | null): number {
  try {
    return openEnvelope(value ?? Buffer.alloc(0)).generation
  } catch {
    return -1
  }
}
