/**
 * Role main: `node projections/main.ts [all|live|archive]`. The Redis projections share one consumer group, the archive has its
 * own, so that neither store holds the other back; and so has each namespace of either.
 */
import { type ClickHouse, createClickHouse } from '../infra/clickhouse/client.ts'
import { clickHouseOptions, migrateArchive } from '../infra/clickhouse/migrate.ts'
import { databaseOf, optionsIn } from '../infra/clickhouse/namespaces.ts'
import { type OpenKeys, openContentKeys } from '../infra/keys-secret.ts'
import { createRedis, redisOptions } from '../infra/redis/client.ts'
import { checkTopics, type Role, runRole } from '../infra/role.ts'
import { startReport } from '../infra/role-report.ts'
import { Fault } from '../schemas/ports.ts'
import { topics } from '../schemas/topics.ts'
import { createActivityReader } from './activity/reader.ts'
import { analyticsDatabaseOf, createAnalyticsViews } from './analytics/views.ts'
import { createJanitor, type Janitor } from './archive/janitor.ts'
import { createSchemaMirror } from './archive/schemas.ts'
import { type ArchiveSink, archiveSink } from './archive/sink.ts'
import { createKeyMirror, type KeyMirror } from './content-keys/mirror.ts'
import { openRecords } from './content-keys/open.ts'
import { deadLetters } from './dead-letters.ts'
import { liveSink } from './live/sink.ts'
import { followNamespaces, type NamespaceFollower } from './namespaces/follower.ts'
import { followEach, type NamespaceReader } from './namespaces/readers.ts'
import { inEach, inNamespace } from './namespaces/redis.ts'
import type { RedisPort } from './ports.ts'
import type { Accepted } from './projection.ts'
import { createReader } from './reader.ts'
import { keepsAll, type Policies } from './reads/policy.ts'

type Services = 'kafka' | 'redis' | 'clickhouse'

/** Fewer, larger fetches: a timeline that trails by this much is not noticed, the work per fetch is. */
const LIVE_FETCH = { maxWaitMs: 30, minBytes: 65_536 }
const ARCHIVE_FETCH = { maxWaitMs: 500, minBytes: 1_048_576 }
/** A block is inserted per fetch. */
const ACTIVITY_FETCH = { maxWaitMs: 2_000, minBytes: 262_144 }
const MIGRATE_RETRY_MS = 2_000
const VIEWS_RETRY_MS = 60_000

const wanted = process.argv[2] ?? 'all'
if (!['all', 'live', 'archive'].includes(wanted)) {
  process.stderr.write(`usage: node projections/main.ts [all|live|archive]; there is no '${wanted}'\n`)
  process.exit(2)
}

await runRole(
  wanted === 'all' ? 'projections' : `projections-${wanted}`,
  ['kafka', 'redis', 'clickhouse'],
  async (role) => {
    const { config, log, clock, metrics, name, steps, failed } = role
    await checkTopics(role.store('setup'), config, role.schemas)
    const namespaces = await followNamespaces({
      store: role.store('namespaces'),
      ...{ clock, logger: log, failed },
    })
    // It waits for no ClickHouse: only what is archived waits until the keys of it are.
    const archiveClient = wanted === 'live' ? null : createClickHouse(clickHouseOptions(config))
    const mirror = archiveClient && createKeyMirror({ clickhouse: archiveClient, clock, logger: log })
    const keys = await openContentKeys(config, {
      store: role.store('keys'),
      ...{ clock, logger: log, by: name, failed, rolls: true },
      ...(mirror ? { onChange: mirror.note } : {}),
    })
    const running: (() => Iterable<readonly [string, Pick<NamespaceReader, 'stats'>]>)[] = []
    if (wanted !== 'archive') running.push(await startLive(role, namespaces, keys))
    if (archiveClient && mirror)
      running.push(startArchive(role, namespaces, keys, { clickhouse: archiveClient, mirror }))
    const readers = () => running.flatMap((some) => [...some()])
    const numbers = (pick: (name: string) => boolean) =>
      Object.fromEntries(
        readers().flatMap(([name, reader]) =>
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
      ready: () => readers().every(([, reader]) => reader.stats().beginning === 0),
    })
    steps.push(
      { name: 'report', stop: () => report.stop() },
      { name: 'namespaces', stop: () => namespaces.stop() },
      { name: 'keys', stop: () => keys.stop() },
    )
    log.info({ roles: wanted, generation: config.generation, partitions: config.partitions }, 'started')
  },
)

function groupOf(group: string, namespace: string): string {
  return namespace === '' ? group : `${group}@${namespace}`
}

async function startLive(role: Role<Services>, namespaces: NamespaceFollower, { opener }: OpenKeys) {
  const { config, log, clock, store, steps, failed, name } = role
  const redis = createRedis(redisOptions(config, name), log)
  const appender = await store('dead-letters').appender('dead-letters')
  const copy = deadLetters(appender)
  await redis.ready(1_000)
  const readers = await followEach({
    projection: 'live',
    namespaces,
    logger: log,
    failed,
    async start(namespace) {
      const group = groupOf('projections-live', namespace)
      const reader = createReader({
        name: group,
        consumer: store(group).consumer({ group, topics: [topics.events], ...LIVE_FETCH }),
        sink: liveSink({
          redis: inNamespace(redis, namespace),
          generation: config.generation,
          logger: log,
          clock,
          policies: policiesOf(config),
        }),
        clock,
        logger: log,
        open: openRecords(opener),
        recordsPerBatchMax: 500,
        bytesPerBatchMax: 1_000_000,
        // Once, however many namespaces there are.
        deadLetter: async (...letter) => {
          if (namespaces.of('live').active === namespace) await copy(...letter)
        },
        failed,
      })
      await reader.start()
      return reader
    },
  })
  steps.push(
    { name: 'live projections', stop: () => readers.stop() },
    { name: 'dead letters', stop: () => appender.close() },
    { name: 'redis', stop: () => redis.close() },
  )
  return () => readers.running()
}

