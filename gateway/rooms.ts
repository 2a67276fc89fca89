/**
 * Live rooms on this gateway: who of its connections is in which, and what they are shown. Fan-out sends a room's messages once to
 * each gateway that registered interest; here each is encoded once per encoding and goes to all in the room, in slices, so that
 * nothing else waits long. Under load messages wait for each other and leave as one frame.
 */
import type { OnlineRegistry } from '../infra/redis/online-map.ts'
import type { ReadModels } from '../projections/reads.ts'
import type { Item } from '../schemas/frames.ts'
import { isRoom } from '../schemas/ids.ts'
import { limits } from '../schemas/limits.ts'
import { type Clock, Fault, type Logger } from '../schemas/ports.ts'
import { type Bucket, fullBucket, take as takeToken } from './bucket.ts'
import type { Connection } from './connections.ts'
import type { Counters } from './counters.ts'
import type { Outbox } from './outbox.ts'
import { type Batch, cut, doubt, enter, type Lane, newLane, type Page, partFor, seed, take } from './room.ts'

export interface Rooms {
  /** Out of the room it was in, at once, and into this one: `joined` is told when, unless it is elsewhere by then. */
  join(connection: Connection, ask: JoinAsk): void
  leave(connection: Connection): void
  deliver(item: Item): void
  /** False: more commands come for this room than it takes. True for every other stream. */
  admits(stream: string): boolean
  /** Registers all interest again. Rejects with a Fault when the map does not answer. */
  refresh(): Promise<void>
  rooms(): number
  /** Connections in rooms. */
  seated(): number
  stop(): Promise<void>
}

export interface JoinAsk {
  readonly ticket: number
  readonly conversationId: string
  readonly newest: number
}

export interface RoomsOptions {
  readonly gatewayId: string
  readonly boot: string
  readonly reads: Pick<ReadModels, 'roomPage'>
  readonly online: Pick<OnlineRegistry, 'registerInterest' | 'dropInterest'>
  readonly outbox: Pick<Outbox, 'writeNow'>
  readonly counters: Counters
  readonly clock: Clock
  readonly log: Logger
  /** Connections shown a frame in one turn. Default 256. */
  readonly sliceMax?: number
  /** Runs its argument after the current round of I/O callbacks. */
  defer(fn: () => void): void
  /** From within this call on the room's messages go to the connection. */
  joined(connection: Connection, ticket: number, page: Page): void
  /** The map does not say what it should: fan-out must not go by it for this gateway. */
  distrust(): void
}

type Show = (connection: Connection) => void

interface Room {
  readonly conversationId: string
  readonly lane: Lane
  readonly seats: Set<Connection>
  commands: Bucket
  /** Joins that wait for the newest. */
  waiting: (() => void)[]
  reading: boolean
  /** The store did not answer: not asked again before. */
  askAgainAt: number
  /** Interest stands in the map until then; 0: it does not. */
  interestUntil: number
  /** When nobody was seen in it first; 0: somebody is. */
  emptySince: number
  startedAt: number
  /** What sending the last frame took of this process's time, without what others had in between. */
  busyMs: number
  /** It will be sent by itself. */
  isDue: boolean
}

const CHUNK = 500
const SLICE = 256
const ASK_AGAIN_MS = 500
/** Sending that took no longer calls for no rest. */
const REST_MS_MIN = 4
const REST_MS_MAX = 1_000
const commandRate = {
  perSecond: limits.roomCommandsPerSecondPerGatewayMax,
  burst: limits.roomCommandsBurstPerGatewayMax,
}
const laneLimits = {
  ringMax: limits.roomNewestMax,
  itemsMax: limits.roomItemsPerFrameMax,
  bytesMax: limits.roomFrameBytesMax,
}

