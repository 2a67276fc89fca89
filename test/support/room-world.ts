/** Gateways with live rooms under virtual time: sessions, outbox and rooms as they are; log, timeline and fan-out played. */
import type { Connection } from '../../gateway/connections.ts'
import { createConnections } from '../../gateway/connections.ts'
import { type Counters, newCounters } from '../../gateway/counters.ts'
import { createOutbox } from '../../gateway/outbox.ts'
import { createRooms, type Rooms } from '../../gateway/rooms.ts'
import { step } from '../../gateway/session.ts'
import { openSession } from '../../gateway/session-open.ts'
import type { Input } from '../../gateway/session-types.ts'
import { silentLog } from '../../infra/log.ts'
import { createMemoryOnlineMap } from '../../infra/memory/online-map.ts'
import type { ClientFrame, Item, ServerFrame } from '../../schemas/frames.ts'
import { roomStream } from '../../schemas/ids.ts'
import { limits } from '../../schemas/limits.ts'
import { defaultWindows } from '../../schemas/windows.ts'
import { connect } from './fake-connection.ts'
import type { VirtualTime } from './virtual-time.ts'

export interface RoomClient {
  readonly connection: Connection
  readonly frames: ServerFrame[]
  /** The same as they were sent. */
  readonly bytes: Buffer[]
  /** Bytes that it has not taken. */
  buffered: number
  say(frame: ClientFrame): void
  close(): void
}

export interface RoomWorld {
  readonly rooms: Rooms
  readonly counters: Counters
  readonly online: ReturnType<typeof createMemoryOnlineMap>
  client(): RoomClient
  /** Something said in a room: in the log and in the head, delivered where there is interest. Answers its seq. */
  said(roomId: string, options?: { lost?: boolean; change?: number }): Promise<number>
  head(roomId: string): number
  /** How far the timeline is behind the head. */
  trailsBy: number
}

export const itemAt = (conversationId: string, seq: number, part: Partial<Item> = {}): Item => ({
  ...{ conversationId, seq, ordinal: seq, kind: 'message', time: 0, senderId: 'ann', packId: null },
  ...{ contentType: 'text', content: '{"text":"hi"}', mentions: [], mentionAll: false, replyTo: null },
  ...{ targetSeq: null, members: [], name: null, readConversationId: null, readSeq: null },
  ...{ readOrdinal: null, on: null, key: null, value: null, until: null, ...part },
})

