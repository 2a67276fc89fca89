import { connect, createServer, type Server, type Socket } from 'node:net'

/**
 * A TCP proxy in front of Kafka brokers that understands frames: it can lose the answer to a produce request after the
 * broker has appended, which is the fault that makes careless clients lose or double acknowledged records.
 *
 * One listener per broker on 127.0.0.1. Answers to Metadata and FindCoordinator get the proxy's ports written over the
 * brokers' (in place, so brokers must advertise 127.0.0.1); no listener setup is needed at the brokers. Speaks the
 * versions that kafkajs uses (before the flexible encodings) and cuts the connection at any other.
 */
export interface KafkaProxy {
  /** `host:port` list for clients. */
  readonly brokers: readonly string[]
  /** Loses the next `count` successful produce answers of clients whose id matches, and closes each one's connection. */
  dropProduceResponses(clientId: RegExp, count: number): void
  /** Holds back every answer to Fetch requests of matching clients for `ms`; 0 ends it. */
  delayFetchResponses(clientId: RegExp, ms: number): void
  /** Answers lost so far: a test whose fault never struck proves nothing. */
  hits(): number
  /** Drops ordered and not yet struck. */
  remaining(): number
  close(): Promise<void>
}

const apiKeys = { produce: 0, fetch: 1, metadata: 3, findCoordinator: 10 } as const
/** Above these, the encoding is another one. */
const versionsMax: ReadonlyMap<number, number> = new Map([
  [apiKeys.produce, 8],
  [apiKeys.metadata, 8],
  [apiKeys.findCoordinator, 2],
])

interface Request {
  readonly apiKey: number
  readonly apiVersion: number
  readonly clientId: string
}

export async function startKafkaProxy(brokers: readonly string[]): Promise<KafkaProxy> {
  const sockets = new Set<Socket>()
  const proxyPortOf = new Map<number, number>()
  const servers: Server[] = []
  let drop = { clientId: /^/, left: 0 }
  let delay = { clientId: /^/, ms: 0 }
  let hits = 0

  const serve = (client: Socket, port: number) => {
    const broker = connect(port, '127.0.0.1')
    const requests = new Map<number, Request>()
    const cut = () => {
      client.destroy()
      broker.destroy()
    }
    for (const socket of [client, broker]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('close', () => {
        sockets.delete(socket)
        cut()
      })
    }
    client.on('error', cut)
    broker.on('error', () => {
      // A broker that is down refuses; a reset is the nearest that can follow an accepted connection.
      if (broker.connecting || broker.pending) client.resetAndDestroy()
      cut()
    })
    onFrames(client, (frame) => {
      const request = parseRequest(frame)
      if (request.apiVersion > (versionsMax.get(request.apiKey) ?? Infinity)) return cut()
      requests.set(frame.readInt32BE(8), request)
      broker.write(frame)
    })
    onFrames(broker, (frame) => {
      const correlationId = frame.readInt32BE(4)
      const request = requests.get(correlationId)
      requests.delete(correlationId)
      if (request === undefined) return cut()
      if (request.apiKey === apiKeys.metadata) patchMetadata(frame, request.apiVersion, proxyPortOf)
      if (request.apiKey === apiKeys.findCoordinator) patchCoordinator(frame, request.apiVersion, proxyPortOf)
      const dropped =
        request.apiKey === apiKeys.produce && drop.left > 0 && drop.clientId.test(request.clientId)
      if (dropped && appended(frame)) {
        drop.left -= 1
        hits += 1
        return cut()
      }
      const delayed =
        request.apiKey === apiKeys.fetch && delay.ms > 0 && delay.clientId.test(request.clientId)
      if (delayed) setTimeout(() => client.write(frame), delay.ms)
      else client.write(frame)
    })
  }

  for (const broker of brokers) {
    const port = Number(broker.split(':').at(-1))
    const server = createServer((client) => serve(client, port))
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    proxyPortOf.set(port, address.port)
  }

  return {
    brokers: [...proxyPortOf.values()].map((port) => `127.0.0.1:${port}`),
    dropProduceResponses(clientId, count) {
      drop = { clientId, left: count }
    },
    delayFetchResponses(clientId, ms) {
      delay = { clientId, ms }
    },
    hits: () => hits,
    remaining: () => drop.left,
    async close() {
      const closing = servers.map((server) => new Promise((resolve) => server.close(resolve)))
      for (const socket of sockets) socket.destroy()
      await Promise.all(closing)
    },
  }
}

/** Calls `onFrame` with each whole frame, its length prefix included. */
function onFrames(socket: Socket, onFrame: (frame: Buffer) => void): void {
  let chunks: Buffer[] = []
  let buffered = 0
  let needed = 4
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    buffered += chunk.length
    if (buffered < needed) return
    let rest = chunks.length === 1 ? chunk : Buffer.concat(chunks)
    for (;;) {
      needed = rest.length < 4 ? 4 : 4 + rest.readInt32BE(0)
      if (rest.length < needed) break
      const frame = rest.subarray(0, needed)
      rest = rest.subarray(needed)
      onFrame(frame)
    }
    chunks = rest.length === 0 ? [] : [rest]
    buffered = rest.length
  })
}

function parseRequest(frame: Buffer): Request {
  const idLength = frame.readInt16BE(12)
  return {
    apiKey: frame.readInt16BE(4),
    apiVersion: frame.readInt16BE(6),
    clientId: idLength < 0 ? '' : frame.toString('utf8', 14, 14 + idLength),
  }
}

/** Length and correlation id come first in every answer. */
const bodyAt = 8

/** True if the first partition of a produce answer carries no error. */
function appended(frame: Buffer): boolean {
  const topicLength = frame.readInt16BE(bodyAt + 4)
  const partitionsAt = bodyAt + 4 + 2 + topicLength
  return frame.readInt16BE(partitionsAt + 4 + 4) === 0
}

function patchMetadata(frame: Buffer, version: number, ports: ReadonlyMap<number, number>): void {
  let at = bodyAt + (version >= 3 ? 4 : 0)
  const count = frame.readInt32BE(at)
  at += 4
  for (let index = 0; index < count; index += 1) {
    at = patchAddress(frame, at + 4, ports)
    if (version >= 1) at += 2 + Math.max(0, frame.readInt16BE(at))
  }
}

function patchCoordinator(frame: Buffer, version: number, ports: ReadonlyMap<number, number>): void {
  let at = bodyAt + (version >= 1 ? 4 : 0) + 2
  if (version >= 1) at += 2 + Math.max(0, frame.readInt16BE(at))
  patchAddress(frame, at + 4, ports)
}

/** Writes the proxy's port over the broker's; returns where the address ends. */
function patchAddress(frame: Buffer, at: number, ports: ReadonlyMap<number, number>): number {
  const portAt = at + 2 + frame.readInt16BE(at)
  const port = ports.get(frame.readInt32BE(portAt))
  if (port !== undefined) frame.writeInt32BE(port, portAt)
  return portAt + 4
}
