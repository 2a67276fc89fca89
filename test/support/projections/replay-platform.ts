/** A replay's surroundings: a log in memory, the projections process over it on real engines, and the command's view of both. */
import { expect } from 'vitest'
import { createClickHouse } from '../../../infra/clickhouse/client.ts'
import { migrateArchive } from '../../../infra/clickhouse/migrate.ts'
import { databaseOf, optionsIn } from '../../../infra/clickhouse/namespaces.ts'
import { systemClock } from '../../../infra/clock.ts'
import { silentLog } from '../../../infra/log.ts'
import { createMemoryLog } from '../../../infra/memory/log.ts'
import { followNamespaces } from '../../../projections/namespaces/follower.ts'
import { followEach } from '../../../projections/namespaces/readers.ts'
import { openRegistry } from '../../../projections/namespaces/writer.ts'
import { createReader } from '../../../projections/reader.ts'
import { KEEP_ALL } from '../../../projections/reads/policy.ts'
import { archiveStage } from '../../../projections/replay/archive-stage.ts'
import { liveStage } from '../../../projections/replay/live-stage.ts'
import type { ReplayContext } from '../../../projections/replay/replay.ts'
import type { Stage } from '../../../projections/replay/stage.ts'
import type { LogStore } from '../../../schemas/ports.ts'
import { sharedTopics, topics } from '../../../schemas/topics.ts'
import { createRandom } from '../random.ts'
import type { startEngines } from './engines.ts'
import { logWriter } from './log-writer.ts'
import { plainModel } from './plain-model.ts'

export const PARTITIONS = 2
const clock = systemClock
const logger = silentLog

export async function replayPlatform(
  engines: Awaited<ReturnType<typeof startEngines<true>>>,
  projection: 'live' | 'archive',
  seed: number,
) {
  await engines.redis.batch([['EVAL', 'return redis.call("FLUSHALL")', 0] as never])
  const log = createMemoryLog(clock)
  const admin = await log.admin()
  await admin.ensureTopics(sharedTopics(PARTITIONS))
  const writer = logWriter(log.broker, PARTITIONS, createRandom(seed), plainModel())
  for (let i = 0; i < 700; i++) writer.step()
  const appended = new Set<string>()
  const store: LogStore = {
    ...log,
    async appender(name, options) {
      const appender = await log.appender(name, options)
      return {
        ...appender,
        append: (topic, ...rest) => {
          appended.add(topic)
          return appender.append(topic, ...rest)
        },
      }
    },
  }
  const failed = (fault: unknown) => {
    throw fault
  }
  const options = { url: engines.clickhouseEngine.url, database: `of_${projection}_${seed}` }
  const stage: Stage =
    projection === 'live'
      ? liveStage({ redis: engines.redis, generation: 0, policies: KEEP_ALL, clock, logger, looksMax: 4 })
      : archiveStage({
          open: (namespace) => createClickHouse(optionsIn(options, namespace)),
          databaseOf: (namespace) => databaseOf(options.database, namespace),
          migrate: (namespace) => migrateArchive(options, logger, namespace),
          ...{ generation: 0, clock, logger, withoutContents: false },
        })
  const follower = await followNamespaces({ store, clock, logger, failed })
  const readers = await followEach({
    projection,
    namespaces: follower,
    logger,
    failed,
    async start(namespace) {
      await stage.prepare(namespace)
      const { sink, close } = stage.sink(namespace, { partial: false, replaced: {} })
      const reader = createReader({
        ...{ name: namespace, sink, clock, logger, bytesPerBatchMax: 1e6, failed },
        // The archive waits for a block's worth.
        recordsPerBatchMax: projection === 'live' ? 50 : 5_000,
        consumer: store.consumer({ group: stage.group(namespace), topics: [topics.events] }),
        deadLetter: async () => {},
      })
      await reader.start()
      return {
        stats: () => reader.stats(),
        async stop() {
          await reader.stop()
          await close()
        },
      }
    },
  })
  const registry = await openRegistry({ store, follower, clock, by: 'test' })
  const lease = await registry.lease(projection, 'a replay')
  const context: ReplayContext = {
    ...{ stage, store: () => store, partitions: PARTITIONS, registry, follower, lease, clock, logger },
    passUnknown: true,
  }
  const stop = async () => {
    await lease.release()
    await registry.close()
    await readers.stop()
    await follower.stop()
    await admin.close()
  }
  const ends = () =>
    Array.from({ length: PARTITIONS }, (_, partition) => log.broker.range(topics.events, partition).end)
  return {
    context,
    stage,
    writer,
    store,
    follower,
    appended,
    lease,
    broker: log.broker,
    /** Of the archive that is read first. */
    clickhouse: () => createClickHouse(options),
    stop,
    /** Until the active namespace has all of the log; the archive knows no claims at its end. */
    async settled() {
      const active = () => stage.positions(follower.of(projection).active)
      await expect
        .poll(async () => [...(await active()).values()].reduce((sum, at) => sum + at, 0), {
          timeout: 30_000,
        })
        .toBeGreaterThan(ends().reduce((sum, end) => sum + end, 0) - 12)
    },
  }
}
