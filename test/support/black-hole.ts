import { connect, createServer, type Socket } from 'node:net'

/**
 * A TCP proxy whose network can vanish: bytes go nowhere, and neither side is told by FIN or RST, as when a phone goes
 * into a tunnel or a NAT forgets. For anything over TCP: WebSocket, OMTP, HTTP.
 */
export interface BlackHole {
  readonly port: number
  /**
   * From now on nothing more gets through in this direction, on open connections and on new ones. Connections that were
   * caught stay so for ever; their ends are not passed on either.
   */
  vanish(direction?: Direction): void
  /** New connections get through again. */
  heal(): void
  /** Bytes swallowed so far: a test whose fault never struck proves nothing. */
  swallowed(): number
  /** Connections of clients, dead ones that nobody has closed yet included. */
  open(): number
  close(): Promise<void>
}

export type Direction = 'toServer' | 'toClient' | 'both'

interface Pair {
  readonly client: Socket
  readonly server: Socket
  lost: ReadonlySet<Direction>
}

export async function startBlackHole(targetPort: number, targetHost = '127.0.0.1'): Promise<BlackHole> {
  const pairs = new Set<Pair>()
  let lostNow: ReadonlySet<Direction> = new Set()
  let swallowed = 0

  function join(from: Socket, to: Socket, pair: Pair, direction: Direction): void {
    from.setNoDelay(true)
    from.on('data', (bytes: Buffer) => {
      if (pair.lost.has(direction)) swallowed += bytes.length
      else to.write(bytes)
    })
    from.on('end', () => {
      if (!pair.lost.has(direction)) to.end()
    })
    from.on('error', () => from.destroy())
    from.on('close', () => {
      if (!pair.lost.has(direction)) to.destroy()
      if (pair.client.destroyed && pair.server.destroyed) pairs.delete(pair)
    })
  }

  const listener = createServer({ allowHalfOpen: true }, (client) => {
    const server = connect({ port: targetPort, host: targetHost, allowHalfOpen: true })
    const pair: Pair = { client, server, lost: lostNow }
    pairs.add(pair)
    join(client, server, pair, 'toServer')
    join(server, client, pair, 'toClient')
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const address = listener.address()
  if (address === null || typeof address === 'string') throw new Error('no port')

  return {
    port: address.port,
    vanish(direction = 'both') {
      lostNow = new Set<Direction>(direction === 'both' ? ['toServer', 'toClient'] : [direction])
      for (const pair of pairs) pair.lost = new Set([...pair.lost, ...lostNow])
    },
    heal() {
      lostNow = new Set()
    },
    swallowed: () => swallowed,
    open: () => [...pairs].filter(({ client }) => !client.destroyed).length,
    async close() {
      const closed = new Promise((resolve) => listener.close(resolve))
      for (const { client, server } of pairs) {
        client.destroy()
        server.destroy()
      }
      await closed
    },
  }
}
