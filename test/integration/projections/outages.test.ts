import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClickHouse } from '../../../infra/clickhouse/client.ts'
import { systemClock } from '../../../infra/clock.ts'
import { silentLog } from '../../../infra/log.ts'
import { archiveSink } from '../../../projections/archive/sink.ts'
import { keys } from '../../../projections/keys.ts'
import { liveSink } from '../../../projections/live/sink.ts'
import type { ArchivePort } from '../../../projections/ports.ts'
import type { Accepted, Sink } from '../../../projections/projection.ts'
import { type ReadModels, readModels } from '../../../projections/reads.ts'
import type { Position } from '../../../schemas/accept.ts'
import { formatPackId } from '../../../schemas/ids.ts'
import { Fault } from '../../../schemas/ports.ts'
import { INSERTS, refusalCodes, refusalOf } from '../../support/clickhouse-refusals.ts'
import { packId, T0 } from '../../support/commands.ts'
import { accepted, target } from '../../support/projections/accepted.ts'
import { startEngines } from '../../support/projections/engines.ts'
import { startTcpProxy } from '../../support/tcp-proxy.ts'

const stream = 'p2p:ann:bob'
const LAST = 260
let engines: Awaited<ReturnType<typeof startEngines<true>>>
let reads: ReadModels
let live: Sink
let archive: Sink & { close(): void }
let offset = 0

const positionAt = (next: number): Position => ({ generation: 0, offset: next, epoch: 0, last: next - 2 })
const ranged = { begin: 0, end: 1_000_000 }

/** Gives each record the next offset and applies them to the sinks named. */
async function put(records: readonly Accepted[], sinks: readonly Sink[]): Promise<void> {
  const placed = records.map((record): Accepted => {
    offset++
    return { ...record, offset, envelope: { ...record.envelope, source: offset - 1 } }
  })
  for (const sink of sinks) expect(await sink.apply(0, placed, positionAt(offset + 1))).toBe('applied')
  await live.tick()
}

const archiveOn = (clickhouse: ArchivePort) =>
  archiveSink({ clickhouse, generation: 0, clock: systemClock, logger: silentLog, lingerMs: 10 })

beforeAll(async () => {
  engines = await startEngines({ clickhouse: true })
  live = liveSink({ redis: engines.redis, generation: 0, logger: silentLog, clock: systemClock })
  await live.begin(0, { begin: 0, end: 0 }, false)
  archive = archiveOn(engines.clickhouse)
  const { redis, clickhouse } = engines
  reads = readModels({ redis, clickhouse, partitions: 1, generation: 0, clock: systemClock })
  const messages = Array.from({ length: LAST }, (_, i) => accepted({ stream, seq: i + 1 }, 'MessageSent'))
  await put(messages, [live, archive])
  await put(
    [accepted({ stream: 'g:1', seq: 1, ordinal: 0 }, 'GroupCreated', { members: ['ann'] })],
    [live, archive],
  )
})
afterAll(async () => {
  archive?.close()
  await engines?.stop()
})

