import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../../infra/clock.ts'
import { silentLog } from '../../../infra/log.ts'
import { createMemoryLog, type MemoryLog, type MemoryProcess } from '../../../infra/memory/log.ts'
import { archiveSink } from '../../../projections/archive/sink.ts'
import { migrations } from '../../../projections/archive/tables.ts'
import { deadLetters } from '../../../projections/dead-letters.ts'
import { liveSink } from '../../../projections/live/sink.ts'
import { createReader, type Reader } from '../../../projections/reader.ts'
import { type ReadModels, readModels } from '../../../projections/reads.ts'
import type { Item } from '../../../schemas/frames.ts'
import { hiddenItem } from '../../../schemas/item.ts'
import { topics } from '../../../schemas/topics.ts'
import { startEngines } from '../../support/projections/engines.ts'
import { type LogWriter, logWriter } from '../../support/projections/log-writer.ts'
import { type PlainModel, plainModel } from '../../support/projections/plain-model.ts'
import { createRandom } from '../../support/random.ts'

const PARTITIONS = 3
const seeds = (process.env.LONGWIRE_SEEDS ?? '1,2,3,4,5,6').split(',').map(Number)

let engines: Awaited<ReturnType<typeof startEngines<true>>>
let reads: ReadModels

beforeAll(async () => {
  engines = await startEngines({ clickhouse: true })
})
afterAll(() => engines?.stop())

interface Run {
  readonly log: MemoryLog
  readonly model: PlainModel
  readonly writer: LogWriter
  start(): Promise<void>
  /** kill -9 of the process of projections. */
  kill(): void
  caughtUp(): Promise<void>
}

const running: MemoryProcess[] = []

async function begin(seed: number): Promise<Run> {
  await engines.redis.batch([['EVAL', 'return redis.call("FLUSHALL")', 0] as never])
  for (const { statements } of migrations)
    for (const [, table] of statements.join(';').matchAll(/CREATE TABLE IF NOT EXISTS (\w+)/g))
      await engines.clickhouse.command(`TRUNCATE TABLE ${table}`)
  const random = createRandom(seed)
  const log = createMemoryLog(systemClock)
  log.broker.createTopic(topics.events, PARTITIONS)
  log.broker.createTopic(topics.deadLetters, 1)
  const model = plainModel()
  const writer = logWriter(log.broker, PARTITIONS, random, model)
  let readers: Reader[] = []
  let process: MemoryProcess | null = null
  let lives = 0
  return {
    log,
    model,
    writer,
    async start() {
      const own = log.process(`projections-${++lives}`)
      process = own
      running.push(own)
      const common = {
        clock: own.clock,
        logger: silentLog,
        deadLetter: deadLetters(await own.appender('dead-letters')),
        failed: (fault: Error) => {
          throw fault
        },
      }
      const consume = (group: string) =>
        own.consumer({ group, topics: [topics.events], sessionTimeoutMs: 200 })
      readers = [
        createReader({
          ...common,
          name: 'live',
          consumer: consume('live'),
          sink: liveSink({ redis: engines.redis, generation: 0, logger: silentLog }),
          recordsPerBatchMax: 7,
          bytesPerBatchMax: 100_000,
        }),
        createReader({
          ...common,
          name: 'archive',
          consumer: consume('archive'),
          sink: archiveSink({
            clickhouse: engines.clickhouse,
            generation: 0,
            clock: own.clock,
            logger: silentLog,
            lingerMs: 20,
          }),
          recordsPerBatchMax: 50,
          bytesPerBatchMax: 1_000_000,
        }),
      ]
      for (const reader of readers) void reader.start()
    },
    kill() {
      process?.kill()
    },
    async caughtUp() {
      const ends = () =>
        Array.from({ length: PARTITIONS }, (_, p) => log.broker.range(topics.events, p).end).reduce(
          (a, b) => a + b,
        )
      for (;;) {
        const before = readers.map((reader) => reader.stats())
        // A loss is noticed within a second; until then everything looks fine.
        await systemClock.sleep(1_200)
        const after = readers.map((reader) => reader.stats())
        const still = after.every(
          (stats, i) =>
            stats.partitions === PARTITIONS &&
            stats.beginning === 0 &&
            stats.lag === 0 &&
            stats.applied === before[i]?.applied,
        )
        if (still && ends() > 0) return
      }
    },
  }
}

