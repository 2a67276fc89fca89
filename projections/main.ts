/**
 * Role main: `node projections/main.ts [all|live|archive]`. The Redis projections share one consumer group, the archive has its
 * own, so that neither store holds the other back.
 */
import { type ClickHouse, createClickHouse } from '../infra/clickhouse/client.ts'
import { clickHouseOptions, migrateArchive } from '../infra/clickhouse/migrate.ts'
import { createRedis, redisOptions } from '../infra/redis/client.ts'
import { checkTopics, type Role, runRole } from '../infra/role.ts'
import { startReport } from '../infra/role-report.ts'
import { Fault } from '../schemas/ports.ts'
import { topics } from '../schemas/topics.ts'
import { type ActivityReader, createActivityReader } from './activity/reader.ts'
import { createJanitor, type Janitor } from './archive/janitor.ts'
import { type ArchiveSink, archiveSink } from './archive/sink.ts'
import { deadLetters } from './dead-letters.ts'
import { liveSink } from './live/sink.ts'
import { createReader, type Reader } from './reader.ts'
import { keepsAll, type Policies } from './reads/policy.ts'

type Services = 'kafka' | 'redis' | 'clickhouse'

/** Fewer, larger fetches: a timeline that trails by this much is not noticed, the work per fetch is. */
const LIVE_FETCH = { maxWaitMs: 30, minBytes: 65_536 }
const ARCHIVE_FETCH = { maxWaitMs: 500, minBytes: 1_048_576 }
/** A block is inserted per fetch. */
const ACTIVITY_FETCH = { maxWaitMs: 2_000, minBytes: 262_144 }
const MIGRATE_RETRY_MS = 2_000

const wanted = process.argv[2] ?? 'all'
if (!['all', 'live', 'archive'].includes(wanted)) {
  process.stderr.write(`usage: node projections/main.ts [all|live|archive]; there is no '${wanted}'\n`)
  process.exit(2)
}

await runRole(
  wanted === 'all' ? 'projections' : `projections-${wanted}`,
  ['kafka', 'redis', 'clickhouse'],
  async (role) => {
    const { config, log, clock, metrics, steps } = role
    await checkTopics(role.store('setup'), config.partitions)
    const readers: Record<string, { stats(): { readonly beginning: number } }> = {}
    if (wanted !== 'archive') readers.live = await startLive(role)
    if (wanted !== 'live') Object.assign(readers, startArchive(role))
    const numbers = (pick: (name: string) => boolean) =>
      Object.fromEntries(
        Object.entries(readers).flatMap(([name, reader]) =>
          Object.entries(reader.stats())
            .filter(([key]) => pick(key))
            .map(([key, value]) => [`${name}_${key}`, value]),
        ),
      )
    const isLevel = (key: string) => ['partitions', 'beginning', 'lag'].includes(key)
    const report = startReport({
      log,
      clock,
      metrics,
      failed: role.failed,
      host: config.apiHost,
      port: config.metricsPort,
      counts: () => numbers((key) => !isLevel(key)),
      levels: () => numbers(isLevel),
      ready: () => Object.values(readers).every((reader) => reader.stats().beginning === 0),
    })
    steps.push({ name: 'report', stop: () => report.stop() })
    log.info({ roles: wanted, generation: config.generation, partitions: config.partitions }, 'started')
  },
)

async function startLive({
  config,
  log,
  clock,
  store,
  steps,
  failed,
  name,
}: Role<Services>): Promise<Reader> {
  const redis = createRedis(redisOptions(config, name), log)
  const appender = await store('dead-letters').appender('dead-letters')
  const reader = createReader({
    name: 'live',
    consumer: store('live').consumer({ group: 'projections-live', topics: [topics.events], ...LIVE_FETCH }),
    sink: liveSink({
      redis,
      generation: config.generation,
      logger: log,
      clock,
      policies: policiesOf(config),
    }),
    clock,
    logger: log,
    recordsPerBatchMax: 500,
    bytesPerBatchMax: 1_000_000,
    deadLetter: deadLetters(appender),
    failed,
  })
  await redis.ready(1_000)
  await reader.start()
  steps.push(
    { name: 'live projections', stop: () => reader.stop() },
    { name: 'dead letters', stop: () => appender.close() },
    { name: 'redis', stop: () => redis.close() },
  )
  return reader
}

function policiesOf({ storeP2p, storeGroup }: Role<Services>['config']): Policies {
  return { p2p: storeP2p, group: storeGroup }
}

function startArchive(role: Role<Services>): { archive: Reader; activity: ActivityReader } {
  const { config, log, clock, store, steps, failed } = role
  const options = clickHouseOptions(config)
  const clickhouse = createClickHouse(options)
  const sink = archiveSink({ clickhouse, generation: config.generation, clock, logger: log })
  const reader = createReader({
    name: 'archive',
    consumer: store('archive').consumer({
      group: 'projections-archive',
      topics: [topics.events],
      ...ARCHIVE_FETCH,
    }),
    sink,
    clock,
    logger: log,
    recordsPerBatchMax: 5_000,
    bytesPerBatchMax: 8_000_000,
    // The live projections copy it; the archive keeps the bytes themselves.
    deadLetter: async () => {},
    failed,
  })
  const activity = createActivityReader({
    consumer: store('activity').consumer({
      group: 'projections-activity',
      topics: [topics.activity],
      ...ACTIVITY_FETCH,
    }),
    ...{ clickhouse, generation: config.generation, clock, logger: log, failed },
  })
  const janitor = janitorFor(role, clickhouse, sink)
  let stopped = false
  const start = async () => {
    while (!stopped) {
      try {
        await migrateArchive(options, log)
        if (stopped) return
        await reader.start()
        await activity.start()
        janitor?.start()
        return
      } catch (err) {
        if (!(err instanceof Fault)) throw err
        log.warn({ code: err.code, err }, 'the archive cannot begin; trying on')
        await clock.sleep(MIGRATE_RETRY_MS)
      }
    }
  }
  start().catch((cause: unknown) =>
    failed(new Fault('archive_failed', String(cause), { retriable: false, cause })),
  )
  steps.push({
    name: 'archive',
    stop: async () => {
      stopped = true
      await janitor?.stop()
      sink.close()
      await reader.stop()
      await activity.stop()
      await clickhouse.close()
    },
  })
  return { archive: reader, activity }
}

/** Null where everything is kept for ever. */
function janitorFor(
  { config, log, clock, name }: Role<Services>,
  clickhouse: ClickHouse,
  archived: ArchiveSink,
): Pick<Janitor, 'start' | 'stop'> | null {
  const policies = policiesOf(config)
  if (keepsAll(policies)) return null
  const redis = createRedis(redisOptions(config, `${name}-janitor`), log)
  const { generation } = config
  const { partitions } = archived
  const janitor = createJanitor({ clickhouse, redis, policies, generation, clock, logger: log, partitions })
  return {
    start: () => janitor.start(),
    async stop() {
      await janitor.stop()
      await redis.close()
    },
  }
}