describe('the archive', () => {
  test('gives back the bytes of the log, with a hash that others can compute', async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
    const record = accepted({ stream: 'g:2', seq: 1, ordinal: 0 }, 'GroupCreated')
    await put([{ ...record, payload: null, envelope: { ...record.envelope, payload: bytes } }], [archive])
    const [row] = await engines.clickhouse.query<{ bytes: string; hash: string }>(
      "SELECT base64Encode(payload) AS bytes, toString(record_hash) AS hash FROM events WHERE stream = 'g:2'",
    )
    expect(Buffer.from(row?.bytes ?? '', 'base64').equals(bytes)).toBe(true)
    const hash = createHash('sha256').update('g:2 1 ').update(bytes).digest()
    expect(row?.hash).toBe(String(hash.readBigUInt64LE(0)))
  })

  test('holds an insert with a lost answer once, and goes on at the position its rows stand for', async () => {
    let lost = 0
    const flaky: ArchivePort = {
      query: (sql, params) => engines.clickhouse.query(sql, params),
      async insert(table, rows, options) {
        await engines.clickhouse.insert(table, rows, options)
        if (lost++ < 5) throw new Fault('clickhouse_unreachable', 'the answer was lost', { retriable: true })
      },
    }
    const sink = archiveOn(flaky)
    const records = [1, 2, 3].map((seq) => accepted({ stream: 'g:3', seq, ordinal: seq }, 'MessageSent'))
    await put(records, [sink])
    expect(lost).toBeGreaterThan(5)
    const [row] = await engines.clickhouse.query<{ n: string | number }>(
      "SELECT count() AS n FROM events WHERE stream = 'g:3'",
    )
    expect(Number(row?.n)).toBe(3)
    expect(await archiveOn(engines.clickhouse).begin(0, ranged, false)).toEqual(positionAt(offset + 1))
  })

  test.each(refusalCodes)(
    'waits while inserts are refused with code %i, and then has all of it once',
    async (code) => {
      const proxy = await startTcpProxy(Number(new URL(engines.clickhouseEngine.url).port))
      const clickhouse = createClickHouse({ url: `http://127.0.0.1:${proxy.port}`, database: 'longwire' })
      const sink = archiveOn(clickhouse)
      try {
        const name = `g:refused-${code}`
        const records = [1, 2, 3].map((seq) => accepted({ stream: name, seq, ordinal: seq }, 'MessageSent'))
        proxy.answerFor(INSERTS, refusalOf(code))
        const done = put(records, [sink])
        while (proxy.answered() < 3) await systemClock.sleep(50)
        const rows = async (table: string, column: string) =>
          Number(
            (
              await clickhouse.query<{ n: string }>(
                `SELECT toString(count()) AS n FROM ${table} WHERE ${column} = {name:String}`,
                { name },
              )
            )[0]?.n,
          )
        expect(await rows('events', 'stream')).toBe(0)
        proxy.answerFor(INSERTS, null)
        await done
        expect(await rows('events', 'stream')).toBe(3)
        expect(await rows('messages', 'conversation')).toBe(3)
        expect(await sink.begin(0, ranged, false)).toEqual(positionAt(offset + 1))
      } finally {
        sink.close()
        await clickhouse.close()
        await proxy.close()
      }
    },
  )

  test('starts from 0 when its position lies beyond the log, and goes on behind an older generation of the same log', async () => {
    expect((await archive.begin(0, { begin: 0, end: 3 }, false)).offset).toBe(0)
    const { offset } = await archive.begin(0, ranged, false)
    const ofGeneration = (generation: number) =>
      archiveSink({ clickhouse: engines.clickhouse, generation, clock: systemClock, logger: silentLog })
    const later = ofGeneration(1)
    expect(await later.begin(0, ranged, false)).toEqual(positionAt(offset))
    // What its reader asks for where the log turns out to be another one.
    expect((await later.begin(0, ranged, true)).offset).toBe(0)
  })
})