function policiesOf({ storeP2p, storeGroup }: Role<Services>['config']): Policies {
  return { p2p: storeP2p, group: storeGroup }
}

/** Does not wait for ClickHouse. */
function startArchive(
  role: Role<Services>,
  namespaces: NamespaceFollower,
  { opener }: OpenKeys,
  { clickhouse, mirror }: { readonly clickhouse: ClickHouse; readonly mirror: KeyMirror },
) {
  const { config, log, clock, store, steps, failed } = role
  const options = clickHouseOptions(config)
  const activity = createActivityReader({
    consumer: store('activity').consumer({
      group: 'projections-activity',
      topics: [topics.activity],
      ...ACTIVITY_FETCH,
    }),
    ...{ clickhouse, generation: config.generation, clock, logger: log, failed },
  })
  const policies = policiesOf(config)
  const redis = keepsAll(policies) ? null : createRedis(redisOptions(config, `${role.name}-janitor`), log)
  let stopped = false

  const open = openRecords(opener)
  const schemas = createSchemaMirror(clickhouse)

  /** The schemas and the keys of what is archived stand in the archive before it does. */
  async function openArchived(records: readonly Accepted[]): Promise<readonly Accepted[]> {
    const opened = await open(records)
    await schemas.flush()
    await mirror.flush()
    return opened
  }

  /** Null: the process stops. */
  async function patiently<T>(work: () => Promise<T>): Promise<T | null> {
    while (!stopped) {
      try {
        return await work()
      } catch (err) {
        if (!(err instanceof Fault)) throw err
        log.warn({ code: err.code, err }, 'the archive cannot begin; trying on')
        await clock.sleep(MIGRATE_RETRY_MS)
      }
    }
    return null
  }

  async function startIn(namespace: string): Promise<NamespaceReader> {
    const of = namespace === '' ? clickhouse : createClickHouse(optionsIn(options, namespace))
    await patiently(() => migrateArchive(options, log, namespace))
    const sink = archiveSink({ clickhouse: of, generation: config.generation, clock, logger: log })
    const group = groupOf('projections-archive', namespace)
    const reader = createReader({
      name: group,
      consumer: store(group).consumer({ group, topics: [topics.events], ...ARCHIVE_FETCH }),
      sink,
      clock,
      logger: log,
      open: openArchived,
      recordsPerBatchMax: 5_000,
      bytesPerBatchMax: 8_000_000,
      // The live projections copy it; the archive keeps the bytes themselves.
      deadLetter: async () => {},
      failed,
    })
    await patiently(() => reader.start())
    const janitor = redis && janitorFor(role, namespaces, of, redis, sink)
    janitor?.start()
    return {
      stats: () => reader.stats(),
      async stop() {
        await janitor?.stop()
        sink.close()
        await reader.stop()
        if (of !== clickhouse) await of.close()
      },
    }
  }

  let shown = ''
  const readers = followEach({ projection: 'archive', namespaces, logger: log, failed, start: startIn })
  let following: Awaited<typeof readers> | null = null
  async function begin(): Promise<void> {
    following = await readers
    // Its tables stand in the first database, whichever namespace is read.
    await patiently(() => migrateArchive(options, log))
    // Those of what was archived before they were kept there too.
    await patiently(() => schemas.flush())
    await patiently(() => activity.start())
    showAnalysts()
  }
  const endShowing = namespaces.onChange('archive', () => {
    if (following) showAnalysts()
  })
  /** Analysts read what everyone reads. Nothing waits for it. */
  function showAnalysts(): void {
    const base = options.database ?? 'default'
    const source = databaseOf(base, namespaces.of('archive').active)
    if (source === shown) return
    shown = source
    createAnalyticsViews(clickhouse, source, analyticsDatabaseOf(base)).catch((err: unknown) => {
      log.warn({ err, source }, 'the views for analysts could not be made')
      shown = ''
      clock.after(VIEWS_RETRY_MS, () => {
        if (!stopped) showAnalysts()
      })
    })
  }
  begin().catch((cause: unknown) =>
    failed(new Fault('archive_failed', String(cause), { retriable: false, cause })),
  )
  steps.push({
    name: 'archive',
    stop: async () => {
      stopped = true
      endShowing()
      await (await readers).stop()
      await activity.stop()
      mirror.stop()
      await clickhouse.close()
      await redis?.close()
    },
  })
  return () => [...(following?.running() ?? []), ['activity', activity] as const]
}

/** Destroys in every namespace of Redis what it destroys in its own of the archive. */
function janitorFor(
  { config, log, clock }: Role<Services>,
  namespaces: NamespaceFollower,
  clickhouse: ClickHouse,
  redis: RedisPort,
  archived: ArchiveSink,
): Janitor {
  const { generation } = config
  const { partitions } = archived
  return createJanitor({
    redis: inEach(redis, namespaces),
    policies: policiesOf(config),
    ...{ clickhouse, generation, clock, logger: log, partitions },
  })
}
