/** What the inbox's scripts count in a real Redis, against a plain set of ids; and that what they keep stays small. */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { baseOf } from '../../../projections/inbox/unread.ts'
import { keys } from '../../../projections/keys.ts'
import { callsFor } from '../../../projections/live/calls.ts'
import type { RedisCall } from '../../../projections/ports.ts'
import type { Accepted } from '../../../projections/projection.ts'
import { liveReads } from '../../../projections/reads/live.ts'
import { KEEP_ALL } from '../../../projections/reads/policy.ts'
import { limits } from '../../../schemas/limits.ts'
import { T0 } from '../../support/commands.ts'
import { accepted, target } from '../../support/projections/accepted.ts'
import { startEngines } from '../../support/projections/engines.ts'
import { histories, type InboxStore, play } from '../../support/projections/unread.ts'

let engines: Awaited<ReturnType<typeof startEngines>>
beforeAll(async () => {
  engines = await startEngines({ clickhouse: false })
})
afterAll(() => engines?.stop())

function callsOf(...records: Accepted[]): readonly RedisCall[] {
  const { first, then } = callsFor(records, { force: true, policies: KEEP_ALL, now: T0 })
  return [...first, ...then]
}
const put = async (...records: Accepted[]) => void (await engines.redis.batch(callsOf(...records)))

async function countsOf(user: string, conversationId: string, ordinal: number, joinOrdinal = 0) {
  const [text] = await engines.redis.batch([['HGET', keys.reads(user), conversationId]])
  const readOrdinal = typeof text === 'string' ? Number(text.split(':')[1]) : 0
  const base = baseOf({ readOrdinal, joinOrdinal })
  const reads = liveReads(engines.redis, { partitions: 1, generation: 0 })
  const asked = { conversationId, base, ordinal, intervals: [], peer: null }
  const [detail] = await reads.conversations(user, [asked])
  const { unread, mentions, mentionsAll } = detail as NonNullable<typeof detail>
  return { unread, mentions, mentionsAll }
}

const storeOf = (conversationId: string): InboxStore => ({
  apply: (record) => put(record),
  counts: (head, joined) => countsOf('me', conversationId, head, joined),
})

const sent = (stream: string, seq: number, sender: string, fields: object = {}) =>
  accepted({ stream, seq, sender }, 'MessageSent', fields)

async function putMany(count: number, make: (seq: number) => Accepted, from = 1): Promise<void> {
  for (let seq = from; seq < from + count; seq += 500)
    await put(...Array.from({ length: Math.min(500, from + count - seq) }, (_, i) => make(seq + i)))
}

test('what is unread equals a plain set of ids, whatever happens and whatever comes twice', async () => {
  let groups = 0
  await fc.assert(
    fc.asyncProperty(histories, (history) => {
      const stream = `g:run${++groups}`
      return play(stream, history, storeOf(stream))
    }),
    { numRuns: 400 },
  )
})

test('no message stands in the timeline before it counts as what it is: a list that is read meanwhile is not read again', async () => {
  const records = [1, 2, 3].map((seq) => sent('g:order', seq, 'ann', { mentions: ['bob'], mentionAll: true }))
  for (const call of callsOf(...records)) {
    await engines.redis.batch([call])
    const [applied] = await engines.redis.batch([['HGET', keys.head('g:order'), 'applied']])
    const head = Number(applied)
    const all = { unread: head, mentions: head, mentionsAll: head }
    expect(await countsOf('bob', 'g:order', head)).toEqual(all)
    expect(await countsOf('ann', 'g:order', head)).toEqual({ unread: 0, mentions: 0, mentionsAll: 0 })
  }
})

test('who sends and never reads keeps next to nothing, and his count stays exact', async () => {
  await putMany(20_000, (seq) => sent('g:bot', seq, seq % 2 === 0 ? 'bot' : 'ann'))
  expect(await countsOf('bot', 'g:bot', 20_000)).toMatchObject({ unread: 10_000 })
  expect(await countsOf('bot', 'g:bot', 777)).toMatchObject({ unread: 389 })
  const size = async () =>
    Number(
      (await engines.redis.batch([['MEMORY', 'USAGE', keys.own('bot', 'g:bot'), 'SAMPLES', 0]] as never))[0],
    )
  expect(await size()).toBeLessThan(10_000)
  const mark = { conversationId: 'g:bot', seq: 19_001, ordinal: 19_001 }
  await put(accepted({ stream: 'u:bot', sender: 'bot' }, 'ReadMarked', mark))
  expect(await countsOf('bot', 'g:bot', 20_000)).toMatchObject({ unread: 499 })
  expect(await size()).toBeLessThan(2_000)
})

test('a flood of mentions of others takes nobody’s own away, nor those of everyone', async () => {
  await put(sent('g:flood', 1, 'ann', { mentions: ['bob'] }), sent('g:flood', 2, 'ann', { mentionAll: true }))
  const count = limits.mentionEntriesMax + limits.namingMessagesMax
  await putMany(count, (seq) => sent('g:flood', seq, 'mallory', { mentions: ['cid', 'dan'] }), 3)
  const head = count + 2
  expect(await countsOf('bob', 'g:flood', head)).toEqual({ unread: head, mentions: 1, mentionsAll: 1 })
  expect(await countsOf('cid', 'g:flood', head)).toEqual({
    ...{ unread: head, mentionsAll: 1 },
    mentions: limits.mentionEntriesMax,
  })
  const recall = { target: { ...target(1), ordinal: 1 } }
  await put(
    accepted({ stream: 'g:flood', seq: head + 1, ordinal: head, sender: 'ann' }, 'MessageRecalled', recall),
  )
  expect(await countsOf('bob', 'g:flood', head)).toMatchObject({ unread: head - 1, mentions: 0 })
})

test('what one has read is not kept as his mentions', async () => {
  await putMany(50, (seq) => sent('g:read', seq, 'ann', { mentions: ['bob', 'bo', 'bob.b'] }))
  const mark = { conversationId: 'g:read', seq: 49, ordinal: 49 }
  await put(accepted({ stream: 'u:bob', sender: 'bob' }, 'ReadMarked', mark))
  for (const [user, mentions] of [
    ['bob', 1],
    ['bo', 50],
    ['bob.b', 50],
  ] as const)
    expect(await countsOf(user, 'g:read', 50), user).toMatchObject({ mentions })
  expect(await engines.redis.batch([['ZCARD', keys.mentions('g:read')]])).toEqual([101])
})
