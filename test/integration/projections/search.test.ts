import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../../infra/clock.ts'
import type { ArchivePort, RedisPort } from '../../../projections/ports.ts'
import { type ReadModels, readModels, type SearchAnswer } from '../../../projections/reads.ts'
import { Fault } from '../../../schemas/ports.ts'
import { T0 } from '../../support/commands.ts'
import { startEngines } from '../../support/projections/engines.ts'
import { sinksOn } from '../../support/projections/sinks.ts'
import { streams } from '../../support/projections/streams.ts'

const DAY = 86_400_000
const ann = 'p2p:ann:bob'
const cid = 'p2p:ann:cid'
const group = 'g:team'

let engines: Awaited<ReturnType<typeof startEngines<true>>>
let sinks: Awaited<ReturnType<typeof sinksOn>>
let reads: ReadModels
const clock = { ...systemClock, now: () => T0 + DAY / 2 }
const { event, say, edit, recall, at, take } = streams()

const readsOn = (redis: RedisPort, clickhouse: Pick<ArchivePort, 'query'>) =>
  readModels({ redis, clickhouse, partitions: 1, generation: 0, clock })

async function find(user: string, query: string, more: object = {}, on = reads): Promise<SearchAnswer> {
  const answer = await on.search(user, { query, limit: 100, ...more })
  if (answer.code !== null) throw new Error(answer.code)
  return answer
}

/** What was found, as `<conversation>/<seq>`, newest first; the answer must be whole. */
async function places(user: string, query: string, more: object = {}): Promise<string[]> {
  const answer = await find(user, query, more)
  expect(answer).toMatchObject({ partial: false, next: null })
  return answer.items.map(({ conversationId, seq }) => `${conversationId}/${seq}`)
}

beforeAll(async () => {
  engines = await startEngines({ clickhouse: true })
  sinks = await sinksOn(engines)
  reads = readsOn(engines.redis, engines.clickhouse)
})
afterAll(async () => {
  sinks?.close()
  await engines?.stop()
})

describe('a search finds', () => {
  beforeAll(async () => {
    say(ann, 'ann', '今天天气很好，我们去公园吧')
    say(ann, 'bob', 'The Quick brown Fox')
    say(ann, 'bob', { url: 'https://x.example/a.pdf', name: 'Quarterly-Report.PDF', size: 3 })
    say(ann, 'ann', 'ＡＢＣ full width, STRASSE, ÅNGSTRÖM, Привет')
    say(ann, 'ann', { latitude: 1, longitude: 2, name: 'Nanjing Road', address: '上海市南京东路' })
    say(ann, 'ann', { title: 'Launch party', other: 'nowhere' })
    say(cid, 'cid', 'ひらがなとカタカナ 한국어 😀')
    await sinks.put(take())
  })

  test.each([
    ['one Chinese character', '园', [`${ann}/1`]],
    ['two Chinese characters', '天气', [`${ann}/1`]],
    ['a Chinese phrase', '我们去公园', [`${ann}/1`]],
    ['Japanese', 'カタカナ', [`${cid}/1`]],
    ['Korean', '한국', [`${cid}/1`]],
    ['an emoji', '😀', [`${cid}/1`]],
    ['a Latin word in any capitals', 'qUiCk', [`${ann}/2`]],
    ['a part of a word', 'row', [`${ann}/2`]],
    ['a single letter', 'x', [`${ann}/2`]],
    ['all words, wherever they stand', 'fox the', [`${ann}/2`]],
    ['Latin and Chinese words together', '南京 nanjing', [`${ann}/5`]],
    ['the name of a file', 'report.pdf', [`${ann}/3`]],
    ['an address', '南京东路', [`${ann}/5`]],
    ['a title', 'launch', [`${ann}/6`]],
    ['wide letters by narrow ones', 'abc', [`${ann}/4`]],
    ['narrow letters by wide ones', 'ｆｏｘ', [`${ann}/2`]],
    ['letters with accents in any capitals', 'ångström', [`${ann}/4`]],
    ['Cyrillic in any capitals', 'ПРИВЕТ', [`${ann}/4`]],
    ['nothing where one word is missing', 'fox zebra', []],
    ['nothing in addresses of files and other fields', 'example', []],
    ['nothing in fields of the client’s own', 'nowhere', []],
    ['nothing by white space alone', ' \t\n ', []],
  ])('%s', async (_, query, expected) => {
    expect(await places('ann', query)).toEqual(expected)
  })

  test('newest first through all conversations, page by page, each once, however old', async () => {
    const expected: string[] = []
    for (const [i, days] of [500, 400, 100, 40, 39, 2, 1, 0, 0, 0].entries()) {
      at(-days * DAY + i)
      const stream = i % 2 === 0 ? ann : cid
      expected.unshift(`${stream}/${say(stream, 'ann', `pagination 分页 ${i}`)}`)
    }
    await sinks.put(take())
    expect(await places('ann', 'PAGINATION')).toEqual(expected)
    for (const query of ['pagination', '分页', '页'])
      for (const limit of [1, 4]) {
        const walked: string[] = []
        let before: string | null = null
        do {
          const page: SearchAnswer = await find('ann', query, { limit, before })
          expect(page.items.length).toBeLessThanOrEqual(limit)
          walked.push(...page.items.map(({ conversationId, seq }) => `${conversationId}/${seq}`))
          before = page.next
        } while (before !== null)
        expect(walked).toEqual(expected)
      }
  })

  test('in one conversation only, where that is asked', async () => {
    const inCid = await places('ann', 'pagination', { conversationId: cid })
    expect(inCid).toHaveLength(5)
    expect(inCid.every((place) => place.startsWith(cid))).toBe(true)
  })
})

