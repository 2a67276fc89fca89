import { describe, expect, test } from 'vitest'
import type { ServerFrame } from '../../../schemas/frames.ts'
import { limits } from '../../../schemas/limits.ts'
import { type RoomClient, roomWorld } from '../../support/room-world.ts'
import { virtualTime } from '../../support/virtual-time.ts'

const RED = 'red'
const start = (sliceMax?: number) => {
  const time = virtualTime(1_000_000)
  return { time, world: roomWorld(time, sliceMax) }
}
const join = (client: RoomClient, roomId = RED, newest: number | null = null): void =>
  client.say({ type: 'joinRoom', id: client.frames.length + 1, roomId, newest })
const itemsOf = ({ frames }: RoomClient) =>
  frames.flatMap((frame) => (frame.type === 'roomItems' ? [frame] : []))
const resultsOf = ({ frames }: RoomClient) =>
  frames.flatMap((frame) => (frame.type === 'roomResult' ? [frame] : []))
const seqsOf = (frame: { items: readonly { seq: number }[] } | undefined) =>
  frame?.items.map(({ seq }) => seq)

describe('joining a room', () => {
  test('begins with the newest, and goes on behind them without a hole while much is said', async () => {
    const { time, world } = start()
    world.trailsBy = 30
    const client = world.client()
    for (let n = 0; n < 100; n++) await world.said(RED)
    join(client, RED, 5)
    for (let n = 0; n < 40; n++) {
      await world.said(RED)
      await time.run(2)
    }
    await time.run(200)
    const [result] = resultsOf(client)
    expect(result?.items).toHaveLength(5)
    expect(seqsOf(result)?.at(-1)).toBe(result?.headSeq)
    const shown = itemsOf(client).flatMap(({ items }) => items.map(({ seq }) => seq))
    const from = (result?.headSeq ?? 0) + 1
    expect(shown).toEqual(Array.from({ length: 140 - from + 1 }, (_, i) => from + i))
    expect(itemsOf(client).every(({ skipped }) => skipped === 0)).toBe(true)
  })

  test('by thousands reads the store once', async () => {
    const { time, world } = start()
    await world.said(RED)
    const clients = Array.from({ length: 500 }, () => world.client())
    for (const client of clients) join(client)
    await time.run(100)
    const late = world.client()
    join(late)
    await time.run(1)
    for (const client of [...clients, late]) expect(seqsOf(resultsOf(client)[0])).toEqual([1])
    expect(world.counters.roomReads).toBe(1)
  })

  test('works without the store, and says that the newest may be missing', async () => {
    const { time, world } = start()
    world.online.down = true
    const client = world.client()
    join(client)
    await time.run(10)
    expect(resultsOf(client)).toMatchObject([{ partial: true, conversationId: 'r:red' }])
    await world.said(RED)
    await time.run(100)
    expect(itemsOf(client)).toMatchObject([{ skipped: 0, items: [{ seq: 1 }] }])
  })

  test('takes the place of a join that is not answered, which hears so', async () => {
    const { time, world } = start()
    const client = world.client()
    client.say({ type: 'joinRoom', id: 1, roomId: RED, newest: null })
    client.say({ type: 'joinRoom', id: 2, roomId: 'blue', newest: null })
    client.say({ type: 'joinRoom', id: 3, roomId: 'no room', newest: null })
    await time.run(100)
    expect(client.frames.map((frame) => [frame.type, 'id' in frame && frame.id])).toEqual([
      ['error', 1],
      ['error', 3],
      ['roomResult', 2],
    ])
    expect(client.frames[0]).toMatchObject({ code: 'superseded' })
    expect(client.frames[1]).toMatchObject({ code: 'bad_id' })
    client.say({ type: 'leaveRoom', id: 4 })
    await world.said('blue')
    await time.run(100)
    expect(client.frames.at(-1)).toMatchObject({ type: 'roomResult', id: 4 })
    expect(world.rooms.seated()).toBe(0)
  })
})

