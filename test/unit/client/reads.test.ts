import { describe, expect, test } from 'vitest'
import { inflateRaw } from '../../../client/environment.ts'
import { type ClientWorld, clientWorld } from '../../support/client-world.ts'
import { noFaults } from '../../support/fake-gateway.ts'

const said = (conversationId: string, text: string, senderId = 'ann') => ({
  ...{ conversationId, kind: 'message' as const, senderId, packId: `${conversationId} ${text}` },
  ...{ contentType: 'text', content: { text } },
})
/** Conversations of bob, each with as many messages as its number. */
function withRooms(seed: number, rooms: number): ClientWorld {
  const world = clientWorld(seed)
  for (let i = 1; i <= rooms; i++) {
    world.gateway.groups.set(`g:${i}`, new Map([['bob', 1]]))
    for (let n = 1; n <= i; n++) world.gateway.append(said(`g:${i}`, `${n}`))
  }
  return world
}

describe('the list of conversations', () => {
  test('is an array, and goes page by page to its end without a double', async () => {
    const world = withRooms(1, 7)
    const bob = await world.online('bob')
    const list = await world.settled(bob.conversations({ limit: 3 }))
    expect(Array.isArray(list) && list.length).toBe(3)
    const seen: string[] = []
    let before: string | undefined
    do {
      const page = await world.settled(bob.conversationPage({ limit: 3, before }))
      seen.push(...page.conversations.map(({ conversationId }) => conversationId))
      before = page.next ?? undefined
    } while (before !== undefined)
    expect(seen.toSorted()).toEqual(Array.from({ length: 7 }, (_, i) => `g:${i + 1}`))
  })
})

describe('an overview', () => {
  test('brings the list and the newest pages out of compressed batches', async () => {
    const world = withRooms(2, 6)
    const bob = await world.online('bob')
    const { conversations, pages, partial } = await world.settled(bob.overview({ pages: 4 }))
    expect(partial).toBe(false)
    expect(conversations).toHaveLength(6)
    expect(pages.size).toBe(4)
    for (const { conversationId, lastSeq } of conversations.slice(0, 4))
      expect(pages.get(conversationId)?.messages.map(({ seq }) => seq)).toEqual(
        Array.from({ length: lastSeq }, (_, i) => i + 1),
      )
    expect(world.gateway.seen.filter(({ type }) => type === 'history')).toHaveLength(0)
  })

  test('asks again for the parts that trailed, and for nothing else', async () => {
    const world = withRooms(3, 6)
    const bob = await world.online('bob')
    world.gateway.faults = { ...noFaults, partial: 0.5 }
    const { conversations, pages } = await world.settled(bob.overview(), 30_000)
    expect(conversations).toHaveLength(6)
    for (const { conversationId, lastSeq } of conversations)
      expect(pages.get(conversationId)?.lastSeq).toBe(lastSeq)
    expect(world.gateway.seen.filter(({ type }) => type === 'overview')).toHaveLength(1)
  })

  test('rejects with the code of a server that refuses it', async () => {
    const world = withRooms(4, 1)
    const bob = await world.online('bob')
    const asking = bob.overview()
    const failed = asking.catch((error: { code: string }) => error.code)
    await bob.close({ deadlineMs: 0 }).catch(() => {})
    await world.time.run(1_000)
    expect(await failed).toMatch(/closed|unavailable/)
  })

  test('counts what it read as held: a recall while away is told first', async () => {
    const world = withRooms(5, 3)
    const told: number[] = []
    const bob = await world.online('bob', { on: { recalled: ({ targetSeq }) => void told.push(targetSeq) } })
    await world.settled(bob.overview())
    expect(bob.held('g:3')).toEqual([{ from: 1, to: 3 }])
    world.gateway.killAll()
    world.gateway.append({ ...said('g:3', 'r'), kind: 'recalled', targetSeq: 2 })
    await world.time.run(20_000)
    expect(told).toEqual([2])
  })

  test('inflates the same way where only the web’s streams are', async () => {
    const { deflateRawSync } = await import('node:zlib')
    const text = 'grüße 👋'.repeat(10_000)
    const bytes = deflateRawSync(text)
    const builtin = process.getBuiltinModule
    const decoded = async () => new TextDecoder().decode(await inflateRaw(new Uint8Array(bytes)))
    expect(await decoded()).toBe(text)
    try {
      process.getBuiltinModule = (() => undefined) as never
      expect(await decoded()).toBe(text)
    } finally {
      process.getBuiltinModule = builtin
    }
  })
})