describe('a search knows messages as they stand now', () => {
  test('an edited one by its new words, not by its old ones', async () => {
    const seq = say(ann, 'ann', 'originalwording')
    await sinks.put(take())
    const change = edit(ann, 'ann', seq, 'correctedwording 更正')
    await sinks.put(take())
    expect(await places('ann', 'originalwording')).toEqual([])
    const { items } = await find('bob', 'correctedwording')
    expect(items).toMatchObject([
      { seq, kind: 'message', targetSeq: change, content: '{"text":"correctedwording 更正"}' },
    ])
    expect(await places('bob', '更')).toEqual([`${ann}/${seq}`])
  })

  test('one of many versions once, in whatever pages', async () => {
    const seq = say(ann, 'ann', 'manifold zero')
    const other = say(ann, 'ann', 'manifold other')
    await sinks.put(take())
    for (let i = 1; i <= 12; i++) {
      edit(ann, 'ann', seq, `manifold ${i}`)
      await sinks.put(take())
    }
    expect(await places('ann', 'manifold')).toEqual([`${ann}/${other}`, `${ann}/${seq}`])
    const first = await find('ann', 'manifold', { limit: 1 })
    const second = await find('ann', 'manifold', { limit: 1, before: first.next })
    expect([...first.items, ...second.items].map((item) => item.seq)).toEqual([other, seq])
  })

  test('a recalled one not at all', async () => {
    const seq = say(ann, 'ann', 'regrettable')
    edit(ann, 'ann', seq, 'regrettable indeed')
    recall(ann, 'ann', seq)
    await sinks.put(take())
    expect(await places('ann', 'regrettable')).toEqual([])
  })

  test('a recalled one not at all either where only Redis knows of the recall', async () => {
    const seq = say(ann, 'ann', 'halfforgotten')
    await sinks.put(take())
    expect(await places('bob', 'halfforgotten')).toEqual([`${ann}/${seq}`])
    recall(ann, 'ann', seq)
    const gone = take()
    await sinks.put(gone, [sinks.live])
    expect((await find('bob', 'halfforgotten')).items).toEqual([])
    await sinks.put(gone, [sinks.archive])
    expect(await places('bob', 'halfforgotten')).toEqual([])
  })

  test('never by words that an edit has taken away of which only Redis knows, and then says that it trails', async () => {
    const seq = say(ann, 'ann', 'beforehand')
    await sinks.put(take())
    edit(ann, 'ann', seq, 'afterwards')
    const changed = take()
    await sinks.put(changed, [sinks.live])
    expect(await find('ann', 'beforehand')).toMatchObject({ partial: true, items: [] })
    await sinks.put(changed, [sinks.archive])
    expect(await places('ann', 'afterwards')).toEqual([`${ann}/${seq}`])
  })

  test('and says that it trails where the archive has not come to the newest message', async () => {
    say(ann, 'ann', 'notarchivedyet')
    const late = take()
    await sinks.put(late, [sinks.live])
    expect(await find('ann', 'notarchivedyet')).toMatchObject({ partial: true, items: [] })
    expect((await find('ann', 'notarchivedyet', { conversationId: ann })).partial).toBe(true)
    expect((await find('ann', 'anything', { conversationId: cid })).partial).toBe(false)
    await sinks.put(late, [sinks.archive])
    expect(await places('ann', 'notarchivedyet')).toHaveLength(1)
  })
})

