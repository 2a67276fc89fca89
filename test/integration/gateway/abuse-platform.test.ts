/** Abuse that only the whole platform can withstand: replays, pages beyond what one may see, names that objects inherit, searches. */
import { inflateRawSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Item, ServerFrame, ServerFrames } from '../../../schemas/frames.ts'
import { limits } from '../../../schemas/limits.ts'
import { newPackId, until } from '../../support/gateway.ts'
import { rawClient } from '../../support/gateway-client.ts'
import { type Answered, type Person, type Pipeline, startPipeline } from '../../support/pipeline.ts'

let world: Pipeline
beforeAll(async () => {
  world = await startPipeline(3)
})
afterAll(() => world?.stop())

const text = (said: string) => ({
  contentType: 'text',
  content: { text: said },
  mentions: [],
  mentionAll: false,
})
const seqOf = (answer: Answered): number => {
  if (answer.type !== 'committed') throw new Error(answer.code)
  return answer.seq
}
const say = async (who: Person, conversationId: string, said: string) =>
  seqOf(await who.tell({ type: 'send', conversationId, ...text(said) }))
const pageOf = (who: Person, conversationId: string, part: object = {}) =>
  who.ask<ServerFrames['historyResult']>({ type: 'history', conversationId, ...part })
const kindsOf = (items: readonly Item[]) => items.map(({ kind }) => kind)
async function group(owner: Person, ...members: string[]): Promise<string> {
  const made = await owner.tell({ type: 'createGroup', name: 'Team', members })
  return made.type === 'committed' ? made.conversationId : ''
}

describe('one packId', () => {
  it('sent a thousand times over three gateways is one message, with one answer', async () => {
    const devices = await Promise.all(
      Array.from({ length: 6 }, (_, i) => world.online('alice', { gateway: i % 3 })),
    )
    const bob = await world.online('bob')
    const command = { type: 'send', to: 'bob', packId: newPackId(), ...text('once') }
    const each = Array.from({ length: 170 })
    for (const device of devices) for (const _ of each) device.send(command)
    const answers = (of: Person) => of.frames.filter((one) => one.type === 'committed')
    await until(() => devices.every((device) => answers(device).length === each.length))
    const all = devices.flatMap(answers)
    const places = all.map(({ seq, ordinal, time, conflict }) => `${seq} ${ordinal} ${time} ${conflict}`)
    expect(new Set(places).size).toBe(1)
    expect(all.filter(({ repeat }) => !repeat)).toHaveLength(1)
    const conversationId = 'p2p:alice:bob'
    const next = await say(bob, conversationId, 'next')
    expect(next).toBe((all[0]?.seq ?? 0) + 1)
    const { items } = await pageOf(bob, conversationId, { after: 0 })
    expect(items.filter(({ packId }) => packId === command.packId)).toHaveLength(1)
  })

  it('with another body stays what it was, and says so', async () => {
    const alice = await world.online('alice')
    const elsewhere = await world.online('alice', { gateway: 1 })
    const packId = newPackId()
    const first = await alice.tell({ type: 'send', to: 'carol', packId, ...text('this') })
    const second = await elsewhere.tell({ type: 'send', to: 'carol', packId, ...text('that') })
    expect(second).toEqual({ ...first, repeat: true, conflict: true })
    expect(JSON.stringify(await pageOf(alice, 'p2p:alice:carol'))).not.toContain('that')
  })

  it('of another user is another command: nobody takes an answer away', async () => {
    const alice = await world.online('alice')
    const dave = await world.online('dave', { gateway: 1 })
    const conversationId = await group(alice, 'dave')
    const packId = newPackId()
    const command = { type: 'send', conversationId, packId, ...text('mine') }
    const [first, second] = [await alice.tell(command), await dave.tell(command)]
    expect(seqOf(second)).toBe(seqOf(first) + 1)
    expect(second).toMatchObject({ repeat: false, conflict: false })
  })

  it('recorded from a session is worth nothing on a connection without a login', async () => {
    const client = await rawClient(world.urls[0] as string)
    client.send({ type: 'send', to: 'bob', packId: newPackId(), ...text('replayed') })
    expect(await client.next('bye')).toMatchObject({ code: 'not_logged_in' })
    await client.closed
  })
})