export function createRooms(options: RoomsOptions): Rooms {
  const { reads, online, outbox, counters, clock, log, gatewayId: gateway, boot, sliceMax = SLICE } = options
  const rooms = new Map<string, Room>()
  const due: Room[] = []
  let sending = false
  let seated = 0
  let stopped = false

  function roomOf(conversationId: string): Room {
    const known = rooms.get(conversationId)
    if (known) return known
    const room: Room = {
      conversationId,
      lane: newLane(),
      seats: new Set(),
      commands: fullBucket(commandRate, clock.now()),
      waiting: [],
      reading: false,
      askAgainAt: 0,
      interestUntil: 0,
      emptySince: 0,
      startedAt: Number.NEGATIVE_INFINITY,
      busyMs: 0,
      isDue: false,
    }
    rooms.set(conversationId, room)
    return room
  }

  function leave(connection: Connection): void {
    const { room: seat } = connection
    if (!seat) return
    connection.room = null
    if (rooms.get(seat.conversationId)?.seats.delete(connection)) seated -= 1
  }

  function join(connection: Connection, { ticket, conversationId, newest }: JoinAsk): void {
    leave(connection)
    counters.roomJoins += 1
    const room = roomOf(conversationId)
    const seat = { conversationId, last: null, open: false }
    connection.room = seat
    room.seats.add(connection)
    room.emptySince = 0
    seated += 1
    const answer = (): void => {
      if (connection.room === seat) options.joined(connection, ticket, enter(room.lane, seat, newest))
    }
    if (room.lane.whole || clock.now() < room.askAgainAt) {
      answer()
      return
    }
    room.waiting.push(answer)
    if (!room.reading) void readNewest(room)
  }

  /** Interest first: what is not on the page yet then comes here. */
  async function readNewest(room: Room): Promise<void> {
    room.reading = true
    await register(room)
    try {
      counters.roomReads += 1
      seed(room.lane, await reads.roomPage(room.conversationId, limits.roomNewestMax), limits.roomNewestMax)
    } catch (error) {
      if (!(error instanceof Fault)) log.error({ err: error }, 'reading a room failed by a defect')
    }
    if (!room.lane.whole) room.askAgainAt = clock.now() + ASK_AGAIN_MS
    room.reading = false
    answerWaiting(room)
  }

  function answerWaiting(room: Room): void {
    for (const answer of room.waiting.splice(0, sliceMax)) answer()
    if (room.waiting.length > 0) options.defer(() => answerWaiting(room))
  }

  async function register(room: Room): Promise<void> {
    if (room.interestUntil > clock.now()) return
    const expiresAt = clock.now() + limits.onlineExpiryMs
    try {
      await online.registerInterest({ gateway, boot, expiresAt }, [room.conversationId])
      room.interestUntil = expiresAt
    } catch (error) {
      log.debug({ err: error }, 'interest in a room was not registered')
      options.distrust()
    }
  }

  function deliver(item: Item): void {
    const room = rooms.get(item.conversationId)
    // Sent everywhere, because the map could not be read.
    if (!room) return
    const dropped = take(room.lane, item, laneLimits)
    if (dropped === null) return
    counters.roomItems += 1
    counters.roomItemsDropped += dropped
    if (room.isDue) return
    room.isDue = true
    // At once where little is said, else together with what comes meanwhile.
    const waitMs = room.startedAt + limits.roomWindowMs - clock.now()
    if (waitMs > 0) clock.after(waitMs, () => sendSoon(room))
    else sendSoon(room)
  }

  function sendSoon(room: Room): void {
    due.push(room)
    if (!sending) sendNext()
  }

  function sendNext(): void {
    const room = stopped ? undefined : due.shift()
    sending = room !== undefined
    if (!room) return
    options.defer(() => {
      room.isDue = false
      room.startedAt = clock.now()
      room.busyMs = 0
      const batch = cut(room.lane)
      if (!batch) return sendNext()
      sendSlice(room, [...room.seats], shower(room, batch))
    })
  }

  /** As long as the sending took: rooms have half of this process at the most. */
  function rest({ busyMs }: Room): void {
    if (busyMs <= REST_MS_MIN) sendNext()
    else clock.after(Math.min(busyMs, REST_MS_MAX), sendNext)
  }

  function sendSlice(room: Room, connections: readonly Connection[], show: Show): void {
    const fromMs = clock.now()
    for (const connection of connections.slice(0, sliceMax)) show(connection)
    room.busyMs += clock.now() - fromMs
    if (stopped || connections.length <= sliceMax) rest(room)
    else options.defer(() => sendSlice(room, connections.slice(sliceMax), show))
  }

  /** Shows a connection its part, or passes it by: it is told with its next frame. */
  function shower({ conversationId }: Room, batch: Batch): Show {
    const bytesFor = encoder(conversationId, batch)
    return (connection) => {
      const { room: seat, socket } = connection
      if (!seat || !socket || seat.conversationId !== conversationId) return
      const part = partFor(batch, seat)
      if (!part) return
      if (socket.buffered() > limits.roomSocketBufferBytesMax) {
        counters.roomFramesSkipped += 1
        return
      }
      seat.last = batch.upTo
      counters.roomFrames += 1
      outbox.writeNow(connection, bytesFor(connection, part))
    }
  }

  async function refreshChunk(chunk: readonly Room[]): Promise<void> {
    const now = clock.now()
    const expiresAt = now + limits.onlineExpiryMs
    const ids = chunk.map(({ conversationId }) => conversationId)
    const created = new Set(await online.registerInterest({ gateway, boot, expiresAt }, ids))
    for (const room of chunk) {
      if (room.interestUntil <= now || created.has(room.conversationId)) doubt(room.lane)
      room.interestUntil = expiresAt
    }
  }

  async function drop(gone: readonly Room[]): Promise<void> {
    const ids = gone.flatMap(({ conversationId, interestUntil }) =>
      interestUntil > 0 ? [conversationId] : [],
    )
    for (let at = 0; at < ids.length; at += CHUNK)
      await online.dropInterest(gateway, boot, ids.slice(at, at + CHUNK)).catch(() => {})
  }

  /** A room that fills again soon is found as it was. */
  function takeEmpty(now: number): Room[] {
    const gone: Room[] = []
    for (const room of rooms.values()) {
      if (room.seats.size > 0 || room.reading) room.emptySince = 0
      else if (room.emptySince === 0) room.emptySince = now
      else if (now - room.emptySince >= limits.onlineRefreshMs) gone.push(room)
    }
    for (const { conversationId } of gone) rooms.delete(conversationId)
    return gone
  }

  return {
    join,
    leave,
    deliver,
    admits(stream) {
      if (!isRoom(stream)) return true
      const room = roomOf(stream)
      const taken = takeToken(room.commands, commandRate, clock.now())
      room.commands = taken.bucket
      if (taken.retryAfterMs !== null) counters.roomCommandsRefused += 1
      return taken.retryAfterMs === null
    },
    async refresh() {
      const gone = takeEmpty(clock.now())
      if (gone.length > 0) await drop(gone)
      const all = [...rooms.values()]
      for (let at = 0; at < all.length && !stopped; at += CHUNK) await refreshChunk(all.slice(at, at + CHUNK))
    },
    rooms: () => rooms.size,
    seated: () => seated,
    async stop() {
      stopped = true
      await drop([...rooms.values()])
    },
  }
}

/** Encodes each part of a batch once per encoding. */
function encoder(conversationId: string, { items }: Batch) {
  const encoded = new Map<string, Buffer>()
  return ({ codec }: Connection, { from, skipped }: { from: number; skipped: number }): Buffer => {
    const key = `${codec.encoding} ${from} ${skipped}`
    const known = encoded.get(key)
    if (known) return known
    const bytes = codec.encode({ type: 'roomItems', conversationId, skipped, items: items.slice(from) })
    encoded.set(key, bytes)
    return bytes
  }
}
