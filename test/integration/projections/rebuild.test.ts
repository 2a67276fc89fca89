import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../../infra/clock.ts'
import { silentLog } from '../../../infra/log.ts'
import { createMemoryLog } from '../../../infra/memory/log.ts'
import { keys } from '../../../projections/keys.ts'
import { liveSink } from '../../../projections/live/sink.ts'
import { inNamespace } from '../../../projections/namespaces/redis.ts'
import { openRegistry } from '../../../projections/namespaces/writer.ts'
import type { Accepted } from '../../../projections/projection.ts'
import { compareLive } from '../../../projections/replay/compare-live.ts'
import { buildAside, buildNamespace, dropNamespace, switchTo } from '../../../projections/replay/replay.ts'
import { comparedIn, differencesIn } from '../../../projections/replay/report.ts'
import type { Stage } from '../../../projections/replay/stage.ts'
import { timeline } from '../../../projections/timeline/project.ts'
import { type Position, START } from '../../../schemas/accept.ts'
import { readRecord } from '../../../schemas/read.ts'
import { topics } from '../../../schemas/topics.ts'
import { startEngines } from '../../support/projections/engines.ts'
import { logWriter } from '../../support/projections/log-writer.ts'
import { plainModel } from '../../support/projections/plain-model.ts'
import { PARTITIONS, replayPlatform } from '../../support/projections/replay-platform.ts'
import { createRandom } from '../../support/random.ts'

const clock = systemClock
const logger = silentLog

let engines: Awaited<ReturnType<typeof startEngines<true>>>

beforeAll(async () => {
  engines = await startEngines({ clickhouse: true })
})
afterAll(() => engines?.stop())

let stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops) await stop()
  stops = []
})

async function platform(projection: 'live' | 'archive', seed = 1) {
  const on = await replayPlatform(engines, projection, seed)
  stops.push(on.stop)
  return on
}

const compare = (stage: Stage, other: string, active = '') => stage.compare(active, other, () => {})

describe.each(['live', 'archive'] as const)('a rebuild of %s', (projection) => {
  test('is equal to what is read, is kept up, switched to, back from, and dropped; and writes to no topic but the registry', async () => {
    const on = await platform(projection)
    const { context, stage, follower } = on
    await on.settled()
    const { namespace, result } = await buildNamespace(context)
    expect(result?.applied).toBeGreaterThan(500)
    const comparison = await compare(stage, namespace)
    expect(comparison.examples).toEqual([])
    expect(comparedIn(comparison)).toBeGreaterThan(100)
    await switchTo(context, namespace)
    expect(follower.of(projection).active).toBe(namespace)
    for (let i = 0; i < 100; i++) on.writer.step()
    await on.settled()
    expect((await compare(stage, '', namespace)).examples).toEqual([])
    await expect(dropNamespace(context, namespace)).rejects.toThrow('it is the one that is read')
    await switchTo(context, '')
    await dropNamespace(context, namespace)
    expect(follower.of(projection).namespaces.map(({ name }) => name)).toEqual([''])
    if (projection === 'live') expect(await stage.positions(namespace)).toEqual(new Map())
    else await expect(stage.positions(namespace)).rejects.toThrow()
    expect([...on.appended]).toEqual([topics.projections])
  }, 60_000)

  test('that was interrupted goes on where it was', async () => {
    const on = await platform(projection, 2)
    await on.settled()
    const abort = new AbortController()
    const interrupted = buildNamespace({
      ...on.context,
      signal: abort.signal,
      onProgress: ({ done }) => done > 0 && abort.abort(),
    })
    await expect(interrupted).rejects.toMatchObject({ code: 'aborted' })
    const [begun] = on.follower.of(projection).namespaces.filter(({ name }) => name !== '')
    const { namespace } = await buildNamespace(on.context)
    expect(namespace).toBe(begun?.name)
    expect((await compare(on.stage, namespace)).examples).toEqual([])
  }, 60_000)
})