describe('a search finds for a reader only', () => {
  const seqs: Record<string, number> = {}
  beforeAll(async () => {
    event(group, 'ann', 'GroupCreated', { members: ['ann', 'eve'] })
    seqs.first = say(group, 'ann', 'confidential one')
    event(group, 'ann', 'MembersAdded', { members: ['bob'] })
    seqs.second = say(group, 'ann', 'confidential two 机密')
    event(group, 'ann', 'MembersRemoved', { members: ['bob'] })
    seqs.third = say(group, 'ann', 'confidential three')
    event(group, 'ann', 'MembersAdded', { members: ['bob'] })
    seqs.fourth = say(group, 'ann', 'confidential four')
    event(group, 'ann', 'MembersRemoved', { members: ['eve'] })
    event(group, 'sup', 'Observing', { on: true })
    seqs.fifth = say(group, 'ann', 'confidential five')
    event(group, 'sup', 'Observing', { on: false })
    seqs.sixth = say(group, 'ann', 'confidential six')
    await sinks.put(take())
  })
  const named = (...names: string[]) => names.map((name) => `${group}/${seqs[name]}`)

  test('what lies within each of his memberships', async () => {
    expect(await places('ann', 'confidential')).toHaveLength(6)
    expect(await places('bob', 'confidential')).toEqual(named('sixth', 'fifth', 'fourth', 'second'))
    expect(await places('eve', 'confidential')).toEqual(named('fourth', 'third', 'second', 'first'))
    expect(await places('bob', '密')).toEqual(named('second'))
  })

  test('what was said while he observed', async () => {
    const { items } = await find('sup', 'confidential', {}, { ...reads, ...reads.observing })
    expect(items.map(({ seq }) => seq)).toEqual([seqs.fifth])
    expect(await places('sup', 'confidential')).toEqual([])
    expect(await reads.search('sup', { query: 'confidential', conversationId: group })).toEqual({
      code: 'not_member',
    })
  })

  test('nothing at all where he never was', async () => {
    for (const user of ['zed', "ann' OR '1'='1", 'a%', '_nn'])
      for (const query of ['confidential', 'quick', '%', "' OR 1=1 --"])
        expect((await find(user, query)).items).toEqual([])
    for (const conversationId of [group, ann, 'u:ann', 'p2p:bob:ann', 'nonsense', "x' OR 1=1"])
      expect(await reads.search('zed', { query: 'confidential', conversationId })).toEqual({
        code: 'not_member',
      })
  })

  test('nothing said after his removal, even while Redis does not know of it', async () => {
    event(group, 'ann', 'MembersRemoved', { members: ['bob'] })
    say(group, 'ann', 'confidential seven')
    const late = take()
    await sinks.put(late, [sinks.archive])
    const { items } = await find('bob', 'confidential')
    expect(items.map(({ seq }) => seq)).not.toContain((seqs.sixth ?? 0) + 2)
    await sinks.put(late, [sinks.live])
    expect(await places('bob', 'confidential')).toEqual(named('sixth', 'fifth', 'fourth', 'second'))
  })
})

