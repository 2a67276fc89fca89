/**
 * Writes frames at the end of a turn: what one round of I/O brings for a connection leaves in one system call. Sending is
 * what costs most per message.
 */
import type { Clock } from '../schemas/ports.ts'
import type { Connection, Socket } from './connections.ts'

export interface Outbox {
  write(connection: Connection, bytes: Buffer): void
  /** Leaves with the next frame to this connection, after at most 50 ms: for what nobody waits for. Order is kept. */
  writeSoon(connection: Connection, bytes: Buffer): void
  /** For what many get in one turn and is sliced by whoever sends it: at once, or behind what waits. */
  writeNow(connection: Connection, bytes: Buffer): void
  /** These very bytes, if they have not left yet: what they say was taken back. */
  replace(connection: Connection, before: Buffer, after: Buffer): void
  /** Writes what waits for this connection now: before it is closed. */
  flush(connection: Connection): void
}

const SOON_MS = 50
/** Connections flushed in one turn of those that are in no hurry: they may be thousands, and others are. */
const SOON_SLICE = 64

/** `defer` runs its argument after the current round of I/O callbacks. `onDropped`: the socket took no more. */
export function createOutbox(
  defer: (fn: () => void) => void,
  after: Clock['after'],
  onDropped: (c: Connection) => void,
): Outbox {
  let waiting: Connection[] = []
  let deferred = false
  /** Connections whose frames are not in a hurry. */
  let soon = new Set<Connection>()
  let soonTimed = false

  function flush(connection: Connection): void {
    const { out, socket } = connection
    connection.out = null
    soon.delete(connection)
    if (!out || !socket) return
    let taken = true
    const only = out.length === 1 ? out[0] : undefined
    if (only) taken = socket.send(only)
    else
      socket.cork(() => {
        for (const bytes of out) {
          // A socket that dropped one frame may take later ones, which would leave a gap: nothing more goes out.
          taken = taken && socket.send(bytes)
        }
      })
    if (!taken) dropped(connection, socket)
  }

  function dropped(connection: Connection, socket: Socket): void {
    connection.socket = null
    onDropped(connection)
    socket.end(4413, 'slow_consumer')
  }

  function flushAll(): void {
    deferred = false
    const now = waiting
    waiting = []
    for (const connection of now) flush(connection)
  }

  function flushSoon(): void {
    soonTimed = false
    const now = soon
    soon = new Set()
    flushSlice(now.values())
  }

  function flushSlice(left: Iterator<Connection>): void {
    for (let count = 0; count < SOON_SLICE; count++) {
      const { done, value } = left.next()
      if (done) return
      flush(value)
    }
    defer(() => flushSlice(left))
  }

  return {
    write(connection, bytes) {
      if (!connection.socket) return
      if (connection.out) {
        connection.out.push(bytes)
        if (!soon.delete(connection)) return
      } else connection.out = [bytes]
      waiting.push(connection)
      if (deferred) return
      deferred = true
      defer(flushAll)
    },
    writeSoon(connection, bytes) {
      if (!connection.socket) return
      if (connection.out) {
        connection.out.push(bytes)
        return
      }
      connection.out = [bytes]
      soon.add(connection)
      if (soonTimed) return
      soonTimed = true
      after(SOON_MS, flushSoon)
    },
    writeNow(connection, bytes) {
      const { out, socket } = connection
      if (out) out.push(bytes)
      else if (socket && !socket.send(bytes)) dropped(connection, socket)
    },
    replace({ out, socket }, before, after) {
      const at = out?.indexOf(before) ?? -1
      if (out && at >= 0) out[at] = after
      else socket?.replace?.(before, after)
    },
    flush,
  }
}
