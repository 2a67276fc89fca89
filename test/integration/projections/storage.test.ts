import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../../infra/clock.ts'
import { silentLog } from '../../../infra/log.ts'
import { createJanitor } from '../../../projections/archive/janitor.ts'
import { migrations } from '../../../projections/archive/tables.ts'
import { keys } from '../../../projections/keys.ts'
import { KEEP_ALL, type Policies, type Policy } from '../../../projections/reads/policy.ts'
import { type HistoryAnswer, readModels } from '../../../projections/reads.ts'
import { Fault } from '../../../schemas/ports.ts'
import { T0 } from '../../support/commands.ts'
import { startEngines } from '../../support/projections/engines.ts'
import { sinksOn } from '../../support/projections/sinks.ts'
import { type Streams, streams } from '../../support/projections/streams.ts'

const pair = 'p2p:ann:bob'
const team = 'g:team'
const HOUR = 3_600_000
const aged = (ms: number): Policies => ({ p2p: { keep: 'recent', ms }, group: { keep: 'recent', ms } })
const newest = (messages: number): Policies => {
  const policy: Policy = { keep: 'newest', messages }
  return { p2p: policy, group: policy }
}

let engines: Awaited<ReturnType<typeof startEngines<true>>>
let sinks: Awaited<ReturnType<typeof sinksOn>>
let log: Streams
let now = T0
const clock = { ...systemClock, now: () => now }

beforeAll(async () => {
  engines = await startEngines({ clickhouse: true })
})
beforeEach(async () => {
  await engines.redis.batch([['EVAL', 'return redis.call("FLUSHALL")', 0] as never])
  for (const { statements } of migrations)
    for (const [, table] of statements.join(';').matchAll(/CREATE TABLE IF NOT EXISTS (\w+)/g))
      await engines.clickhouse.command(`TRUNCATE TABLE ${table}`)
  log = streams()
  now = T0
})
afterEach(() => sinks.close())
afterAll(() => engines?.stop())

/** One said per minute from T0 on, in both kinds of conversation, with an edit of the third at the end. */
async function given(policies: Policies, count = 20): Promise<void> {
  sinks = await sinksOn(engines, { clock, policies })
  log.event(team, 'ann', 'GroupCreated', { members: ['ann', 'bob'] })
  for (let i = 1; i <= count; i++) {
    log.at(i * 60_000)
    log.say(pair, 'ann', `pair word${i}`)
    log.say(team, 'ann', `team word${i}`)
  }
  log.edit(pair, 'ann', 3, 'pair word3 again')
  now = T0 + count * 60_000 + 1_000
  await sinks.put(log.take())
}

const readsOf = (policies: Policies) =>
  readModels({
    redis: engines.redis,
    clickhouse: engines.clickhouse,
    partitions: 1,
    generation: 0,
    clock,
    policies,
  })
const janitorOf = (policies: Policies, redis = engines.redis) =>
  createJanitor({
    clickhouse: engines.clickhouse,
    redis,
    policies,
    generation: 0,
    clock,
    logger: silentLog,
    partitions: () => [0],
  })

async function page(policies: Policies, stream: string): Promise<HistoryAnswer> {
  const answer = await readsOf(policies).history('ann', stream, { limit: 200 })
  if (answer.code !== null) throw new Error(answer.code)
  return answer
}

/** Seqs of messages and edits that a reader is shown; every other place of what was said must be hidden. */
async function shown(policies: Policies, stream: string): Promise<number[]> {
  const { items, partial } = await page(policies, stream)
  expect(partial).toBe(false)
  expect(items.map(({ seq }) => seq)).toEqual(items.map((_, i) => i + 1))
  for (const { kind, content } of items) if (kind === 'hidden') expect(content).toBeNull()
  return items.filter(({ kind }) => kind === 'message' || kind === 'edited').map(({ seq }) => seq)
}

/** Seqs of which the store itself still holds what was said. */
async function archived(stream: string, table = 'items'): Promise<number[]> {
  for (;;) {
    const [row] = await engines.clickhouse.query<{ n: string }>(
      'SELECT toString(count()) AS n FROM system.mutations WHERE NOT is_done',
    )
    if (row?.n === '0') break
    await systemClock.sleep(20)
  }
  const rows = await engines.clickhouse.query<{ seq: string }>(
    `SELECT DISTINCT seq FROM ${table} WHERE conversation = {stream:String} AND content IS NOT NULL ORDER BY seq`,
    { stream },
  )
  return rows.map(({ seq }) => Number(seq))
}
async function inTimeline(stream: string): Promise<number[]> {
  const [elements] = await engines.redis.batch([['LRANGE', keys.timeline(stream), 0, -1]])
  return (elements as string[])
    .map((element) => JSON.parse(element) as { seq: number; content: string | null })
    .filter(({ content }) => content !== null)
    .map(({ seq }) => seq)
}
const run = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