describe('reads', () => {
  test('join timeline and archive without a seam', async () => {
    const page = await reads.history('ann', stream, { before: 80, limit: 40 })
    if (page.code !== null) throw new Error(page.code)
    expect(page).toMatchObject({ partial: false, more: true, fromSeq: 1, toSeq: LAST })
    expect(page.items.map(({ seq }) => seq)).toEqual(Array.from({ length: 40 }, (_, i) => 40 + i))
    expect(new Set(page.items.map(({ kind }) => kind))).toEqual(new Set(['message']))
  })

  test('refuse who is no member, and answer a stream without events as empty', async () => {
    expect(await reads.history('eve', stream, {})).toEqual({ code: 'not_member' })
    expect(await reads.history('bob', 'g:1', {})).toEqual({ code: 'not_member' })
    expect(await reads.history('ann', 'nonsense', {})).toEqual({ code: 'not_member' })
    const empty = await reads.history('ann', 'p2p:ann:zoe', {})
    expect(empty).toEqual({
      code: null,
      partial: false,
      fromSeq: 1,
      toSeq: 0,
      more: false,
      items: [],
      reactions: [],
    })
  })

  test('find a command by its packId in the timeline and below it, and say none only when sure', async () => {
    for (const seq of [5, LAST]) {
      const id = formatPackId(packId(T0 + seq, seq))
      const expected = { partial: false, found: { seq, ordinal: seq, time: T0 + seq } }
      expect(await reads.lookup('ann', stream, id)).toEqual(expected)
      expect(await reads.lookup('bob', stream, id)).toEqual({ partial: false, found: null })
    }
    expect(await reads.lookup('ann', 'g:new', formatPackId(packId(T0, 1)))).toEqual({
      partial: false,
      found: null,
    })
  })

  test('never show the text of a recalled message, even before the archive knows of the recall', async () => {
    await put(
      [accepted({ stream, seq: LAST + 1, ordinal: LAST }, 'MessageRecalled', { target: target(3) })],
      [live],
    )
    const page = await reads.history('bob', stream, { before: 6, limit: 5 })
    if (page.code !== null) throw new Error(page.code)
    expect(page.items[2]).toMatchObject({ seq: 3, kind: 'message', content: null, targetSeq: LAST + 1 })
    const missed = await reads.sync('bob', stream, { ranges: [{ from: 1, to: 5 }], changesUpTo: LAST })
    expect(missed).toMatchObject({ code: null, partial: false, reset: false, changesUpTo: LAST + 1 })
    expect(missed.code === null && missed.changes).toMatchObject([{ kind: 'recalled', targetSeq: 3 }])
    const elsewhere = await reads.sync('bob', stream, { ranges: [{ from: 9, to: 50 }], changesUpTo: 0 })
    expect(elsewhere).toMatchObject({ changes: [], changesUpTo: LAST + 1 })
  })

  test('say partial while the timeline trails behind a head, and never show the gap as the end', async () => {
    const { createRedisOnlineMap } = await import('../../../infra/redis/online-map.ts')
    const ahead = { stream, seq: LAST + 3, ordinal: LAST + 2, time: T0 + LAST + 3 }
    await createRedisOnlineMap(engines.redis).writeHeads([ahead], [])
    const newest = await reads.history('bob', stream, { limit: 5 })
    expect(newest).toMatchObject({ code: null, partial: true, toSeq: LAST + 3, more: true })
    const onwards = await reads.history('bob', stream, { after: LAST, limit: 5 })
    expect(onwards).toMatchObject({ code: null, partial: true, more: true, items: [{ seq: LAST + 1 }] })
    const rest = [LAST + 2, LAST + 3].map((seq) => accepted({ stream, seq, ordinal: seq - 1 }, 'MessageSent'))
    await put(rest, [live])
    expect(await reads.history('bob', stream, { limit: 5 })).toMatchObject({ code: null, partial: false })
  })
})

describe('a directory that is not whole', () => {
  test('refuses nobody for good while it trails behind a head', async () => {
    const { createRedisOnlineMap } = await import('../../../infra/redis/online-map.ts')
    await put(
      [accepted({ stream: 'g:4', seq: 1, ordinal: 0 }, 'GroupCreated', { members: ['ann', 'zed'] })],
      [live, archive],
    )
    await put(
      [accepted({ stream: 'g:4', seq: 2, ordinal: 0 }, 'MembersRemoved', { members: ['zed'] })],
      [live, archive],
    )
    expect(await reads.history('kim', 'g:4', {})).toEqual({ code: 'not_member' })
    expect(await reads.history('zed', 'g:4', {})).toMatchObject({ partial: false, toSeq: 2 })
    const ahead = { stream: 'g:4', seq: 3, ordinal: 0, time: T0 }
    await createRedisOnlineMap(engines.redis).writeHeads([ahead], [])
    await expect(reads.history('kim', 'g:4', {})).rejects.toMatchObject({ code: 'unavailable' })
    await expect(reads.sync('kim', 'g:4', { ranges: [], changesUpTo: 0 })).rejects.toMatchObject({
      code: 'unavailable',
    })
    expect(await reads.history('zed', 'g:4', {})).toMatchObject({ partial: true })
    expect((await reads.heads('zed')).partial).toBe(true)
    await put(
      [accepted({ stream: 'g:4', seq: 3, ordinal: 0 }, 'MembersAdded', { members: ['kim', 'zed'] })],
      [live, archive],
    )
    expect(await reads.history('kim', 'g:4', {})).toMatchObject({ partial: false, fromSeq: 3, toSeq: 3 })
    expect((await reads.heads('zed')).partial).toBe(false)
  })

  test('is not made whole by a rebuild that ends between the read and the question', async () => {
    const redis: typeof engines.redis = {
      ...engines.redis,
      async batch(calls) {
        const replies = await engines.redis.batch(calls)
        if (calls.some((call) => Array.isArray(call) && call[0] === 'HMGET')) {
          const [positions] = await engines.redis.batch([['HGET', keys.positions(), '0']])
          const [position, end] = String(positions).split(';')
          await engines.redis.batch([['HSET', keys.positions(), '0', `${position};${end};other`]])
        }
        return replies
      },
    }
    const [was] = await engines.redis.batch([['HGET', keys.positions(), '0']])
    const during = readModels({ ...engines, redis, partitions: 1, generation: 0, clock: systemClock })
    expect(await during.history('ann', stream, { limit: 5 })).toMatchObject({ partial: true })
    await engines.redis.batch([['HSET', keys.positions(), '0', String(was)]])
    expect(await reads.history('ann', stream, { limit: 5 })).toMatchObject({ partial: false })
  })
})