describe('what is said in a room', () => {
  const joined = async (count: number, sliceMax?: number) => {
    const { time, world } = start(sliceMax)
    const clients = Array.from({ length: count }, () => world.client())
    for (const client of clients) join(client)
    await time.run(1_000)
    return { time, world, clients, first: clients[0] as RoomClient }
  }

  test('is encoded once, whatever the number of those who get it', async () => {
    const { time, world, clients } = await joined(50)
    await world.said(RED)
    await time.run(100)
    expect(new Set(clients.map(({ bytes }) => bytes.at(-1))).size).toBe(1)
    expect(itemsOf(clients[49] as RoomClient)).toHaveLength(1)
  })

  test('goes out at once where little is said, and together where much is', async () => {
    const { time, world, first } = await joined(3)
    for (let n = 0; n < 5; n++) {
      await world.said(RED)
      await time.run(1)
      expect(itemsOf(first)).toHaveLength(n + 1)
      await time.run(limits.roomWindowMs)
    }
    for (let n = 0; n < 100; n++) {
      await world.said(RED)
      await time.run(5)
    }
    await time.run(100)
    expect(itemsOf(first).length).toBeLessThanOrEqual(5 + 500 / limits.roomWindowMs + 2)
    expect(itemsOf(first).reduce((sum, { items }) => sum + items.length, 0)).toBe(105)
  })

  test('too fast loses its oldest, and the next frame says how many', async () => {
    const { time, world, first } = await joined(3)
    for (let n = 0; n < 1_000; n++) await world.said(RED)
    await time.run(100)
    const [frame, ...more] = itemsOf(first)
    expect(more).toEqual([])
    expect(frame?.items).toHaveLength(limits.roomItemsPerFrameMax)
    expect(frame?.skipped).toBe(1_000 - limits.roomItemsPerFrameMax)
    expect(world.counters.roomItemsDropped).toBe(1_000 - limits.roomItemsPerFrameMax)
  })

  test('passes a slow connection by, which stays open and is told when it has caught up', async () => {
    const { time, world, first, clients } = await joined(3)
    first.buffered = limits.roomSocketBufferBytesMax + 1
    for (let n = 0; n < 7; n++) {
      await world.said(RED)
      await time.run(100)
    }
    expect(itemsOf(first)).toEqual([])
    first.buffered = 0
    await world.said(RED)
    await time.run(100)
    expect(itemsOf(first)).toMatchObject([{ skipped: 7, items: [{ seq: 8 }] }])
    expect(itemsOf(clients[1] as RoomClient).every(({ skipped }) => skipped === 0)).toBe(true)
    expect(world.counters.roomFramesSkipped).toBe(7)
  })

  test('and taken back before it goes out is never shown', async () => {
    const { time, world, first } = await joined(2)
    await world.said(RED)
    await time.run(10)
    const seq = await world.said(RED)
    await world.said(RED, { change: seq })
    await time.run(200)
    const shown = itemsOf(first).flatMap(({ items }) => items)
    expect(shown.map(({ seq, kind, content }) => [seq, kind, content ?? null])).toEqual([
      [1, 'message', { text: 'hi' }],
      [2, 'message', null],
      [3, 'recalled', null],
    ])
    const late = world.client()
    join(late)
    await time.run(10)
    expect(resultsOf(late)[0]?.items[1]).toMatchObject({ seq: 2, targetSeq: 3 })
  })

  test('goes to many in slices, between which others have their turn, and to nobody who has left meanwhile', async () => {
    const { time, world, clients, first } = await joined(100, 10)
    await world.said(RED)
    const done: number[] = []
    const count = (): void => {
      done.push(clients.filter((client) => itemsOf(client).length > 0).length)
      if (done.at(-1) === 10) {
        const last = clients.at(-1) as RoomClient
        join(last, 'blue')
      }
      if (done.length < 12) time.after(0, count)
    }
    time.after(0, count)
    await time.run(100)
    expect(done.slice(0, 4)).toEqual([10, 20, 30, 40])
    expect(itemsOf(first)).toHaveLength(1)
    expect(itemsOf(clients.at(-1) as RoomClient)).toEqual([])
  })

  test('is taken at a rate that the room has for all of this gateway', async () => {
    const { world } = await joined(1)
    const taken = Array.from({ length: 1_000 }, () => world.rooms.admits('r:red')).filter(Boolean)
    expect(taken).toHaveLength(limits.roomCommandsBurstPerGatewayMax)
    expect(world.rooms.admits('r:blue')).toBe(true)
    expect(world.rooms.admits('g:red')).toBe(true)
  })
})

describe('a room that everyone has left', () => {
  test('is forgotten after a while, and its interest taken back', async () => {
    const { time, world } = start()
    const client = world.client()
    join(client)
    await time.run(100)
    expect(world.online.interests.get('r:red')?.size).toBe(1)
    client.close()
    for (let n = 0; n < 3; n++) {
      void world.rooms.refresh()
      await time.run(limits.onlineRefreshMs)
    }
    expect(world.rooms.rooms()).toBe(0)
    expect(world.online.interests.get('r:red')?.size ?? 0).toBe(0)
    expect(client.frames.filter((frame: ServerFrame) => frame.type === 'roomItems')).toEqual([])
  })
})