describe('whatever is typed', () => {
  const hostile = [
    "it's 'quoted'",
    'say "hello"',
    '100% sure',
    'snake_case',
    'back\\slash',
    'C:\\temp\\',
    "\\' OR 1=1 --",
    "'; DROP TABLE messages; --",
    '{user:String}',
    '{term0:String}',
    'a\u0000b',
    '%%%___',
    '\\%\\_',
    '＼％＿',
    '<script>alert(1)</script>',
    '`backtick` $dollar ?mark',
    '/* comment */ # hash',
    '\u202eright to left',
    '\r',
  ]
  beforeAll(async () => {
    say(cid, 'cid', 'innocent text without any of it')
    for (const text of hostile) say(cid, 'cid', `begin${text}end`)
    await sinks.put(take())
  })

  test.each(hostile.map((text) => [text]))('%j is taken as it is', async (text) => {
    const { items, partial } = await find('ann', text, { conversationId: cid })
    expect(partial).toBe(false)
    const folded = (of: string) => of.normalize('NFKC').toLowerCase()
    const words = text.split(/\s+/u).filter((word) => word !== '')
    const expected = (content: string) =>
      words.length > 0 && words.every((word) => folded(content).includes(folded(word)))
    const all = await reads.history('ann', cid, { limit: 200 })
    const texts = (all.code === null ? all.items : []).flatMap(({ content }) =>
      content ? [String(JSON.parse(content).text ?? '')] : [],
    )
    const found = items.map(({ content }) => JSON.parse(content ?? '{}').text as string)
    expect(found.sort()).toEqual(texts.filter(expected).sort())
    if (words.length > 0) expect(found).toContain(`begin${text}end`)
  })

  test.each([
    ['as long as allowed', 'y'.repeat(256)],
    ['longer than allowed', 'begin'.repeat(200_000)],
    [
      'of very many words',
      Array.from({ length: 85 }, (_, i) => `w${i}`)
        .join(' ')
        .slice(0, 256),
    ],
    ['of wildcards only', '%'.repeat(256)],
    ['ill-formed', '\ud800begin'],
  ])('a query %s does no harm', async (_, query) => {
    const { partial } = await find('ann', query)
    expect(partial).toBe(false)
    expect(await places('ann', 'innocent')).toHaveLength(1)
  })

  test('a place that was never given means the top', async () => {
    for (const before of ['x', '1.2', "9.9.' OR 1=1", 'y'.repeat(10_000)])
      expect((await find('ann', 'innocent', { before })).items).toHaveLength(1)
  })
})

describe('when not everything answers', () => {
  const away = () => Promise.reject(new Fault('away', 'away', { retriable: true }))

  test('without Redis the archive is searched, and says that it may trail', async () => {
    const cold = readsOn({ batch: away }, engines.clickhouse)
    const answer = await find('ann', 'quick', {}, cold)
    expect(answer).toMatchObject({ partial: true, items: [{ conversationId: ann, seq: 2 }] })
    expect((await find('bob', 'confidential two', {}, cold)).items).toHaveLength(1)
    expect((await find('zed', 'confidential', {}, cold)).items).toEqual([])
  })

  test('without the archive a search is unavailable, never empty', async () => {
    const cold = readsOn(engines.redis, { query: away })
    await expect(cold.search('ann', { query: 'quick' })).rejects.toThrow(Fault)
  })

  const bounded = (rowsMax: number): Pick<ArchivePort, 'query'> => ({
    query: (sql, params, limits) => engines.clickhouse.query(sql, params, limits && { ...limits, rowsMax }),
  })

  test('a search that finds too much to look through at once begins with the newest', async () => {
    let refusals = 0
    const whole: Pick<ArchivePort, 'query'> = {
      async query(sql, params, limits) {
        if (!limits || params?.fromTime !== 0) return engines.clickhouse.query(sql, params, limits)
        refusals++
        throw new Fault('query_limit', 'too much', { retriable: false })
      },
    }
    const answer = await find('ann', 'pagination', {}, readsOn(engines.redis, whole))
    // Two rounds of two questions each.
    expect(refusals).toBe(4)
    expect(answer).toMatchObject({ partial: true })
    const newest = await find('ann', 'pagination')
    expect(answer.items).toEqual(newest.items.slice(0, 8))
    expect(answer.next).not.toBeNull()
  })

  test('a search that would look through too much even so ends early, and says so', async () => {
    const on = readsOn(engines.redis, bounded(3))
    for (let i = 0; i < 8; i++)
      expect(await find('ann', 'e', {}, on)).toMatchObject({ partial: true, items: [], next: null })
    const page = await on.history('ann', ann, { limit: 1 })
    expect(page.code).toBeNull()
  })
})
