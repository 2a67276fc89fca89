import { describe, expect, test } from 'vitest'
import { memoryStore, type Store } from '../../../client/store.ts'
import { type ClientWorld, clientWorld } from '../../support/client-world.ts'
import { noFaults } from '../../support/fake-gateway.ts'

const room = 'g:room'
const said = (text: string) => ({
  ...{ conversationId: room, kind: 'message' as const, senderId: 'ann', packId: `id ${text}` },
  ...{ contentType: 'text', content: { text } },
})
const recall = (targetSeq: number) => ({
  ...{
    conversationId: room,
    kind: 'recalled' as const,
    senderId: 'ann',
    packId: `r ${targetSeq}`,
    targetSeq,
  },
})
const edit = (targetSeq: number) => ({ ...said(`edit of ${targetSeq}`), kind: 'edited' as const, targetSeq })

/** Says what bob's handlers hear, in order. */
function listening(told: string[]) {
  return {
    message: (one: { conversationId: string; seq: number }) =>
      void told.push(`message ${one.conversationId}/${one.seq}`),
    recalled: (one: { targetSeq: number }) => void told.push(`recalled ${one.targetSeq}`),
    edited: (one: { targetSeq: number }) => void told.push(`edited ${one.targetSeq}`),
    conversation: (one: { reason: string }) => void told.push(one.reason),
  }
}

/** A first run that takes three messages and ends. */
async function firstRun(world: ClientWorld, store: Store): Promise<void> {
  const { gateway, online, time } = world
  gateway.groups.set(room, new Map([['bob', 1]]))
  const bob = await online('bob', { store })
  for (const text of ['a', 'b', 'c']) gateway.append(said(text))
  await time.run(3_000)
  const closing = bob.close()
  await time.run(1_000)
  await closing
}