describe('a page', () => {
  it('shows nothing from before one joined or after one left, whatever range is asked for', async () => {
    const alice = await world.online('alice')
    const bob = await world.online('bob', { gateway: 1 })
    const conversationId = await group(alice)
    for (let i = 0; i < 5; i++) await say(alice, conversationId, `before ${i}`)
    const joined = seqOf(await alice.tell({ type: 'addMembers', conversationId, members: ['bob'] }))
    await say(alice, conversationId, 'within')
    await bob.tell({ type: 'recall', conversationId, seq: 2 })
    await alice.tell({ type: 'edit', conversationId, seq: 3, ...text('before, edited') })
    const left = seqOf(await bob.tell({ type: 'removeMembers', conversationId, members: ['bob'] }))
    await say(alice, conversationId, 'after')
    const asked = [
      {},
      { after: 0, limit: 200 },
      { after: 0, limit: 2 ** 31 - 1 },
      { before: Number.MAX_SAFE_INTEGER - 1, limit: 200 },
      { before: joined },
      { before: 1 },
      { after: left },
      { after: Number.MAX_SAFE_INTEGER - 1 },
    ]
    for (const part of asked) {
      const page = await pageOf(bob, conversationId, part)
      expect(page, JSON.stringify(part)).toMatchObject({ fromSeq: joined, toSeq: left })
      for (const item of page.items) {
        expect(item.seq).toBeGreaterThanOrEqual(joined)
        expect(item.seq).toBeLessThanOrEqual(left)
      }
      expect(JSON.stringify(page.items.filter(({ kind }) => kind === 'message'))).not.toMatch(/before|after/)
    }
    const { items } = await pageOf(bob, conversationId, { after: 0 })
    expect(items[0]).toMatchObject({ seq: joined, kind: 'added' })
    expect(items.at(-1)).toMatchObject({ seq: left, kind: 'removed' })
    const changes = await bob.ask<ServerFrames['syncResult']>({
      type: 'sync',
      conversationId,
      ranges: [{ from: 0, to: Number.MAX_SAFE_INTEGER - 1 }],
      changesUpTo: 0,
    })
    expect(JSON.stringify(changes.changes)).not.toContain('before')
  })

  it('of a range that is none is refused and keeps the connection', async () => {
    const alice = await world.online('alice')
    for (const [part, code] of [
      [{ after: -1 }, 'bad_position'],
      [{ before: -1 }, 'bad_position'],
      [{ before: 1, after: 1 }, 'bad_frame'],
      [{ after: 2 ** 53 }, 'bad_frame'],
      [{ after: 0.5 }, 'bad_frame'],
      [{ limit: 2 ** 31 }, 'bad_frame'],
    ] as const)
      expect(await alice.ask({ type: 'history', conversationId: 'p2p:alice:bob', ...part })).toMatchObject({
        code,
      })
    expect(alice.isClosed()).toBe(false)
  })
})

describe('names that every object inherits', () => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf']

  it('are users like others: they talk, are friends, are read and counted, and change nobody else', async () => {
    const alice = await world.online('alice')
    const conversationId = await group(alice, ...names)
    for (const [i, name] of names.entries()) {
      const who = await world.online(name, { gateway: i % 3 })
      expect(seqOf(await who.tell({ type: 'send', to: 'alice', ...text(`from ${name}`) }))).toBe(1)
      expect((await alice.tell({ type: 'requestFriend', userId: name, note: '' })).type).toBe('committed')
      expect((await who.tell({ type: 'answerFriend', userId: 'alice', accept: true })).type).toBe('committed')
      await say(who, conversationId, 'hello')
      expect((await who.tell({ type: 'setSetting', key: name, value: name })).type).toBe('committed')
      expect((await who.tell({ type: 'setProfile', name })).type).toBe('committed')
      const settings = await who.ask<ServerFrames['settingsResult']>({ type: 'settings' })
      expect(settings.settings).toMatchObject([{ key: name, value: name }])
      const list = await who.ask<ServerFrames['conversationsResult']>({ type: 'conversations' })
      expect(list.conversations.map((one) => one.conversationId)).toContain(conversationId)
    }
    const roster = await alice.ask<ServerFrames['membersResult']>({ type: 'members', conversationId })
    expect(roster.members.map(({ userId }) => userId).sort()).toEqual(['alice', ...names].sort())
    const { relations } = await alice.ask<ServerFrames['relationsResult']>({ type: 'relations' })
    const friends = relations.filter(({ state }) => state === 'friend').map(({ userId }) => userId)
    expect(friends.sort()).toEqual([...names].sort())
    const { profiles } = await alice.ask<ServerFrames['profilesResult']>({
      type: 'profiles',
      userIds: [...names, 'nobody9'],
    })
    expect(profiles.map(({ name }) => name ?? null)).toEqual([...names, null])
    const plain = await world.online('plain')
    const own = await plain.ask<ServerFrames['settingsResult']>({ type: 'settings' })
    expect(own.settings).toEqual([])
  })
})