describe('unread messages', () => {
  test('are those that the server counts: above the mark, not one’s own, not recalled, by seq', async () => {
    const world = clientWorld(6)
    const { gateway, time } = world
    gateway.groups.set('g:1', new Map([['bob', 1]]))
    for (let i = 1; i <= 300; i++) gateway.append(said('g:1', `${i}`, i % 10 === 0 ? 'bob' : 'ann'))
    const bob = await world.online('bob')
    void bob.markRead('g:1', 40)
    gateway.append({ ...said('g:1', 'r'), kind: 'recalled', targetSeq: 77 })
    await time.run(3_000)
    const expected = Array.from({ length: 260 }, (_, i) => 41 + i).filter((seq) => seq % 10 && seq !== 77)
    const all = await world.settled(bob.unreadMessages('g:1', { limit: 1_000 }))
    expect(all.map(({ seq }) => seq)).toEqual(expected)
    expect(all[0]).toMatchObject({ packId: 'g:1 41', seq: 41 })
    const [entry] = await world.settled(bob.conversations())
    expect(entry?.unread).toBe(expected.length)
    const newest = await world.settled(bob.unreadMessages('g:1', { limit: 5 }))
    expect(newest.map(({ seq }) => seq)).toEqual(expected.slice(-5))
    expect(await world.settled(bob.unreadMessages('g:none'))).toEqual([])
  })

  test('of one who joined late begin with his joining', async () => {
    const world = clientWorld(7)
    for (let i = 1; i <= 9; i++) world.gateway.append(said('g:1', `${i}`))
    world.gateway.groups.set('g:1', new Map([['bob', 8]]))
    const bob = await world.online('bob')
    const unread = await world.settled(bob.unreadMessages('g:1'))
    expect(unread.map(({ seq }) => seq)).toEqual([8, 9])
  })
})

describe('single questions', () => {
  test('a quoted message is read alone, with its current content; none where there is none', async () => {
    const world = withRooms(8, 4)
    world.gateway.append({ ...said('g:4', 'better'), kind: 'edited', targetSeq: 2 })
    const bob = await world.online('bob')
    const quoted = await world.settled(bob.message('g:4', 2))
    expect(quoted).toMatchObject({ seq: 2, content: { type: 'text', text: 'better' }, changedBy: 5 })
    expect(await world.settled(bob.message('g:4', 5))).toBeNull()
    expect(await world.settled(bob.message('g:4', 99))).toBeNull()
    await expect(world.settled(bob.message('g:other', 1))).rejects.toMatchObject({ code: 'not_member' })
  })

  test('search, members and readers go page by page', async () => {
    const world = withRooms(9, 5)
    const bob = await world.online('bob')
    const first = await world.settled(bob.search({ query: '1', limit: 3 }))
    const rest = await world.settled(bob.search({ query: '1', limit: 3, before: first.next ?? '' }))
    expect([first.messages.length, rest.messages.length, rest.next]).toEqual([3, 2, null])
    world.gateway.groups.set('g:5', new Map(['ann', 'bob', 'cid'].map((user, i) => [user, i + 1])))
    const members = await world.settled(bob.members('g:5', { limit: 2 }))
    expect(members.members.map(({ userId }) => userId)).toEqual(['ann', 'bob'])
    const more = await world.settled(bob.members('g:5', { after: members.next ?? '' }))
    expect(more).toMatchObject({ members: [{ userId: 'cid', joinedSeq: 3 }], next: null })
    void bob.markRead('g:5', 4)
    await world.time.run(3_000)
    expect(await world.settled(bob.readers('g:5', 4))).toMatchObject({ count: 1, readers: ['bob'] })
    expect(await world.settled(bob.readers('g:5', 5))).toMatchObject({ count: 0, readers: [] })
  })
})
