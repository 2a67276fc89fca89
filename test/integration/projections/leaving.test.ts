/** What a reader is told of changes made after he left, while he was away, and beyond the index of changes (decision 16). */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../../infra/clock.ts'
import { type ReadModels, readModels } from '../../../projections/reads.ts'
import type { Item } from '../../../schemas/frames.ts'
import { Fault } from '../../../schemas/ports.ts'
import { T0 } from '../../support/commands.ts'
import { startEngines } from '../../support/projections/engines.ts'
import { sinksOn } from '../../support/projections/sinks.ts'
import { streams } from '../../support/projections/streams.ts'

let engines: Awaited<ReturnType<typeof startEngines<true>>>
let sinks: Awaited<ReturnType<typeof sinksOn>>
let reads: ReadModels
let group = ''
let groups = 0
const { event, say, edit, recall, take } = streams()
const clock = { ...systemClock, now: () => T0 + 60_000 }
const DOWN = { query: () => Promise.reject(new Fault('down', 'down', { retriable: true })) }

const readsOn = (clickhouse: Pick<typeof engines.clickhouse, 'query'>) =>
  readModels({ redis: engines.redis, clickhouse, partitions: 1, generation: 0, clock })
const both = () => sinks.put(take())
const liveOnly = () => sinks.put(take(), [sinks.live])

beforeAll(async () => {
  engines = await startEngines({ clickhouse: true })
  sinks = await sinksOn(engines)
})
beforeEach(() => {
  reads = readsOn(engines.clickhouse)
  group = `g:leaving${groups++}`
})
afterAll(async () => {
  sinks?.close()
  await engines?.stop()
})

const textOf = (item: Item | null | undefined): string | null =>
  item?.content ? (JSON.parse(item.content) as { text: string }).text : null

async function page(user: string, on: Pick<ReadModels, 'history'> = reads) {
  const answer = await on.history(user, group, { limit: 200 })
  if (answer.code !== null) throw new Error(answer.code)
  return answer
}
const texts = async (user: string, on: Pick<ReadModels, 'history'> = reads): Promise<(string | null)[]> =>
  (await page(user, on)).items.filter(({ kind }) => kind === 'message').map(textOf)

async function previewOf(user: string, on = reads) {
  const { conversations } = await on.conversations(user, {})
  return textOf(conversations.find(({ conversationId }) => conversationId === group)?.preview)
}

async function found(
  user: string,
  query: string,
  on: Pick<ReadModels, 'search'> = reads,
): Promise<(string | null)[]> {
  const answer = await on.search(user, { query, conversationId: group })
  if (answer.code !== null) throw new Error(answer.code)
  return answer.items.map(textOf)
}

async function missed(user: string, changesUpTo: number, on: Pick<ReadModels, 'sync'> = reads) {
  const answer = await on.sync(user, group, { ranges: [{ from: 1, to: 100 }], changesUpTo })
  if (answer.code !== null) throw new Error(answer.code)
  return { ...answer, changes: answer.changes.map(({ kind, seq, targetSeq }) => [kind, seq, targetSeq]) }
}

/** bob is in for messages 2 to 5, the last of which is edited once meanwhile, and out from 7 on. */
async function bobHasLeft(): Promise<void> {
  event(group, 'ann', 'GroupCreated', { members: ['ann', 'bob'] })
  for (const text of ['two', 'three', 'four', 'five']) say(group, 'ann', text)
  edit(group, 'ann', 5, 'five known')
  event(group, 'ann', 'MembersRemoved', { members: ['bob'] })
  await both()
}

