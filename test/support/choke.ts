/** A TCP proxy whose clients can be made to take nothing more, while what they send still arrives. */
import { connect, createServer, type Server, type Socket } from 'node:net'

export interface Choke {
  readonly port: number
  /** From now on nothing reaches the clients. */
  shut(): void
  open(): void
  /** Connections that went through so far. */
  count(): number
  stop(): Promise<void>
}

export async function choke(targetPort: number): Promise<Choke> {
  const pairs = new Set<{ client: Socket; server: Socket }>()
  let isShut = false
  let count = 0
  const proxy: Server = createServer((client) => {
    count += 1
    const server = connect(targetPort, '127.0.0.1')
    const pair = { client, server }
    pairs.add(pair)
    const end = (): void => {
      pairs.delete(pair)
      client.destroy()
      server.destroy()
    }
    for (const socket of [client, server]) socket.on('error', end).on('close', end)
    client.on('data', (bytes) => server.write(bytes))
    server.on('data', (bytes) => client.write(bytes))
    if (isShut) server.pause()
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const address = proxy.address()
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    shut() {
      isShut = true
      for (const { server } of pairs) server.pause()
    },
    open() {
      isShut = false
      for (const { server } of pairs) server.resume()
    },
    count: () => count,
    async stop() {
      for (const { client, server } of pairs) {
        client.destroy()
        server.destroy()
      }
      await new Promise((resolve) => proxy.close(resolve))
    },
  }
}