describe('a search', () => {
  const texts = [
    'a quote \' and " two',
    'per%cent',
    'under_score',
    'back\\slash \\N',
    "'; DROP TABLE items --",
    '{query:String}',
    '茶の湯は楽しい',
  ]

  it('takes what is asked for as text, and shows nobody else’s', async () => {
    const alice = await world.online('alice')
    const erin = await world.online('erin')
    for (const said of texts) await alice.tell({ type: 'send', to: 'frank', ...text(said) })
    await erin.tell({ type: 'send', to: 'grace', ...text(`erin only: ${texts.join(' ')}`) })
    const found = async (who: Person, query: string) => {
      const answer = await who.ask<ServerFrames['searchResult']>({ type: 'search', query })
      expect(answer.type).toBe('searchResult')
      return answer.items.map(({ content }) => (content as unknown as { text: string }).text)
    }
    for (const said of texts) {
      const words = said.slice(0, 10)
      let hits = await found(alice, words)
      for (let tries = 0; hits.length === 0 && tries < 100; tries++) hits = await found(alice, words)
      expect(hits, words).toContain(said)
      expect(hits.join(), words).not.toContain('erin only')
    }
    for (const query of ['%', '_', '\\', "' OR 1=1 --", '%erin%', 'x'.repeat(limits.searchQueryBytesMax)])
      expect((await found(alice, query)).join(), query).not.toContain('erin only')
    const mallory = await world.online('mallory')
    for (const query of ['%', '_', 'per%cent', "'", 'erin only'])
      expect(await found(mallory, query)).toEqual([])
    expect(await mallory.ask({ type: 'search', query: 'x'.repeat(40_000) })).toMatchObject({
      code: 'bad_content',
    })
  })
})

describe('an overview', () => {
  it('shows the list and the newest pages, to the user who asks and as others see them', async () => {
    const alice = await world.online('alice')
    const zoe = await world.online('zoe', { gateway: 2 })
    const conversationId = await group(alice, 'zoe')
    const first = await say(alice, conversationId, 'kept')
    const second = await say(alice, conversationId, 'taken back')
    await alice.tell({ type: 'recall', conversationId, seq: second })
    await zoe.tell({ type: 'react', conversationId, seq: first, emoji: '👍', on: true })
    const frames = async (): Promise<ServerFrame[]> => {
      const packed = await zoe.ask<ServerFrames['packed']>({ type: 'overview' })
      expect(packed.last).toBe(true)
      const bytes = inflateRawSync(Buffer.from(packed.data as unknown as string, 'base64'))
      return JSON.parse(bytes.toString('utf8')) as ServerFrame[]
    }
    let [list, page] = await frames()
    while (JSON.stringify([list, page]).includes('"partial":true') || !page) [list, page] = await frames()
    expect(list).toMatchObject({
      type: 'conversationsResult',
      conversations: [{ conversationId, unread: 1 }],
    })
    expect(page).toMatchObject({ type: 'historyResult', conversationId, more: false })
    const { items, reactions } = page as ServerFrames['historyResult']
    expect(kindsOf(items)).toEqual(['created', 'message', 'message', 'recalled', 'reacted'])
    expect(reactions).toEqual([{ seq: first, emoji: '👍', count: 1, mine: true }])
    expect(JSON.stringify([list, page])).not.toContain('taken back')
  })
})
