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
import type { Conversation, Item, Reaction } from '../../../schemas/frames.ts'
import { hiddenItem } from '../../../schemas/item.ts'
import { topics } from '../../../schemas/topics.ts'
import { T0 } from '../../support/commands.ts'
import { startEngines } from '../../support/projections/engines.ts'
import { type LogWriter, logWriter } from '../../support/projections/log-writer.ts'
import { type PlainModel, plainModel } from '../../support/projections/plain-model.ts'
import { createRandom } from '../../support/random.ts'

const PARTITIONS = 3
const seeds = (process.env.LONGWIRE_SEEDS ?? '1,2,3,4,5,6').split(',').map(Number)

/** Kinds of items without which a run proves little. */
const EVERY_RUN: Item['kind'][] = [
  'message',
  'edited',
  'recalled',
  'reacted',
  'pinned',
  'added',
  'removed',
  'joinRequested',
  'joinAnswered',
  'roleSet',
  'muted',
  'groupSet',
  'observing',
  'friendRequested',
  'friendAnswered',
  'blocked',
  'read',
  'setting',
  'profile',
  'hidden',
]

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
          sink: liveSink({ redis: engines.redis, generation: 0, logger: silentLog, clock: systemClock }),
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
  const models = readModels({
    redis: engines.redis,
    clickhouse: engines.clickhouse,
    partitions: PARTITIONS,
    generation: 0,
    // When the log was written, so that who was muted then still is.
    clock: { ...systemClock, now: () => T0 },
  })
  // With the right to observe, whoever it is.
  reads = { ...models, ...models.observing }
})
afterAll(() => {
  for (const process of running.splice(0)) process.kill()
})

/** Everything every user can read, through pages of every kind, equals the plain model. */
async function expectEqual({ model }: Run): Promise<void> {
  for (const user of model.users()) {
    const heads = await reads.heads(user)
    expect(heads.partial).toBe(false)
    const readable = model.streams().filter((stream) => model.visible(user, stream)?.size)
    expect(new Set(heads.heads.map(({ conversationId }) => conversationId))).toEqual(new Set(readable))
    for (const stream of readable) {
      const visible = model.visible(user, stream) as Set<number>
      const seqs = [...visible].sort((a, b) => a - b)
      const [from, to] = [seqs[0] as number, seqs.at(-1) as number]
      const expected: Item[] = []
      for (let seq = from; seq <= to; seq++)
        expected.push(visible.has(seq) ? model.itemFor(user, stream, seq) : hiddenItem(stream, seq))
      const down = await walk(user, stream, 'down')
      expect(down.items).toEqual(expected)
      expect(byText(down.reactions)).toEqual(byText(model.reactions(user, stream)))
      expect((await walk(user, stream, 'up')).items).toEqual(expected)
      const head = heads.heads.find(({ conversationId }) => conversationId === stream)
      expect(head).toMatchObject({ seq: to, fromSeq: from })
      await expectReaders(model, user, stream, expected)
    }
    await expectList(model, user)
    await expectPeople(model, user)
    for (const stream of model.streams()) {
      if (stream.startsWith('g:')) await expectGroup(model, user, stream)
      if (!model.visible(user, stream))
        expect(await reads.history(user, stream, {})).toEqual({ code: 'not_member' })
    }
  }
}

const byText = (all: readonly object[]): string[] => all.map((one) => JSON.stringify(one)).sort()

async function expectList(model: PlainModel, user: string): Promise<void> {
  const listed: Conversation[] = []
  for (let before: string | null = null; ; ) {
    const page = await reads.conversations(user, { limit: 3, before })
    expect(page.partial).toBe(false)
    listed.push(...page.conversations)
    before = page.next
    if (before === null) break
    expect(page.conversations).toHaveLength(3)
  }
  const plain = model.list(user)
  expect(listed.map(({ conversationId }) => conversationId)).toEqual(
    plain.map(({ conversationId }) => conversationId),
  )
  for (const [i, entry] of plain.entries()) {
    expect({ user, ...listed[i] }).toMatchObject({ user, ...entry })
    const items = model.items(entry.conversationId)
    const newest = items.findLast(({ kind }) => kind === 'message') ?? null
    const isMember = model.members(entry.conversationId).some(({ userId }) => userId === user)
    if (isMember && newest && model.visible(user, entry.conversationId)?.has(newest.seq))
      expect(listed[i]?.preview).toEqual(newest)
  }
}