describe('one who left', () => {
  test('reads what was said as it was when he left, in pages, in the list and by search', async () => {
    await bobHasLeft()
    edit(group, 'ann', 5, 'five secret')
    edit(group, 'ann', 3, 'three secret')
    await both()
    expect(await texts('bob')).toEqual(['two', 'three', 'four', 'five known'])
    expect(await page('bob')).toMatchObject({ partial: false, toSeq: 7 })
    expect(await texts('ann')).toEqual(['two', 'three secret', 'four', 'five secret'])
    expect(await previewOf('bob')).toBe('five known')
    expect(await previewOf('ann')).toBe('five secret')
    expect(await found('bob', 'secret')).toEqual([])
    expect(await found('bob', 'known')).toEqual(['five known'])
    expect(await found('ann', 'known')).toEqual([])
    const { pages } = await reads.overview('bob', {})
    const { page: first } = pages.find(({ conversationId }) => conversationId === group) ?? {}
    expect(textOf(first?.items[4])).toBe('five known')
  })

  test('reads the same below the timeline, and while Redis is away', async () => {
    await bobHasLeft()
    for (let i = 0; i < 210; i++) say(group, 'ann', 'later')
    edit(group, 'ann', 5, 'five secret')
    await both()
    expect(await texts('bob')).toEqual(['two', 'three', 'four', 'five known'])
    const away = { batch: () => Promise.reject(new Fault('away', 'away', { retriable: true })) }
    const without = readModels({ ...engines, redis: away as never, partitions: 1, generation: 0, clock })
    expect(await texts('bob', without)).toEqual(['two', 'three', 'four', 'five known'])
  })

  test('is shown nothing in its place where the archive cannot say what it was', async () => {
    await bobHasLeft()
    edit(group, 'ann', 5, 'five secret')
    await liveOnly()
    const cold = readsOn(DOWN)
    expect(await page('bob', cold)).toMatchObject({ partial: true })
    expect(await texts('bob', cold)).not.toContain('five secret')
    expect(await previewOf('bob', cold)).toBeNull()
    expect((await cold.conversations('bob', {})).partial).toBe(true)
  })

  test('learns of no recall too little and of no edit too much, and not how far it has come', async () => {
    await bobHasLeft()
    edit(group, 'ann', 4, 'four secret')
    recall(group, 'ann', 5)
    await both()
    expect(await texts('bob')).toEqual(['two', 'three', 'four', null])
    expect(await missed('bob', 0)).toMatchObject({
      partial: false,
      changesUpTo: 7,
      changes: [
        ['edited', 6, 5],
        ['recalled', 9, 5],
      ],
    })
  })

  test.each(['readItems', 'readChanges'])(
    'between two steps of a read learns nothing of after (%s)',
    async (step) => {
      event(group, 'ann', 'GroupCreated', { members: ['ann', 'bob'] })
      say(group, 'ann', 'two')
      await both()
      event(group, 'ann', 'MembersRemoved', { members: ['bob'] })
      edit(group, 'ann', 2, 'two secret')
      const late = take()
      const redis: typeof engines.redis = {
        ...engines.redis,
        async batch(calls) {
          if (calls.some((call) => 'script' in call && call.script.name === step))
            await sinks.put(late.splice(0))
          return engines.redis.batch(calls)
        },
      }
      const on = readModels({ ...engines, redis, partitions: 1, generation: 0, clock })
      if (step === 'readItems') expect(await texts('bob', on)).toEqual(['two'])
      else expect(await missed('bob', 0, on)).toMatchObject({ changes: [], changesUpTo: 3 })
      expect(late).toEqual([])
    },
  )

  test('is shown no reaction of a later time', async () => {
    event(group, 'ann', 'GroupCreated', { members: ['ann', 'bob'] })
    say(group, 'ann', 'two')
    const target = { seq: 2, ordinal: 1, sender: 'ann', time: T0, packId: Buffer.alloc(16) }
    event(group, 'bob', 'Reacted', { target, emoji: '👍', on: true })
    event(group, 'ann', 'MembersRemoved', { members: ['bob'] })
    event(group, 'ann', 'Reacted', { target, emoji: '👍', on: true })
    event(group, 'ann', 'Reacted', { target, emoji: '🎉', on: true })
    await both()
    expect((await page('bob')).reactions).toEqual([{ seq: 2, emoji: '👍', count: 1, mine: true }])
    expect((await page('ann')).reactions).toHaveLength(2)
  })
})

test('one who observed no longer reads what was said as it was then', async () => {
  event(group, 'ann', 'GroupCreated', { members: ['ann'] })
  event(group, 'eve', 'Observing', { on: true })
  say(group, 'ann', 'three')
  event(group, 'eve', 'Observing', { on: false })
  edit(group, 'ann', 3, 'three secret')
  await both()
  const { observing } = reads
  expect(await texts('eve', observing)).toEqual(['three'])
  expect(await found('eve', 'secret', observing)).toEqual([])
  expect(await found('eve', 'three', observing)).toEqual(['three'])
  expect((await missed('eve', 0, observing)).changes).toEqual([])
})

describe('one who came back', () => {
  test('is told of recalls and edits made while he was away, and sees what stands now', async () => {
    await bobHasLeft()
    say(group, 'ann', 'while away')
    edit(group, 'ann', 5, 'five anew')
    recall(group, 'ann', 4)
    recall(group, 'ann', 8)
    event(group, 'ann', 'MembersAdded', { members: ['bob'] })
    await both()
    const told = [
      ['edited', 9, 5],
      ['recalled', 10, 4],
    ]
    expect(await missed('bob', 7)).toMatchObject({ changesUpTo: 12, changes: told })
    // A device that asked in between had come to nothing that it may leave out now.
    expect(await missed('bob', 11)).toMatchObject({ changesUpTo: 12, changes: told })
    expect(await missed('bob', 12)).toMatchObject({ changesUpTo: 12, changes: [] })
    // Redis is never whole with a partition that nobody fills.
    const archived = readModels({ ...engines, partitions: 2, generation: 0, clock })
    expect(await missed('bob', 7, archived)).toMatchObject({ partial: true, changesUpTo: 11, changes: told })
    expect(await texts('bob')).toEqual(['two', 'three', null, 'five anew'])
  })

  test('has no preview of what was said while he was away', async () => {
    await bobHasLeft()
    say(group, 'ann', 'while away')
    event(group, 'ann', 'MembersAdded', { members: ['bob'] })
    await both()
    expect(await previewOf('bob')).toBe('five known')
    expect(await previewOf('ann')).toBe('while away')
  })
})

test('a recalled text is not shown where the recall has left the index and the archive trails', async () => {
  event(group, 'ann', 'GroupCreated', { members: ['ann', 'bob'] })
  for (const text of ['two', 'three']) say(group, 'ann', text)
  await both()
  recall(group, 'ann', 2)
  for (let i = 0; i < 1_000; i++) edit(group, 'ann', 3, `three ${i}`)
  const late = take()
  await sinks.put(late, [sinks.live])
  const answer = await reads.history('bob', group, { before: 4, limit: 3 })
  expect(answer).toMatchObject({ code: null, partial: true })
  expect(answer.code === null && answer.items.map(textOf)).not.toContain('two')
  await sinks.put(late, [sinks.archive])
  const settled = await reads.history('bob', group, { before: 4, limit: 3 })
  expect(settled).toMatchObject({ partial: false })
  expect(settled.code === null && settled.items.map(textOf)).toEqual([null, null, 'three 999'])
})