beforeEach(() => {
  for (const process of running.splice(0)) process.kill()
  reads = readModels({
    redis: engines.redis,
    clickhouse: engines.clickhouse,
    partitions: PARTITIONS,
    generation: 0,
  })
})
afterAll(() => {
  for (const process of running.splice(0)) process.kill()
})

/** Everything every user can read, through pages of every kind, equals the plain model. */
async function expectEqual({ model }: Run): Promise<void> {
  for (const user of model.users()) {
    const heads = await reads.heads(user)
    expect(heads.partial).toBe(false)
    const list = await reads.conversations(user, 500)
    expect(list.partial).toBe(false)
    const readable = model.streams().filter((stream) => model.visible(user, stream)?.size)
    expect(new Set(heads.heads.map(({ conversationId }) => conversationId))).toEqual(new Set(readable))
    const listed = readable.filter((stream) => !stream.startsWith('u:'))
    expect(new Set(list.conversations.map(({ conversationId }) => conversationId))).toEqual(new Set(listed))
    for (const stream of readable) {
      const visible = model.visible(user, stream) as Set<number>
      const seqs = [...visible].sort((a, b) => a - b)
      const [from, to] = [seqs[0] as number, seqs.at(-1) as number]
      const expected: Item[] = []
      for (let seq = from; seq <= to; seq++)
        expected.push(visible.has(seq) ? (model.items(stream)[seq - 1] as Item) : hiddenItem(stream, seq))
      expect(await walk(user, stream, 'down')).toEqual(expected)
      expect(await walk(user, stream, 'up')).toEqual(expected)
      const head = heads.heads.find(({ conversationId }) => conversationId === stream)
      expect(head).toMatchObject({ seq: to, fromSeq: from })
      const entry = list.conversations.find(({ conversationId }) => conversationId === stream)
      if (!entry) continue
      expect({ stream, user, unread: entry.unread }).toEqual({
        stream,
        user,
        unread: model.unread(user, stream),
      })
      expect(entry.name).toBe(model.name(stream))
      if (entry.kind === 'group') expect(entry.memberCount).toBe(model.members(stream))
      const newest = expected.slice(-100).findLast(({ kind }) => kind === 'message') ?? null
      if (head?.toSeq === null && expected.length < 200) expect(entry.preview).toEqual(newest)
    }
    for (const stream of model.streams())
      if (!model.visible(user, stream))
        expect(await reads.history(user, stream, {})).toEqual({ code: 'not_member' })
  }
}

async function walk(user: string, stream: string, way: 'up' | 'down'): Promise<Item[]> {
  let items: Item[] = []
  for (;;) {
    const ask = way === 'up' ? { after: items.at(-1)?.seq ?? 0 } : { before: items[0]?.seq ?? null }
    const page = await reads.history(user, stream, { ...ask, limit: 37 })
    if (page.code !== null) throw new Error(page.code)
    expect({ partial: page.partial }).toEqual({ partial: false })
    items = way === 'up' ? [...items, ...page.items] : [...page.items, ...items]
    if (!page.more) return items
    expect(page.items.length).toBeGreaterThan(0)
  }
}

describe.each(seeds)('over a random log (seed %i)', (seed) => {
  test('the read models equal a plain model, whatever is killed, doubled or emptied', async () => {
    const run = await begin(seed)
    const random = createRandom(seed + 1_000)
    await run.start()
    for (let i = 0; i < 2_000; i++) {
      run.writer.step()
      if (random.chance(0.02)) await systemClock.sleep(random.int(30))
      if (random.chance(0.003)) {
        run.kill()
        await run.start()
      }
      if (random.chance(0.002))
        await engines.redis.batch([['EVAL', 'return redis.call("FLUSHALL")', 0] as never])
    }
    await run.caughtUp()
    await expectEqual(run)
    // The run must have reached below the timeline's 200 newest, or it proves little.
    const longest = Math.max(...run.model.streams().map((stream) => run.model.items(stream).length))
    expect(longest).toBeGreaterThan(220)
    const letters = run.log.broker.range(topics.deadLetters, 0).end
    expect(letters).toBeGreaterThan(0)
  })
})
