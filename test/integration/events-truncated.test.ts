/** F26: where im.events no longer holds what a reader needs next, it says so and stops. To go on behind the gap would lose it in silence. */
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createClickHouse } from '../../infra/clickhouse/client.ts'
import { migrateArchive } from '../../infra/clickhouse/migrate.ts'
import { systemClock } from '../../infra/clock.ts'
import { kafkaStore } from '../../infra/kafka/store.ts'
import { silentLog } from '../../infra/log.ts'
import { createMemoryLog } from '../../infra/memory/log.ts'
import { createMemoryOnlineMap } from '../../infra/memory/online-map.ts'
import { decide } from '../../processors/decide.ts'
import { startFanout } from '../../processors/fanout/fanout.ts'
import { startSequencer } from '../../processors/sequencer/sequencer.ts'
import { archiveSink } from '../../projections/archive/sink.ts'
import { liveSink } from '../../projections/live/sink.ts'
import { inNamespace } from '../../projections/namespaces/redis.ts'
import type { Sink } from '../../projections/projection.ts'
import { createReader } from '../../projections/reader.ts'
import type { Fault, LogRecord, LogStore } from '../../schemas/ports.ts'
import { sharedTopics, topics } from '../../schemas/topics.ts'
import { startTestKafka, type TestKafka } from '../support/kafka.ts'
import { startEngines } from '../support/projections/engines.ts'
import { logWriter } from '../support/projections/log-writer.ts'
import { plainModel } from '../support/projections/plain-model.ts'
import { createRandom } from '../support/random.ts'

const clock = systemClock
const logger = silentLog

let kafka: TestKafka
let engines: Awaited<ReturnType<typeof startEngines<true>>>
let store: LogStore
/** Offset of a claim in the middle, at which a truncated log looks like a whole one that begins there. */
let middle = 0
let end = 0
/** What is written after the cut. */
let more: readonly LogRecord[] = []

beforeAll(async () => {
  ;[kafka, engines] = await Promise.all([startTestKafka(), startEngines({ clickhouse: true })])
  store = kafkaStore({ brokers: kafka.brokers, clientId: 'truncated' }, logger, clock)
  const admin = await store.admin()
  await admin.ensureTopics(sharedTopics(1))
  const memory = createMemoryLog(clock)
  memory.broker.createTopic(topics.events, 1)
  const writer = logWriter(memory.broker, 1, createRandom(1), plainModel())
  for (let i = 0; i < 200; i++) writer.step()
  middle = memory.broker.range(topics.events, 0).end
  writer.claim(0)
  for (let i = 0; i < 200; i++) writer.step()
  end = memory.broker.range(topics.events, 0).end
  for (let i = 0; i < 20; i++) writer.step()
  const all = memory.broker.read(topics.events, 0, 0, 1e9)
  const records = all.slice(0, end)
  more = all.slice(end)
  const appender = await store.appender('log')
  await appender.appendBatch(topics.events, 0, records)
  await appender.close()
  await admin.close()
})
afterAll(async () => {
  await kafka?.stop()
  await engines?.stop()
})

async function cut(): Promise<void> {
  const admin = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  // Without having asked for the topic it knows none.
  await admin.fetchTopicOffsets(topics.events)
  const partitions = [{ partition: 0, offset: String(middle) }]
  await admin.deleteTopicRecords({ topic: topics.events, partitions })
  await admin.disconnect()
}

const spaces = ['behind', 'ahead', 'empty'] as const
type Space = (typeof spaces)[number]

async function liveIn(space: Space): Promise<Sink> {
  return liveSink({ redis: inNamespace(engines.redis, space), generation: 0, logger, clock })
}

async function archiveIn(space: Space): Promise<Sink> {
  const options = { url: engines.clickhouseEngine.url, database: `cut_${space}` }
  await migrateArchive(options, silentLog)
  return archiveSink({ clickhouse: createClickHouse(options), generation: 0, clock, logger, lingerMs: 10 })
}

let group = 0

/** Reads up to `until`; answers the fault that ended it instead, and how many records it had applied. */
async function read(sink: Sink, until: number): Promise<{ fault: string | null; applied: number }> {
  const { promise, resolve } = Promise.withResolvers<string | null>()
  let applied = 0
  const reader = createReader({
    ...{ clock, logger, recordsPerBatchMax: 50, bytesPerBatchMax: 1e6 },
    name: 'reader',
    sink: {
      ...sink,
      async apply(partition, records, next) {
        if (next.offset > until) return new Promise(() => resolve(null))
        applied += records.length
        const result = await sink.apply(partition, records, next)
        if (next.offset === until) resolve(null)
        return result
      },
    },
    consumer: store.consumer({ group: `reader-${++group}`, topics: [topics.events] }),
    deadLetter: async () => {},
    failed: (fault) => resolve(fault.code),
  })
  await reader.start()
  const fault = await promise
  await reader.stop()
  return { fault, applied }
}

const readers = [
  ['the live read models', liveIn],
  ['the archive', archiveIn],
] as const

test('a reader of im.events whose next record is gone stops, and none begins behind the gap', async () => {
  for (const [, sinkIn] of readers) {
    expect((await read(await sinkIn('behind'), middle - 60)).applied).toBeGreaterThan(0)
    expect((await read(await sinkIn('ahead'), end)).fault).toBe(null)
  }
  await cut()
  for (const [name, sinkIn] of readers) {
    const gone = { fault: 'events_truncated', applied: 0 }
    expect(await read(await sinkIn('empty'), end), name).toEqual(gone)
    expect(await read(await sinkIn('behind'), end), name).toEqual(gone)
  }
})

test('one that had read what is gone goes on', async () => {
  const appender = await store.appender('more')
  await appender.appendBatch(topics.events, 0, more)
  await appender.close()
  for (const [name, sinkIn] of readers) {
    const { fault, applied } = await read(await sinkIn('ahead'), end + more.length)
    expect(fault, name).toBe(null)
    expect(applied, name).toBeGreaterThan(0)
  }
})

test('neither a sequencer nor fan-out takes a partition whose beginning is gone', async () => {
  const started: { stop(): Promise<void> }[] = []
  const faultOf = (start: (failed: (fault: Fault) => void) => Promise<{ stop(): Promise<void> }>) =>
    new Promise<Fault>((resolve, reject) => {
      start(resolve).then((one) => started.push(one), reject)
    })
  const common = { store, clock, logger, name: 'test' }
  const sequencer = await faultOf((failed) => startSequencer({ ...common, generation: 0, decide, failed }))
  expect(sequencer.code).toBe('events_truncated')
  const map = createMemoryOnlineMap()
  const fanout = await faultOf((failed) => startFanout({ ...common, map, failed }))
  expect(`${fanout.code} ${fanout.message}`).toMatch(
    /^events_truncated .*begins at \d+: it must be kept for ever/,
  )
  for (const one of started) await one.stop()
})