describe('kept for ever', () => {
  test('nothing is hidden or destroyed, however old', async () => {
    await given(KEEP_ALL)
    now += 3_650 * 24 * HOUR
    expect(await janitorOf(KEEP_ALL).turn()).toBe(false)
    expect(await shown(KEEP_ALL, pair)).toEqual(run(1, 21))
    expect(await archived(pair)).toEqual(run(1, 21))
    expect(await inTimeline(pair)).toEqual(run(1, 21))
  })
})

describe('kept by age', () => {
  const policies = aged(HOUR)

  test('readers see what is young enough at once, in its place, before anything is destroyed', async () => {
    await given(policies)
    expect(await shown(policies, pair)).toEqual(run(1, 21))
    now = T0 + HOUR + 10 * 60_000 + 500
    expect(await shown(policies, pair)).toEqual(run(11, 21))
    // The group's first event tells who is in: that stays.
    const { items } = await page(policies, team)
    expect(items[0]).toMatchObject({ kind: 'created', members: ['ann', 'bob'] })
    expect(await shown(policies, team)).toEqual(run(12, 21))
    now = T0 + 10 * HOUR
    expect(await shown(policies, pair)).toEqual([])
  })

  test('neither search nor list nor sync shows more than history does', async () => {
    await given(policies)
    now = T0 + HOUR + 10 * 60_000 + 500
    const reads = readsOf(policies)
    const found = await reads.search('ann', { query: 'word', conversationId: pair, limit: 100 })
    expect(found.code === null && found.items.map(({ seq }) => seq)).toEqual(run(11, 20).reverse())
    const held = { ranges: [{ from: 1, to: 30 }], changesUpTo: 0 }
    const sync = await reads.sync('ann', pair, held)
    expect(sync.code === null && sync.changes.map(({ seq }) => seq)).toEqual([21])
    now = T0 + 10 * HOUR
    const later = await reads.sync('ann', pair, held)
    expect(later).toMatchObject({ partial: false, changes: [], changesUpTo: 21 })
    expect(await reads.search('ann', { query: 'word', limit: 100 })).toMatchObject({ items: [] })
    const { conversations } = await reads.conversations('ann', {})
    expect(conversations.map(({ preview }) => preview)).toEqual([null, null])
    expect(conversations.map(({ lastSeq }) => lastSeq)).toEqual([21, 21])
  })

  test('the contents are destroyed in Redis and in the archive, and only those', async () => {
    await given(policies)
    now = T0 + HOUR + 10 * 60_000 + 500
    await janitorOf(policies).turn()
    expect(await archived(pair)).toEqual(run(11, 21))
    expect(await archived(pair, 'messages')).toEqual(run(11, 20))
    expect(await inTimeline(pair)).toEqual(run(11, 21))
    expect(await archived(team)).toEqual(run(12, 21))
    expect(await inTimeline(team)).toEqual(run(12, 21))
    now = T0 + 10 * HOUR
    await janitorOf(policies).turn()
    for (const stream of [pair, team]) {
      expect(await archived(stream)).toEqual([])
      expect(await archived(stream, 'messages')).toEqual([])
      expect(await inTimeline(stream)).toEqual([])
    }
    const [row] = await engines.clickhouse.query<{ texts: string; bytes: string }>(
      "SELECT toString(countIf(search_text != '')) AS texts, (SELECT toString(countIf(payload LIKE '%word7%')) FROM events) AS bytes FROM messages",
    )
    // What the log holds is the log's: its erasure is another matter.
    expect(row).toEqual({ texts: '0', bytes: '2' })
  })

  test('who said something and when stays known, for those who recall it or ask for it again', async () => {
    await given(policies)
    now = T0 + 10 * HOUR
    await janitorOf(policies).turn()
    const { target, partial } = await readsOf(policies).target('ann', pair, 5)
    expect({ partial, target }).toMatchObject({
      partial: false,
      target: { seq: 5, ordinal: 5, sender: 'ann' },
    })
  })

  test('doing it again changes nothing and begins no new work', async () => {
    await given(policies)
    now = T0 + 10 * HOUR
    await janitorOf(policies).turn()
    await archived(pair)
    const mutations = () => engines.clickhouse.query('SELECT mutation_id FROM system.mutations')
    const before = (await mutations()).length
    await janitorOf(policies).turn()
    await engines.clickhouse.command('TRUNCATE TABLE purges')
    await janitorOf(policies).turn()
    expect(await mutations()).toHaveLength(before)
  })

  test('a Redis that was emptied and built anew does not bring it back', async () => {
    await given(policies)
    now = T0 + HOUR + 10 * 60_000 + 500
    await janitorOf(policies).turn()
    await engines.redis.batch([['EVAL', 'return redis.call("FLUSHALL")', 0] as never])
    const anew = streams()
    log = anew
    const rebuilt = await sinksOn(engines, { clock, policies })
    anew.event(team, 'ann', 'GroupCreated', { members: ['ann', 'bob'] })
    for (let i = 1; i <= 20; i++) {
      anew.at(i * 60_000)
      anew.say(pair, 'ann', `pair word${i}`)
    }
    await rebuilt.put(anew.take(), [rebuilt.live])
    rebuilt.close()
    expect(await inTimeline(pair)).toEqual(run(11, 20))
  })

  test('an archive that was built anew is gone through again', async () => {
    await given(policies)
    now = T0 + 10 * HOUR
    await janitorOf(policies).turn()
    await archived(pair)
    for (const table of ['events', 'items', 'messages'])
      await engines.clickhouse.command(`TRUNCATE TABLE ${table}`)
    const again = await sinksOn(engines, { clock, policies })
    const anew = streams()
    for (let i = 1; i <= 5; i++) anew.say(pair, 'ann', `pair word${i}`)
    await again.put(anew.take(), [again.archive])
    again.close()
    expect(await archived(pair)).toEqual(run(1, 5))
    await janitorOf(policies).turn()
    expect(await archived(pair)).toEqual([])
  })

  test('while Redis is away nothing is destroyed in the archive, so that nothing is forgotten there', async () => {
    await given(policies)
    now = T0 + 10 * HOUR
    const away = { batch: () => Promise.reject(new Fault('away', 'away', { retriable: true })) }
    await expect(janitorOf(policies, away as never).turn()).rejects.toThrow(Fault)
    expect(await archived(pair)).toEqual(run(1, 21))
    await janitorOf(policies).turn()
    expect(await archived(pair)).toEqual([])
    expect(await inTimeline(pair)).toEqual([])
  })
})

