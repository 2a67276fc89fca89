import { describe, expect, test } from 'vitest'
import type { JoinedRoom, RoomNews } from '../../../client/api.ts'
import { LongwireError } from '../../../client/error.ts'
import { createRooms } from '../../../client/rooms.ts'
import type { Item } from '../../../client/wire.ts'
import { virtualTime } from '../../support/virtual-time.ts'

const item = (seq: number, part: Partial<Item> = {}): Item => ({
  ...{
    conversationId: 'r:hall',
    seq,
    ordinal: seq,
    kind: 'message',
    time: 1,
    senderId: 'bob',
    packId: `p${seq}`,
  },
  ...{
    contentType: 'text',
    content: { text: `${seq}` },
    mentions: [],
    mentionAll: false,
    members: [],
    ...part,
  },
})
const items = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => item(from + i))

/** A client of rooms whose questions the test answers. */
function given() {
  const time = virtualTime(0)
  const asked: { question: object; answer(part: object): void; refuse(code: string): void }[] = []
  const news: RoomNews[] = []
  const seen: number[] = []
  const rooms = createRooms({
    clock: time,
    requests: {
      ask: ((question: object) =>
        new Promise((resolve, reject) => {
          const whole = { type: 'roomResult', id: 1, conversationId: 'r:hall', partial: false, items: [] }
          const answer = (part: object): void => resolve({ ...whole, headSeq: 0, ...part })
          asked.push({ question, answer, refuse: (code) => reject(new LongwireError(code)) })
        })) as never,
    },
    emitter: { emit: ((_: 'room', one: RoomNews) => void news.push(one)) as never },
    userId: () => 'ann',
    seen: ({ seq }) => void seen.push(seq),
  })
  const last = () => asked.at(-1) as (typeof asked)[number]
  return { time, rooms, asked, last, news, seen }
}
const told = (news: readonly RoomNews[]) =>
  news.map(({ messages, skipped }) => [messages.map(({ seq }) => seq), skipped])

