import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../../infra/clock.ts'
import { silentLog } from '../../../infra/log.ts'
import { createMemoryLog } from '../../../infra/memory/log.ts'
import { inBatches } from '../../../projections/batches.ts'
import { callsFor } from '../../../projections/live/calls.ts'
import { liveSink } from '../../../projections/live/sink.ts'
import type { RedisCall } from '../../../projections/ports.ts'
import type { Accepted } from '../../../projections/projection.ts'
import { KEEP_ALL } from '../../../projections/reads/policy.ts'
import { contentsOf } from '../../../projections/replay/contents.ts'
import type { Contents } from '../../../projections/replay/normal.ts'
import { type Position, START } from '../../../schemas/accept.ts'
import { readRecord } from '../../../schemas/read.ts'
import { topics } from '../../../schemas/topics.ts'
import { startEngines } from '../../support/projections/engines.ts'
import { logWriter } from '../../support/projections/log-writer.ts'
import { plainModel } from '../../support/projections/plain-model.ts'
import { createRandom } from '../../support/random.ts'

let engines: Awaited<ReturnType<typeof startEngines<false>>>

beforeAll(async () => {
  engines = await startEngines({ clickhouse: false })
})
afterAll(() => engines?.stop())

const flush = () => engines.redis.batch([['EVAL', 'return redis.call("FLUSHALL")', 0] as never])

/** Accepted records of one partition, in order, with the position behind them. */
function randomLog(seed: number): { records: Accepted[]; next: Position } {
  const log = createMemoryLog(systemClock)
  log.broker.createTopic(topics.events, 1)
  const writer = logWriter(log.broker, 1, createRandom(seed), plainModel())
  for (let i = 0; i < 900; i++) writer.step()
  const records: Accepted[] = []
  let next: Position = START
  for (const record of log.broker.read(topics.events, 0, 0, 1e9)) {
    const read = readRecord(next, record)
    next = read.next
    if (read.verdict === 'accept' && read.envelope)
      records.push({ partition: 0, offset: record.offset, envelope: read.envelope, payload: read.payload })
  }
  return { records, next }
}

async function apply(records: readonly Accepted[], next: Position): Promise<void> {
  const sink = liveSink({ redis: engines.redis, generation: 0, logger: silentLog, clock: systemClock })
  await sink.begin(0, { begin: 0, end: next.offset }, true)
  for (let at = 0; at < records.length; at += 100)
    expect(await sink.apply(0, records.slice(at, at + 100), next)).toBe('applied')
}

/** Everything that the projections keep. */
async function everything(): Promise<Map<string, Contents>> {
  const names: string[] = []
  for await (const found of engines.redis.keysLike('lw:*'))
    names.push(...found.filter((name) => !/^lw:(pos|own):/.test(name)))
  const contents = await contentsOf(engines.redis, names)
  return new Map(names.map((name, i) => [name, contents[i] as Contents]))
}

describe.each([1, 2, 3])('over a random log (seed %i)', (seed) => {
  test('a rebuild over what is there changes nothing', async () => {
    const { records, next } = randomLog(seed)
    await flush()
    await apply(records, next)
    const once = await everything()
    expect(once.size).toBeGreaterThan(60)
    await apply(records, next)
    expect(await everything()).toEqual(once)
  })

  test('a record that comes late once more changes nothing, whichever it is', async () => {
    const { records, next } = randomLog(seed)
    await flush()
    await apply(records, next)
    const once = await everything()
    const random = createRandom(seed)
    for (let i = 0; i < 300; i++) {
      const { first, then } = callsFor([random.pick(records)], { force: false, policies: KEEP_ALL, now: 0 })
      await inBatches(engines.redis, [...first, ...then])
    }
    expect(await everything()).toEqual(once)
  })

  test('a rebuild brings back what nodes have lost: everything, or the newest of their writes', async () => {
    const { records, next } = randomLog(seed)
    await flush()
    await apply(records, next)
    const once = await everything()
    await flush()
    const random = createRandom(seed)
    const cuts = new Map<string, number>()
    const cutOf = (call: RedisCall): number => {
      const tag = /\{.*?\}/.exec('script' in call ? (call.keys[0] ?? '') : call[1])?.[0] ?? ''
      if (!cuts.has(tag)) cuts.set(tag, random.chance(0.5) ? random.int(records.length) : records.length)
      return cuts.get(tag) as number
    }
    for (const [at, record] of records.entries()) {
      const { first, then } = callsFor([record], { force: false, policies: KEEP_ALL, now: 0 })
      await inBatches(
        engines.redis,
        [...first, ...then].filter((call) => at < cutOf(call)),
      )
    }
    expect(await everything()).not.toEqual(once)
    await apply(records, next)
    expect(await everything()).toEqual(once)
  })
})