describe('kept by number', () => {
  const policies = newest(5)

  test('readers see the newest messages of each conversation, and edits made since', async () => {
    await given(policies)
    expect(await shown(policies, pair)).toEqual([16, 17, 18, 19, 20, 21])
    expect(await shown(policies, team)).toEqual(run(17, 21))
    const found = await readsOf(policies).search('ann', { query: 'word', conversationId: team })
    expect(found.code === null && found.items.map(({ seq }) => seq)).toEqual(run(17, 21).reverse())
  })

  test('all others are destroyed, in conversations of both kinds', async () => {
    await given(policies)
    await janitorOf(policies).turn()
    expect(await archived(pair)).toEqual(run(16, 21))
    expect(await archived(pair, 'messages')).toEqual(run(16, 20))
    expect(await archived(team)).toEqual(run(17, 21))
    expect((await inTimeline(pair)).every((seq) => seq >= 16)).toBe(true)
    log.say(pair, 'bob', 'one more')
    await sinks.put(log.take())
    await janitorOf(policies).turn()
    expect(await archived(pair, 'messages')).toEqual([17, 18, 19, 20, 22])
  })

  test('a stricter policy is held at once, and begins with the first event again', async () => {
    await given(newest(100))
    await janitorOf(newest(100)).turn()
    expect(await archived(pair)).toEqual(run(1, 21))
    expect(await shown(newest(2), pair)).toEqual([19, 20, 21])
    await janitorOf(newest(2)).turn()
    expect(await archived(pair)).toEqual([19, 20, 21])
  })

  test('one kind of conversation may be kept otherwise than the other', async () => {
    const mixed: Policies = { p2p: KEEP_ALL.p2p, group: { keep: 'newest', messages: 1 } }
    await given(mixed)
    await janitorOf(mixed).turn()
    expect(await archived(pair)).toEqual(run(1, 21))
    expect(await archived(team)).toEqual([21])
    expect(await shown(mixed, team)).toEqual([21])
  })
})

test('a janitor goes through a long log in stretches', async () => {
  const policies = newest(1)
  sinks = await sinksOn(engines, { clock, policies })
  for (let i = 0; i < 12_000; i++) log.say(`g:${i % 700}`, 'ann', `w${i}`)
  await sinks.put(log.take(), [sinks.archive])
  const janitor = janitorOf(policies)
  const turns: boolean[] = []
  do turns.push(await janitor.turn())
  while (turns.at(-1))
  expect(turns).toEqual([true, true, false])
  await archived('g:0')
  const [row] = await engines.clickhouse.query<{ n: string }>(
    'SELECT toString(uniqExact(conversation, seq)) AS n FROM items WHERE content IS NOT NULL',
  )
  expect(row?.n).toBe('700')
})