async function expectPeople(model: PlainModel, user: string): Promise<void> {
  const relations = await reads.relations(user)
  expect(relations).toEqual({ partial: false, relations: model.people.relations(user) })
  const settings = await reads.settings(user)
  expect(new Map(settings.settings.map(({ key, value }) => [key, value]))).toEqual(
    model.people.settings(user),
  )
  const everyone = model.users()
  const profiles = await reads.profiles(everyone)
  expect(profiles.profiles).toEqual(everyone.map((one) => model.people.profile(one)))
}

async function expectGroup(model: PlainModel, user: string, stream: string): Promise<void> {
  const answer = await reads.group(user, stream)
  if (answer.code !== null) throw new Error(answer.code)
  expect(answer).toMatchObject({ partial: false, group: { conversationId: stream, large: false } })
  const { requests, ...plain } = model.group(user, stream)
  expect(answer.group).toMatchObject(plain)
  expect(answer.group.requests.map(({ userId, note }) => ({ userId, note }))).toEqual(requests)
  const members: object[] = []
  for (let after: string | null = null; ; ) {
    const page = await reads.members(user, stream, { limit: 2, after })
    if (plain.role === null && page.code !== null) return
    if (page.code !== null) throw new Error(page.code)
    members.push(...page.members)
    after = page.next
    if (after === null) break
  }
  expect(members).toEqual(model.members(stream))
}

async function expectReaders(
  model: PlainModel,
  user: string,
  stream: string,
  items: readonly Item[],
): Promise<void> {
  if (stream.startsWith('u:')) return
  const messages = items.filter(({ kind }) => kind === 'message')
  for (const { seq } of [...messages.slice(0, 1), ...messages.slice(-3)]) {
    const readers: string[] = []
    for (let after: string | null = null; ; ) {
      const page = await reads.readers(user, stream, { seq, after, limit: 1 })
      const inside = stream.startsWith('g:')
        ? model.group(user, stream).role !== null
        : stream.split(':').includes(user)
      if (!inside) {
        expect(page).toEqual({ code: 'not_member' })
        return
      }
      if (page.code !== null) throw new Error(page.code)
      expect(page.partial).toBe(false)
      readers.push(...page.readers)
      after = page.next
      if (after === null) {
        expect(page.count).toBe(readers.length)
        break
      }
    }
    expect(readers).toEqual(model.readers(stream, seq))
  }
}

async function walk(user: string, stream: string, way: 'up' | 'down') {
  let items: Item[] = []
  const reactions: Reaction[] = []
  for (;;) {
    const ask = way === 'up' ? { after: items.at(-1)?.seq ?? 0 } : { before: items[0]?.seq ?? null }
    const page = await reads.history(user, stream, { ...ask, limit: 37 })
    if (page.code !== null) throw new Error(page.code)
    expect({ partial: page.partial }).toEqual({ partial: false })
    items = way === 'up' ? [...items, ...page.items] : [...page.items, ...items]
    reactions.push(...page.reactions)
    if (!page.more) return { items, reactions }
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
    const kinds = new Set(
      run.model.streams().flatMap((stream) => run.model.items(stream).map(({ kind }) => kind)),
    )
    expect([...kinds].sort()).toEqual(expect.arrayContaining(EVERY_RUN))
    const letters = run.log.broker.range(topics.deadLetters, 0).end
    expect(letters).toBeGreaterThan(0)
  })
})