describe('a room in the SDK', () => {
  test('begins with what the answer holds and tells what comes behind it, each once', async () => {
    const { time, rooms, last, news, seen } = given()
    rooms.online()
    const joining = rooms.joinRoom('hall', { newest: 5 })
    expect(last().question).toEqual({ type: 'joinRoom', roomId: 'hall', newest: 5 })
    // Of the room before: not answered yet.
    rooms.came({ type: 'roomItems', conversationId: 'r:hall', skipped: 0, items: items(1, 1) })
    last().answer({ headSeq: 4, items: items(2, 4) })
    const joined: JoinedRoom = await joining
    expect(joined.messages.map(({ seq }) => seq)).toEqual([2, 3, 4])
    rooms.came({
      type: 'roomItems',
      conversationId: 'r:hall',
      skipped: 0,
      items: [item(5, { senderId: 'ann' })],
    })
    rooms.came({ type: 'roomItems', conversationId: 'r:hall', skipped: 3, items: items(9, 10) })
    rooms.came({ type: 'roomItems', conversationId: 'r:other', skipped: 0, items: items(1, 1) })
    await time.run(0)
    expect(told(news)).toEqual([
      [[5], 0],
      [[9, 10], 3],
    ])
    expect(seen).toEqual([5])
  })

  test('is joined again on each connection, and what was missed is told or said', async () => {
    const { time, rooms, asked, last, news } = given()
    rooms.online()
    const joining = rooms.joinRoom('hall')
    last().answer({ headSeq: 4, items: items(3, 4) })
    await joining
    rooms.offline()
    rooms.online()
    expect(asked).toHaveLength(2)
    last().answer({ headSeq: 20, items: items(16, 20) })
    await time.run(0)
    rooms.offline()
    rooms.online()
    // A gateway that trails: nothing is told twice, and nothing is said to be missing.
    last().answer({ headSeq: 18, items: items(17, 18), partial: true })
    await time.run(0)
    rooms.came({ type: 'roomItems', conversationId: 'r:hall', skipped: 0, items: items(19, 22) })
    expect(told(news)).toEqual([
      [[16, 17, 18, 19, 20], 11],
      [[21, 22], 0],
    ])
  })

  test('asked for while away is joined as soon as there is a connection, and later where the server asks for time', async () => {
    const { time, rooms, asked, last } = given()
    const joining = rooms.joinRoom('hall')
    expect(asked).toEqual([])
    rooms.online()
    last().refuse('rate_limited')
    await time.run(1_000)
    expect(asked).toHaveLength(2)
    last().answer({})
    expect(await joining).toMatchObject({ roomId: 'hall', conversationId: 'r:hall', messages: [] })
  })

  test('is left by the next call about rooms, whatever comes of the one before', async () => {
    const { time, rooms, asked, last, news } = given()
    rooms.online()
    const first = rooms.joinRoom('hall')
    const second = rooms.joinRoom('other')
    await expect(first).rejects.toMatchObject({ code: 'superseded' })
    asked[0]?.answer({ headSeq: 9, items: items(9, 9) })
    last().answer({ conversationId: 'r:other', headSeq: 0 })
    expect(await second).toMatchObject({ roomId: 'other' })
    const leaving = rooms.leaveRoom()
    last().answer({ conversationId: null })
    await leaving
    rooms.came({ type: 'roomItems', conversationId: 'r:other', skipped: 0, items: items(1, 1) })
    rooms.offline()
    rooms.online()
    await time.run(1_000)
    expect(asked).toHaveLength(3)
    expect(news).toEqual([])
  })

  test('that cannot be joined rejects, and is not tried again', async () => {
    const { rooms, asked, last } = given()
    rooms.online()
    const joining = rooms.joinRoom('no room')
    last().refuse('bad_id')
    await expect(joining).rejects.toMatchObject({ code: 'bad_id' })
    rooms.offline()
    rooms.online()
    expect(asked).toHaveLength(1)
  })

  test('stays the one it was where another one is refused, and goes on in it', async () => {
    const { time, rooms, last, news } = given()
    rooms.online()
    const joining = rooms.joinRoom('hall')
    last().answer({ headSeq: 4 })
    await joining
    const refused = rooms.joinRoom('no such room')
    rooms.came({ type: 'roomItems', conversationId: 'r:hall', skipped: 0, items: items(5, 5) })
    last().refuse('bad_id')
    await expect(refused).rejects.toMatchObject({ code: 'bad_id' })
    rooms.came({ type: 'roomItems', conversationId: 'r:hall', skipped: 0, items: items(6, 6) })
    await time.run(0)
    expect(told(news)).toEqual([
      [[5], 0],
      [[6], 0],
    ])
  })

  test('is joined again where the one asked for instead is refused on a later connection', async () => {
    const { time, rooms, asked, last, news } = given()
    rooms.online()
    const joining = rooms.joinRoom('hall')
    last().answer({ headSeq: 4 })
    await joining
    const refused = rooms.joinRoom('other')
    rooms.offline()
    rooms.online()
    last().refuse('not_allowed')
    await expect(refused).rejects.toMatchObject({ code: 'not_allowed' })
    expect(asked.map(({ question }) => (question as { roomId?: string }).roomId)).toEqual([
      ...['hall', 'other', 'other', 'hall'],
    ])
    last().answer({ headSeq: 6, items: items(5, 6) })
    await time.run(0)
    expect(told(news)).toEqual([[[5, 6], 0]])
  })

  test('is left in the end, though the server turned the first try down', async () => {
    const { time, rooms, asked, last } = given()
    rooms.online()
    const joining = rooms.joinRoom('hall')
    last().answer({ headSeq: 4 })
    await joining
    const left = rooms.leaveRoom()
    last().refuse('rate_limited')
    await time.run(1_000)
    expect(asked.length).toBe(3)
    last().answer({})
    await left
  })

  test('answers nobody for ever once the client has ended', async () => {
    const { rooms } = given()
    rooms.online()
    const joining = rooms.joinRoom('hall')
    rooms.ended(new LongwireError('closed'))
    await expect(joining).rejects.toMatchObject({ code: 'closed' })
    await expect(rooms.joinRoom('hall')).rejects.toMatchObject({ code: 'closed' })
  })
})