describe('a client that comes back with its store', () => {
  test('hears of recalls and edits before it is connected, and of them before any message', async () => {
    const world = clientWorld(1)
    const { gateway, connect, time } = world
    const store = memoryStore()
    await firstRun(world, store)
    for (const text of ['d', 'e']) gateway.append(said(text))
    gateway.append(recall(2))
    gateway.append(edit(3))
    const told: string[] = []
    const connecting = connect('bob', { store, on: listening(told) }).then((bob) => {
      told.push('connected')
      return bob
    })
    await time.run(5_000)
    await connecting
    expect(told).toEqual([
      ...['recalled 2', 'edited 3', 'connected', `message ${room}/4`, `message ${room}/5`],
    ])
  })

  test('hears of recalls and edits made while it was out of the group', async () => {
    const world = clientWorld(5)
    const { gateway, time } = world
    const store = memoryStore()
    await firstRun(world, store)
    gateway.remove(room, 'bob')
    gateway.append(recall(2))
    gateway.readmit(room, 'bob')
    const told: string[] = []
    await world.online('bob', { store, on: listening(told) })
    await time.run(5_000)
    expect(told).toEqual(['recalled 2'])
    gateway.remove(room, 'bob')
    await time.run(5_000)
    for (const text of ['not', 'for him']) gateway.append(said(text))
    gateway.append(edit(3))
    gateway.append(recall(1))
    await time.run(5_000)
    expect(told).toEqual(['recalled 2'])
    gateway.readmit(room, 'bob')
    gateway.append(said('d'))
    await time.run(5_000)
    expect(told).toEqual(['recalled 2', 'edited 3', 'recalled 1', `message ${room}/13`])
  })

  test('is told of a recall though nothing else has happened', async () => {
    const world = clientWorld(2)
    const store = memoryStore()
    await firstRun(world, store)
    world.gateway.append(recall(1))
    const told: string[] = []
    await world.online('bob', { store, on: listening(told) })
    await world.time.run(5_000)
    expect(told).toEqual(['recalled 1'])
  })

  test('misses no recall when its handlers come only after it is connected', async () => {
    const world = clientWorld(3)
    const store = memoryStore()
    await firstRun(world, store)
    world.gateway.append(recall(1))
    world.gateway.append(said('d'))
    const told: string[] = []
    const connecting = world.connect('bob', { store })
    void connecting.then((bob) => {
      for (const [event, handler] of Object.entries(listening(told))) bob.on(event as never, handler as never)
    })
    await world.time.run(5_000)
    expect(told).toEqual(['recalled 1', `message ${room}/5`])
  })

  test('asks for the changes of all conversations before it reads a page of any', async () => {
    const world = clientWorld(4)
    const { gateway, online, time } = world
    const rooms = Array.from({ length: 12 }, (_, i) => `g:${i}`)
    for (const of of rooms) gateway.groups.set(of, new Map([['bob', 1]]))
    const store = memoryStore()
    const first = await online('bob', { store })
    for (const of of rooms) gateway.append({ ...said('x'), conversationId: of })
    await time.run(3_000)
    const closing = first.close()
    await time.run(1_000)
    await closing
    for (const of of rooms) {
      gateway.append({ ...said('y'), conversationId: of })
      gateway.append({ ...recall(1), conversationId: of })
    }
    gateway.seen.length = 0
    await online('bob', { store })
    await time.run(5_000)
    const asked = gateway.seen.flatMap(({ type }) => (type === 'sync' || type === 'history' ? [type] : []))
    expect(asked.filter((type) => type === 'sync')).toHaveLength(rooms.length)
    expect(asked.lastIndexOf('sync')).toBeLessThan(asked.indexOf('history'))
  })

  test('asks on until an answer is whole, also where one looks through few changes', async () => {
    const world = clientWorld(5)
    const store = memoryStore()
    await firstRun(world, store)
    world.gateway.syncMax = 2
    for (const text of ['d', 'e', 'f', 'g']) world.gateway.append(said(text))
    // Of messages that it does not hold, so that the first answers tell nothing.
    for (let i = 0; i < 9; i++) world.gateway.append(edit(7))
    world.gateway.append(recall(1))
    for (let i = 0; i < 60; i++) world.gateway.append(said(`later ${i}`))
    const told: string[] = []
    await world.online('bob', { store, catchUpMax: 20, on: listening(told) })
    await world.time.run(5_000)
    expect(told.filter((what) => what.startsWith('recalled'))).toEqual(['recalled 1'])
    expect(told.indexOf('recalled 1')).toBeLessThan(told.indexOf('jumped'))
  })

  test('asks for a store that keeps positions only as if anything up to them was held', async () => {
    const world = clientWorld(6)
    const kept = memoryStore()
    const store: Store = {
      ...kept,
      savePositions: (userId, moved) => kept.savePositions(userId, moved, new Map()),
    }
    await firstRun(world, store)
    world.gateway.append(recall(2))
    const told: string[] = []
    await world.online('bob', { store, on: listening(told) })
    await world.time.run(5_000)
    expect(told).toEqual(['recalled 2'])
  })

  test('is told to drop its copy where changes are no longer known', async () => {
    const world = clientWorld(7)
    const store = memoryStore()
    await firstRun(world, store)
    world.gateway.append(recall(2))
    world.gateway.syncFloor.set(room, 4)
    const told: string[] = []
    const bob = await world.online('bob', { store, on: listening(told) })
    await world.time.run(5_000)
    expect(told).toEqual(['reset', 'recalled 2'])
    expect(bob.held(room)).toEqual([{ from: 4, to: 4 }])
  })

  test('catches its own stream up by position: settings, profile and marks set on another device', async () => {
    const world = clientWorld(8)
    const { gateway, online, time } = world
    const store = memoryStore()
    await firstRun(world, store)
    const own = { conversationId: 'u:bob', senderId: 'bob' }
    gateway.append({ ...own, packId: '1', kind: 'setting', key: 'pin:g:room', value: '1' })
    gateway.append({ ...own, packId: '2', kind: 'profile', value: '{"name":"Bob","custom":"{\\"a\\":1}"}' })
    gateway.append({
      ...{ ...own, packId: '3', kind: 'read', readConversationId: room, readSeq: 3, readOrdinal: 3 },
    })
    const told: unknown[] = []
    await online('bob', {
      store,
      on: {
        setting: (change) => void told.push(change),
        profile: (change) => void told.push(change),
        read: (change) => void told.push(change),
      },
    })
    await time.run(5_000)
    expect(told).toEqual([
      { key: 'pin:g:room', value: '1', seq: 1 },
      { userId: 'bob', version: 2, changes: { name: 'Bob', custom: { a: 1 } } },
      { conversationId: room, seq: 3, ordinal: 3 },
    ])
  })

  test('reads its settings anew where its own stream is too far ahead to tell all', async () => {
    const world = clientWorld(9)
    const { gateway, online, time } = world
    const own = { conversationId: 'u:bob', senderId: 'bob', kind: 'setting' as const }
    const bob = await online('bob', { catchUpMax: 20 })
    const settled = [bob.setSetting('gone', 'x'), bob.setSetting('old', '1')]
    await time.run(1_000)
    await Promise.all(settled)
    const read = bob.settings()
    await time.run(100)
    await read
    const told = new Map<string, string | null>()
    bob.on('setting', ({ key, value }) => void told.set(key, value))
    gateway.killAll()
    gateway.append({ ...own, packId: 'g', key: 'gone', value: null })
    gateway.append({ ...own, packId: 'n', key: 'new', value: '2' })
    for (let i = 0; i < 200; i++) gateway.append({ ...own, packId: `${i}`, key: 'busy', value: `${i}` })
    await time.run(20_000)
    expect([told.get('gone'), told.get('new'), told.get('busy')]).toEqual([null, '2', '199'])
  })
})

test('kinds of a newer server are skipped, and what follows them is told', async () => {
  const { gateway, online, time } = clientWorld(10)
  gateway.groups.set(room, new Map([['bob', 1]]))
  const told: string[] = []
  await online('bob', { on: listening(told) })
  gateway.append(said('a'))
  gateway.append({ ...said('b'), kind: 'ofTomorrow' as never })
  gateway.tell('bob', { type: 'frameOfTomorrow' } as never)
  gateway.append(said('c'))
  await time.run(3_000)
  expect(told).toEqual(['new', `message ${room}/1`, `message ${room}/3`])
})

test('a page read before its conversation was heard of is kept current, also over a jump', async () => {
  const { gateway, online, settled, time } = clientWorld(11)
  const told: string[] = []
  const bob = await online('bob', { catchUpMax: 20, on: listening(told) })
  const unheard = async (append: () => void): Promise<void> => {
    gateway.faults = { ...noFaults, lose: 1 }
    append()
    await time.run(20)
    gateway.faults = noFaults
  }
  gateway.groups.set(room, new Map([['bob', 1]]))
  await unheard(() => {
    for (const text of ['a', 'b', 'c']) gateway.append(said(text))
  })
  const page = await settled(bob.history(room), 50)
  expect([page.firstSeq, page.lastSeq, told]).toEqual([1, 3, []])
  await unheard(() => {
    gateway.append(recall(2))
    for (let i = 0; i < 400; i++) gateway.append(said(`${i}`))
  })
  await time.run(20_000)
  expect(told.slice(0, 3)).toEqual(['new', 'recalled 2', 'jumped'])
})
