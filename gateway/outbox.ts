/**
 * Writes frames at the end of a turn: what one round of I/O brings for a connection leaves in one system call. Sending is
 * what costs most per message.
 */
import type { Connection } from './connections.ts'

export interface Outbox {
  write(connection: Connection, bytes: Buffer): void
  /** Writes what waits for this connection now: before it is closed. */
  flush(connection: Connection): void
}

/** `defer` runs its argument after the current round of I/O callbacks. `onDropped`: the socket took no more. */
export function createOutbox(defer: (fn: () => void) => void, onDropped: (c: Connection) => void): Outbox {
  let waiting: Connection[] = []
  let deferred = false

  function flush(connection: Connection): void {
    const { out, socket } = connection
    connection.out = null
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
    if (taken) return
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

  return {
    write(connection, bytes) {
      if (!connection.socket) return
      if (connection.out) {
        connection.out.push(bytes)
        return
      }
      connection.out = [bytes]
      waiting.push(connection)
      if (deferred) return
      deferred = true
      defer(flushAll)
    },
    flush,
  }
}
