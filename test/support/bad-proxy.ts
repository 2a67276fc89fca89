/** A way through the network that can be spoilt: it refuses upgrades, or cuts connections in the middle of anything. */
import { connect, createServer, type Socket } from 'node:net'

export interface BadProxy {
  readonly port: number
  /** Refuses every upgrade to a WebSocket from now on, as a proxy of the last century, and cuts those that are open. */
  blockUpgrades(on: boolean): void
  /** How likely a connection is cut at a piece of data, which is lost. */
  cutChance: number
  /** Connections that were cut, and upgrades refused. */
  readonly counts: { cuts: number; refused: number; upgraded: number }
  close(): Promise<void>
}

const UPGRADE = /^upgrade: *websocket/im

export async function badProxy(toPort: number, random: () => number = () => 1): Promise<BadProxy> {
  const pairs = new Map<Socket, { readonly server: Socket; isWebSocket: boolean }>()
  let blocked = false
  const counts = { cuts: 0, refused: 0, upgraded: 0 }
  const cut = (client: Socket): void => {
    client.destroy()
    pairs.get(client)?.server.destroy()
  }
  const listener = createServer((client) => {
    const server = connect(toPort, '127.0.0.1')
    const pair = { server, isWebSocket: false }
    pairs.set(client, pair)
    for (const end of [client, server]) {
      end.setNoDelay(true)
      end.on('error', () => {})
      end.once('close', () => {
        cut(client)
        pairs.delete(client)
      })
    }
    client.on('data', (data) => {
      if (!pair.isWebSocket && UPGRADE.test(data.toString('latin1'))) {
        if (blocked) {
          counts.refused += 1
          client.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
          return
        }
        counts.upgraded += 1
        pair.isWebSocket = true
      }
      pass(data, server)
    })
    server.on('data', (data) => pass(data, client))
    function pass(data: Buffer, to: Socket): void {
      if (random() >= proxy.cutChance) {
        to.write(data)
        return
      }
      counts.cuts += 1
      cut(client)
    }
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const proxy: BadProxy = {
    port: (listener.address() as { port: number }).port,
    cutChance: 0,
    counts,
    blockUpgrades(on) {
      blocked = on
      if (on) for (const [client, pair] of pairs) if (pair.isWebSocket) cut(client)
    },
    async close() {
      for (const client of pairs.keys()) cut(client)
      await new Promise<void>((resolve) => listener.close(() => resolve()))
    },
  }
  return proxy
}
