/** Who is connected here: user → connections and connection → info. Nothing else of a gateway knows users. */
import type { OnlineEntry } from '../processors/fanout/ports.ts'
import type { FrameCodec } from './frames/frame-codec.ts'
import type { FrameOut, OutgoingEvent } from './outgoing.ts'
import type { PushState } from './push.ts'
import type { Seat } from './room.ts'
import type { Session } from './session-types.ts'

/** A connected transport. After `end` or a false from `send` it is dead and nothing more is sent. */
export interface Socket {
  /** False: the bytes were dropped and the socket is of no more use. */
  send(bytes: Buffer): boolean
  /** Runs `fn`, putting what it sends on the wire at once. */
  cork(fn: () => void): void
  /** Bytes that the other side has not taken yet. */
  buffered(): number
  /** What was sent waits for the client to fetch it: sending it again would only double it. Absent: never. */
  holds?(): boolean
  /** These very bytes, where they wait for the client to fetch them and were in no answer yet. Absent: they have left. */
  replace?(before: Buffer, after: Buffer): void
  /** The login has succeeded. */
  entered(): void
  end(code: number, reason: string): void
}

export type TransportName = 'ws' | 'omtp' | 'poll'

/** Where a connection comes from and by what. */
export interface Origin {
  /** Of the client as the gateway sees it; '' where there is none. */
  readonly address: string
  readonly transport: TransportName
}

/** Shell record of one connection. Small when idle: push state and outbox exist only while needed. */
export interface Connection {
  readonly id: string
  readonly codec: FrameCodec
  readonly origin: Origin
  /** Null once it is closed; never used after that, whatever was still awaited. */
  socket: Socket | null
  session: Session
  user: string | null
  push: PushState<OutgoingEvent> | null
  /** Frames to be written in this turn. */
  out: FrameOut[] | null
  /** What stands in the online map. */
  entry: OnlineEntry | null
  /** As negotiated; 0: it was not let in. */
  heartbeatMs: number
  /** False: no attempt to register has succeeded yet. */
  registered: boolean
  /** Ticks until a resync is sent; 0 = none wanted. */
  resyncIn: number
  /** Conversations in which typing was told, and when. */
  typedAt: Map<string, number> | null
  /** Users whose presence this connection is told, and what it was told last. */
  presence: Map<string, string> | null
  /** In a live room. */
  room: Seat | null
}

/** Whether its token gives the right to what its user merely observes. */
export const mayObserve = ({ session }: Connection): boolean =>
  session.phase === 'open' && session.rights.includes('observe')

export interface Connections {
  add(connection: Connection): void
  /** Enters the user's list; false if that is full, also when `leaving` of those in it are gone. */
  bind(connection: Connection, user: string, leaving?: number): boolean
  remove(connection: Connection): void
  byId(id: string): Connection | undefined
  byUser(user: string): readonly Connection[] | undefined
  all(): IterableIterator<Connection>
  userNames(): IterableIterator<string>
  size(): number
  users(): number
}

/** `perUserMax`: connections of one user on this gateway. */
export function createConnections(perUserMax: number): Connections {
  const connections = new Map<string, Connection>()
  const users = new Map<string, readonly Connection[]>()
  return {
    add(connection) {
      connections.set(connection.id, connection)
    },
    bind(connection, user, leaving = 0) {
      const others = users.get(user) ?? []
      if (others.length - leaving >= perUserMax) return false
      connection.user = user
      // A new array each time: who walks the old one meanwhile is not disturbed.
      users.set(user, [...others, connection])
      return true
    },
    remove(connection) {
      connections.delete(connection.id)
      if (connection.user === null) return
      const rest = (users.get(connection.user) ?? []).filter((other) => other !== connection)
      if (rest.length === 0) users.delete(connection.user)
      else users.set(connection.user, rest)
    },
    byId: (id) => connections.get(id),
    byUser: (user) => users.get(user),
    all: () => connections.values(),
    userNames: () => users.keys(),
    size: () => connections.size,
    users: () => users.size,
  }
}