export function roomWorld(time: VirtualTime, sliceMax = 2): RoomWorld {
  const online = createMemoryOnlineMap()
  const counters = newCounters()
  const connections = createConnections(1_000)
  const streams = new Map<string, Item[]>()
  const defer = (fn: () => void): void => void time.after(0, fn)
  const outbox = createOutbox(defer, time.after, () => {})
  const streamOf = (conversationId: string): Item[] => {
    const known = streams.get(conversationId) ?? []
    streams.set(conversationId, known)
    return known
  }
  const sleep = (ms: number): Promise<void> => new Promise((resolve) => void time.after(ms, resolve))

  const rooms = createRooms({
    gatewayId: 'g1',
    boot: 'b1',
    reads: {
      async roomPage(conversationId, limit) {
        if (online.down) await online.announced([])
        const head = streamOf(conversationId).length
        await sleep(world.trailsBy)
        const items = streamOf(conversationId).slice(0, Math.max(head, head + 1 - world.trailsBy))
        return { partial: false, headSeq: items.length, items: items.slice(-limit) }
      },
    },
    online: {
      ...online,
      async registerInterest(...of) {
        await sleep(2)
        return online.registerInterest(...of)
      },
    },
    sliceMax,
    outbox,
    counters,
    clock: time,
    log: silentLog,
    defer,
    joined: (connection, ticket, page) => input(connection, { kind: 'joined', ticket, ...page }),
    distrust() {},
  })

  function input(connection: Connection, given: Input): void {
    const settings = { heartbeatMs: 60_000, windows: defaultWindows }
    const { session, effects } = step(connection.session, given, time.now(), settings)
    connection.session = session
    for (const effect of effects) {
      if (effect.do === 'send') outbox.write(connection, connection.codec.encode(effect.frame))
      else if (effect.do === 'joinRoom') rooms.join(connection, effect)
      else if (effect.do === 'leaveRoom') rooms.leave(connection)
    }
  }

  const world: RoomWorld = {
    rooms,
    counters,
    online,
    trailsBy: 0,
    head: (roomId) => streamOf(roomStream(roomId)).length,
    client() {
      const frames: ServerFrame[] = []
      const bytes: Buffer[] = []
      const connection = connect(connections, 'ann', {
        socket: {
          send(given) {
            bytes.push(given)
            frames.push(JSON.parse(given.toString()) as ServerFrame)
            return true
          },
          buffered: () => client.buffered,
        },
      })
      const of = { userId: 'ann', deviceId: 'd', rights: [], heartbeatMs: 60_000, tokenIssuedAt: 0 }
      connection.session = openSession({ ...of, tokenExpiresAt: Number.MAX_SAFE_INTEGER }, time.now())
      const client: RoomClient = {
        connection,
        frames,
        bytes,
        buffered: 0,
        say: (frame) => input(connection, { kind: 'frame', frame, content: null }),
        close() {
          connection.socket = null
          rooms.leave(connection)
          connections.remove(connection)
        },
      }
      return client
    },
    async said(roomId, { lost = false, change } = {}) {
      const conversationId = roomStream(roomId)
      const stream = streamOf(conversationId)
      const part: Partial<Item> =
        change === undefined ? {} : { kind: 'recalled', targetSeq: change, content: null }
      const item = itemAt(conversationId, stream.length + 1, part)
      stream.push(item)
      const interested = await online.interested([conversationId]).catch(() => null)
      const here = interested?.get(conversationId)?.some(({ expiresAt }) => expiresAt > time.now()) ?? true
      if (here && !lost) rooms.deliver(item)
      return item.seq
    },
  }
  return world
}

/** What an app would hold, and what is wrong with what it was told. */
export function reader(client: RoomClient) {
  let room: string | null = null
  let last: number | null = null
  let shown = 0
  let skipped = 0
  let seen = 0
  const wrong: string[] = []

  function take(frame: ServerFrame): void {
    if (frame.type === 'roomResult') {
      room = frame.conversationId ?? null
      last = frame.partial && frame.headSeq === 0 ? null : frame.headSeq
      if (frame.items.some(({ conversationId }) => conversationId !== room))
        wrong.push('a page of another room')
      if (frame.items.length > limits.roomNewestMax) wrong.push('a long page')
      if (frame.items.length > 0 && frame.items.at(-1)?.seq !== frame.headSeq)
        wrong.push('a page not up to its head')
      for (const [i, { seq }] of frame.items.entries())
        if (i > 0 && seq !== (frame.items[i - 1]?.seq ?? 0) + 1) wrong.push('a page with a hole')
    }
    if (frame.type !== 'roomItems') return
    const { conversationId, items } = frame
    if (conversationId !== room) wrong.push(`shown ${conversationId} in ${room}`)
    const first = items[0]?.seq ?? 0
    const upTo = items.at(-1)?.seq ?? 0
    if (last !== null && first <= last) wrong.push(`shown ${first} again behind ${last}`)
    if (last !== null && items.length + frame.skipped !== upTo - last)
      wrong.push(`${items.length} shown and ${frame.skipped} skipped from ${last} to ${upTo}`)
    shown += items.length
    skipped += frame.skipped
    last = upTo
  }

  return {
    wrong,
    read() {
      for (const frame of client.frames.slice(seen)) take(frame)
      seen = client.frames.length
      return { room, last, shown, skipped }
    },
  }
}