describe('with a store down', () => {
  test('ClickHouse: the newest page answers, an older one is unavailable, and what waited arrives', async () => {
    // With no page held from earlier reads.
    const cold = readModels({ ...engines, partitions: 1, generation: 0, clock: systemClock })
    engines.clickhouseEngine.pause()
    const newest = await cold.history('bob', stream, { limit: 30 })
    expect(newest).toMatchObject({ code: null, partial: false })
    const over = await cold.history('bob', stream, { before: 80, limit: 40 })
    expect(over).toMatchObject({ code: null, partial: true, more: true })
    await expect(cold.history('bob', stream, { before: 20, limit: 10 })).rejects.toMatchObject({
      code: 'unavailable',
    })
    expect((await cold.conversations('bob', {})).conversations).toHaveLength(1)
    engines.clickhouseEngine.resume()
    const fresh = readModels({ ...engines, partitions: 1, generation: 0, clock: systemClock })
    expect(await fresh.history('bob', stream, { before: 20, limit: 10 })).toMatchObject({ partial: false })
  })

  test('Redis: history comes from the archive and says partial, lists are unavailable', async () => {
    engines.redisEngine.pause()
    try {
      const page = await reads.history('bob', stream, { before: 100, limit: 20 })
      expect(page).toMatchObject({ code: null, partial: true })
      expect(page.code === null && page.items).toHaveLength(20)
      expect(await reads.history('ann', 'g:1', {})).toMatchObject({
        code: null,
        items: [{ kind: 'created' }],
      })
      // The archive may trail: whoever it does not know as a member is not refused for good.
      await expect(reads.history('bob', 'g:1', {})).rejects.toMatchObject({ code: 'unavailable' })
      await expect(reads.heads('bob')).rejects.toBeInstanceOf(Fault)
      await expect(reads.conversations('bob', {})).rejects.toBeInstanceOf(Fault)
      await expect(reads.headOf(stream)).rejects.toBeInstanceOf(Fault)
    } finally {
      engines.redisEngine.resume()
    }
    expect(await engines.redis.ready(10_000)).toBe(true)
  })

  test('an emptied Redis: history comes from the archive until the rebuild is over', async () => {
    await engines.redisEngine.restart({ emptied: true })
    expect(await engines.redis.ready(10_000)).toBe(true)
    const fresh = readModels({ ...engines, partitions: 1, generation: 0, clock: systemClock })
    expect((await fresh.heads('bob')).partial).toBe(true)
    expect((await fresh.headOf(stream)).partial).toBe(true)
    const page = await fresh.history('bob', stream, { before: 100, limit: 20 })
    expect(page).toMatchObject({ code: null, partial: true })
    expect(page.code === null && page.items).toHaveLength(20)
    const lost: number[] = []
    for (let i = 0; i < 4; i++) lost.push(...(await live.tick()))
    expect(lost).toEqual([0])
    expect((await live.begin(0, ranged, false)).offset).toBe(0)
  })
})