describe('a comparison', () => {
  test('finds each planted difference in Redis, by kind of key', async () => {
    const on = await platform('live', 3)
    await on.settled()
    const { namespace } = await buildNamespace(on.context)
    const other = inNamespace(engines.redis, namespace)
    await other.batch([
      ['HSET', keys.head('p2p:ann:bob'), 'seq', 99_999],
      ['SADD', keys.conversations('ann'), 'g:planted'],
      ['HSET', keys.profile('nobody'), 'name', '1;planted'],
    ])
    const found = await compareLive({
      ...{ redis: engines.redis, active: '', other: namespace, clock, looksMax: 2, lookEveryMs: 10 },
    })
    expect(found.examples.map(({ kind }) => kind).sort()).toEqual(['convs', 'head', 'prof'])
    expect(found.examples.find(({ kind }) => kind === 'prof')).toMatchObject({
      inActive: '',
      inOther: 'name = 1;planted',
    })
  }, 60_000)

  test('with a shadow finds what another version of a projection does otherwise, and only that', async () => {
    const on = await platform('live', 4)
    await on.settled()
    const louder = {
      project: (...args: Parameters<typeof timeline.project>) =>
        timeline
          .project(...args)
          .map((write) => ({ ...write, element: write.element.replace('你好', '您好') })),
    }
    const { namespace, comparison } = await buildAside(on.context, {
      ...{ note: 'a shadow', replaced: { timeline: louder }, compare() {} },
    })
    expect(comparison && differencesIn(comparison)).toBeGreaterThan(0)
    expect(new Set(comparison?.examples.map(({ kind }) => kind))).toEqual(new Set(['tl']))
    await expect(switchTo(on.context, namespace)).rejects.toMatchObject({ code: 'no_namespace' })
  }, 60_000)
})

test('a second replay of a projection is refused while the first is at work, and not after it', async () => {
  const on = await platform('live', 5)
  const second = await openRegistry({ store: on.store, follower: on.follower, clock, by: 'second' })
  await expect(second.lease('live', 'a replay')).rejects.toMatchObject({ code: 'leased' })
  await on.lease.release()
  const lease = await second.lease('live', 'a replay')
  expect(() => on.lease.check()).toThrow('taken live over')
  await lease.release()
  await second.close()
}, 60_000)

test('a part of the log holds that part only', async () => {
  const on = await platform('live', 6)
  const window = { from: { by: 'offset', offset: 100 }, until: { by: 'offset', offset: 200 } } as const
  const { result } = await buildAside(on.context, { note: 'a part', window })
  expect(result.applied).toBeGreaterThan(0)
  expect(result.applied).toBeLessThanOrEqual(200)
}, 60_000)

test('replay = live at every cut, however live was cut into batches and its partitions ran ahead of each other', async () => {
  await engines.redis.batch([['EVAL', 'return redis.call("FLUSHALL")', 0] as never])
  const random = createRandom(7)
  const log = createMemoryLog(clock)
  log.broker.createTopic(topics.events, PARTITIONS)
  const writer = logWriter(log.broker, PARTITIONS, random, plainModel())
  for (let i = 0; i < 900; i++) writer.step()
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) =>
    acceptedOf(log.broker.read(topics.events, partition, 0, 1e9), partition),
  )
  const done = partitions.map(() => 0)
  const next: Position = { ...START, offset: 1e6 }
  const sinkOf = async (namespace: string) => {
    const sink = liveSink({ redis: inNamespace(engines.redis, namespace), generation: 0, logger, clock })
    for (const partition of partitions.keys()) await sink.begin(partition, { begin: 0, end: 0 }, true)
    return sink
  }
  const live = await sinkOf('')
  for (let cut = 0; done.some((at, i) => at < (partitions[i]?.length ?? 0)); cut++) {
    for (let batches = 0; batches < 4; batches++) {
      const partition = random.int(PARTITIONS)
      const records = (partitions[partition] ?? []).slice(
        done[partition],
        (done[partition] ?? 0) + 1 + random.int(30),
      )
      await live.apply(partition, records, next)
      done[partition] = (done[partition] ?? 0) + records.length
    }
    const replayed = await sinkOf(`cut${cut}`)
    for (const [partition, records] of partitions.entries())
      await replayed.apply(partition, records.slice(0, done[partition]), next)
    const found = await compareLive({
      redis: engines.redis,
      active: '',
      other: `cut${cut}`,
      clock,
      looksMax: 1,
    })
    expect(found.examples, `after ${done.join(' and ')} records`).toEqual([])
  }
}, 60_000)

function acceptedOf(records: readonly Parameters<typeof readRecord>[1][], partition: number): Accepted[] {
  const found: Accepted[] = []
  let at: Position = START
  for (const record of records) {
    const read = readRecord(at, record)
    at = read.next
    if (read.verdict === 'accept' && read.envelope)
      found.push({ partition, offset: record.offset, envelope: read.envelope, payload: read.payload })
  }
  return found
}
