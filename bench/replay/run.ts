/** `npm run bench -- replay`: how fast the log is folded into Redis and into the archive, on engines of its own. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createClickHouse } from '../../infra/clickhouse/client.ts'
import { migrateArchive } from '../../infra/clickhouse/migrate.ts'
import { databaseOf, optionsIn } from '../../infra/clickhouse/namespaces.ts'
import { systemClock } from '../../infra/clock.ts'
import { startEmbedded } from '../../infra/embedded/services.ts'
import { kafkaStore } from '../../infra/kafka/store.ts'
import { silentLog } from '../../infra/log.ts'
import { createRedis } from '../../infra/redis/client.ts'
import { createProgress, grouped, table } from '../../infra/terminal.ts'
import { type ContentKeys, followContentKeys } from '../../projections/content-keys/follower.ts'
import { openRecords } from '../../projections/content-keys/open.ts'
import type { Sink } from '../../projections/projection.ts'
import { KEEP_ALL } from '../../projections/reads/policy.ts'
import { archiveStage } from '../../projections/replay/archive-stage.ts'
import { liveStage } from '../../projections/replay/live-stage.ts'
import { progressText } from '../../projections/replay/print.ts'
import { rebuild } from '../../projections/replay/rebuild.ts'
import { START } from '../../schemas/accept.ts'
import { sharedTopics } from '../../schemas/topics.ts'
import { machine, writeResult } from '../report.ts'
import { usageBetween, usageOf } from '../support/processes.ts'
import { writeLog } from './log.ts'

export interface ReplayFlags {
  readonly events: number
  readonly only?: string
  /** Contents in the log are not sealed. */
  readonly clear?: boolean
}

interface Timing {
  readonly name: string
  readonly events: number
  readonly perSec: number
  /** CPU seconds per million events, by process. */
  readonly cpu: Readonly<Record<string, number>>
}

const PARTITIONS = 8

export async function benchReplay(flags: ReplayFlags): Promise<number> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'longwire-bench-replay-'))
  const engines = await startEmbedded({
    dataDir,
    need: { kafka: true, redis: true, clickhouse: true },
    log: silentLog,
  })
  const store = (name: string) =>
    kafkaStore({ brokers: engines.kafka.brokers, clientId: `bench-${name}` }, silentLog, systemClock)
  const redis = createRedis({ urls: [engines.redis.url], name: 'bench', timeoutMs: 60_000 }, silentLog)
  const options = { url: engines.clickhouse.url, database: 'longwire', requestTimeoutMs: 300_000 }
  const progress = createProgress(process.stdout)
  const common = { generation: 0, clock: systemClock, logger: silentLog }
  const processes = [
    { name: 'replay', pid: process.pid },
    { name: 'kafka', pid: Number(engines.kafka.nodes[0]?.pid) },
    { name: 'redis', pid: engines.redis.pid },
    { name: 'clickhouse', pid: engines.clickhouse.pid },
  ]

  let keys: ContentKeys | null = null

  async function run(name: string, sink: Sink): Promise<Timing> {
    const before = usageOf(processes)
    const text = progressText(systemClock.now)
    const { applied, elapsedMs } = await rebuild({
      ...{ store: store(name), sink, partitions: PARTITIONS, clock: systemClock, logger: silentLog },
      ...(keys ? { open: openRecords(keys) } : {}),
      onProgress: (now) => progress.show(`  ${name}: ${text(now).trim()}`),
    })
    const used = usageBetween(before, usageOf(processes))
    const timing = {
      name,
      events: applied,
      perSec: (applied * 1_000) / elapsedMs,
      cpu: Object.fromEntries(used.map(({ name: of, cpuSec }) => [of, (cpuSec * 1e6) / applied])),
    }
    progress.done(`  ${name}: ${grouped(applied)} events, ${grouped(timing.perSec)} events/s`)
    return timing
  }

  try {
    await redis.ready(5_000)
    const admin = await store('setup').admin()
    await admin.ensureTopics(sharedTopics(PARTITIONS))
    await admin.close()
    if (!flags.clear)
      keys = await followContentKeys({
        ...{ store: store('keys'), secret: randomBytes(32), by: 'bench' },
        ...{ clock: systemClock, logger: silentLog },
        failed(fault) {
          throw fault
        },
      })
    const appender = await store('fill').appender('fill', { timeoutMs: 60_000 })
    const written = await writeLog({
      ...{ appender, partitions: PARTITIONS, events: flags.events, sealer: keys },
      progress: (done) => progress.show(`  ${grouped(done)} of ${grouped(flags.events)} records written`),
    })
    await appender.close()
    progress.done(`  ${grouped(written)} records in the log`)
    const live = liveStage({ ...common, redis, policies: KEEP_ALL })
    const archive = archiveStage({
      ...common,
      open: (namespace) => createClickHouse(optionsIn(options, namespace)),
      databaseOf: (namespace) => databaseOf(options.database, namespace),
      migrate: (namespace) => migrateArchive(options, silentLog, namespace),
      withoutContents: false,
    })
    await archive.prepare('')
    await archive.prepare('bench')
    const whole = { partial: false, replaced: {} }
    const wants = (name: string): boolean => flags.only === undefined || flags.only === name
    const timings: Timing[] = []
    if (wants('nothing')) timings.push(await run('nothing', nowhere()))
    if (wants('live')) timings.push(await run('live', live.sink('bench', whole).sink))
    if (wants('archive')) {
      const { sink, close } = archive.sink('bench', whole)
      timings.push(await run('archive', sink))
      await close()
    }
    const names = processes.map(({ name }) => name)
    console.log(`\n  ${machine()}\n`)
    console.log(
      table(
        ['into', 'events', 'events/s', ...names.map((name) => `${name} CPU s/M`)],
        timings.map(({ name, events, perSec, cpu }) => [
          name,
          ...[events, perSec].map(grouped),
          ...names.map((of) => (cpu[of] ?? 0).toFixed(1)),
        ]),
      ),
    )
    const result = { at: new Date().toISOString(), machine: machine(), timings }
    console.log(`\n  written to ${writeResult(result as never, 'replay')}`)
    return 0
  } finally {
    await keys?.stop()
    await redis.close()
    await engines.stop()
    rmSync(dataDir, { recursive: true, force: true })
  }
}

/** What reading and decoding cost alone. */
const nowhere = (): Sink => ({
  begin: async (_partition, range) => ({ ...START, offset: range.begin }),
  apply: async () => 'applied',
  tick: async () => [],
  release() {},
})
