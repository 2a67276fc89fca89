/** OMTP over TCP, with TLS where there is a certificate. Frames go to the same hub as those of all other transports. */
import { readFileSync } from 'node:fs'
import { createServer, type Server, type Socket as TcpSocket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { type Networks, plainAddress } from '../../infra/networks.ts'
import { limits } from '../../schemas/limits.ts'
import { type BadLength, createFraming } from '../../schemas/omtp/framing.ts'
import { FRAME_BYTES_MIN } from '../../schemas/omtp/header.ts'
import type { Clock, Logger } from '../../schemas/ports.ts'
import type { Connection, Socket } from '../connections.ts'
import { createOmtpCodec } from '../frames/omtp/connection-codec.ts'
import type { Hub } from '../hub.ts'
import type { Addresses, AddressSeat } from './addresses.ts'
import { readProxyLine } from './proxies.ts'

export interface OmtpPort {
  readonly port: number
  /** New connections are refused, open ones stay. */
  stopAccepting(): void
  close(): void
}

export interface OmtpPortOptions {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  /** Null: plain TCP. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | null
  readonly hub: Hub
  /** Shared with the other transports. */
  readonly addresses: Addresses
  /** Proxies that may say whom they speak for, in a PROXY line. Not where TLS ends here. */
  readonly trusted: Networks
  readonly clock: Clock
  readonly log: Logger
}

/** Of a client that is not even there to be asked: under the time in which gateways notice silence by themselves. */
const KEEPALIVE_MS = 60_000
/** Over this, a client that does not read is not read either. */
const PAUSE_AT_BYTES = limits.socketBufferBytesMax / 4
const LENGTH_MAX = FRAME_BYTES_MIN + limits.frameBytesMax

/** Rejects with one line when the port cannot be had, or the certificate cannot be read. */
export async function openOmtpPort(options: OmtpPortOptions): Promise<OmtpPort> {
  const { addresses, log } = options
  const open = new Set<TcpSocket>()
  /** Of connections whose TLS is not agreed yet: by the other end. */
  const seats = new Map<string, AddressSeat>()
  const server = options.tls ? secureServer(options.tls) : createServer()

  // Also before TLS is agreed: handshakes cost most.
  server.on('connection', (socket: TcpSocket) => {
    // An error is followed by the close, which is all that there is to do.
    socket.on('error', () => {})
    open.add(socket)
    socket.once('close', () => open.delete(socket))
    const address = plainAddress(socket.remoteAddress ?? '')
    if (!options.tls && options.trusted.has(address))
      afterProxyLine(socket, options.clock, (client) => admit(socket, client ?? address))
    else admit(socket, address)
  })

  function admit(socket: TcpSocket, address: string): void {
    const other = otherEnd(socket)
    if (address === '' || addresses.isFull(address)) {
      socket.destroy()
      return
    }
    const seat = addresses.take(address)
    socket.once('close', () => {
      seats.delete(other)
      seat.leave()
    })
    if (options.tls) seats.set(other, seat)
    else serve(socket, seat, address, options)
  }
  server.on('secureConnection', (socket: TcpSocket) => {
    const seat = seats.get(otherEnd(socket))
    if (seat) serve(socket, seat, plainAddress(socket.remoteAddress ?? ''), options)
    else socket.destroy()
  })
  const port = await listen(server, options)
  server.on('error', (error) => log.error({ err: error }, 'the OMTP port met an error'))

  return {
    port,
    stopAccepting: () => void server.close(),
    close() {
      server.close()
      for (const socket of open) socket.destroy()
    },
  }
}

/** Takes the line off the stream, if there is one; null: it names nobody. A proxy that does not say it in time is cut off. */
function afterProxyLine(socket: TcpSocket, clock: Clock, then: (client: string | null) => void): void {
  let head: Buffer = Buffer.alloc(0)
  const cancel = clock.after(limits.loginTimeoutMs, () => socket.destroy())
  socket.once('close', cancel)
  const read = (chunk: Buffer): void => {
    head = Buffer.concat([head, chunk])
    const line = readProxyLine(head)
    if (line.kind === 'more') return
    cancel()
    socket.off('data', read)
    if (line.kind === 'bad') return void socket.destroy()
    socket.pause()
    const rest = line.kind === 'line' ? head.subarray(line.bytes) : head
    if (rest.length > 0) socket.unshift(rest)
    then(line.kind === 'line' ? line.address : null)
    socket.resume()
  }
  socket.on('data', read)
}

const otherEnd = ({ remoteAddress, remotePort }: TcpSocket): string => `${remoteAddress} ${remotePort}`

function secureServer({ certFile, keyFile }: { certFile: string; keyFile: string }): Server {
  const server = createTlsServer({
    cert: readFileSync(certFile),
    key: readFileSync(keyFile),
    minVersion: 'TLSv1.2',
    handshakeTimeout: limits.loginTimeoutMs,
  })
  // Node tells of a handshake that failed or took too long, and leaves the socket open.
  server.on('tlsClientError', (_error, socket) => socket.destroy())
  return server
}

function listen(server: Server, { host, port }: OmtpPortOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', () =>
      reject(new Error(`port ${port} on ${host} is taken or not allowed: set LONGWIRE_OMTP_PORT to another`)),
    )
    server.listen({ host, port, exclusive: true }, () => {
      server.removeAllListeners('error')
      const address = server.address()
      resolve(typeof address === 'object' && address ? address.port : port)
    })
  })
}

/** One client, from here until its socket closes. */
function serve(socket: TcpSocket, seat: AddressSeat, address: string, options: OmtpPortOptions): void {
  const { clock, hub } = options
  socket.setNoDelay(true)
  socket.setKeepAlive(true, KEEPALIVE_MS)
  const framing = createFraming(LENGTH_MAX)
  const live = liveSocket(socket, seat, clock)
  const connection = hub.connected(live, createOmtpCodec(), { address, transport: 'omtp' })
  const watch = watchFrames(clock, () =>
    hub.input(connection, { kind: 'broken', code: 'frame_timeout', message: null }),
  )

  socket.on('error', () => {})
  socket.on('data', (chunk: Buffer) => {
    if (isClosed(connection)) return
    let completed = false
    const bad = framing.push(chunk, (frame) => {
      completed = true
      hub.received(connection, frame)
      return !isClosed(connection)
    })
    if (bad) hub.input(connection, { kind: 'broken', ...problems[bad] })
    watch.note(framing.held() > 0, completed)
  })
  socket.on('drain', () => socket.resume())
  socket.once('close', () => {
    watch.stop()
    live.ended()
    hub.closed(connection)
  })
}

const isClosed = ({ session }: Connection): boolean => session.phase === 'closed'

const problems = {
  too_short: {
    code: 'bad_frame',
    message: `Length is at least ${FRAME_BYTES_MIN}: it counts itself and the header.`,
  },
  too_long: { code: 'frame_too_large', message: null },
} as const satisfies Record<BadLength, unknown>

/** Calls `late` when a frame has begun and is not complete in time, however busily its bytes drip in. */
function watchFrames(
  clock: Clock,
  late: () => void,
): { note(begun: boolean, completed: boolean): void; stop(): void } {
  let cancel: (() => void) | null = null
  const stop = (): void => {
    cancel?.()
    cancel = null
  }
  return {
    note(begun, completed) {
      // What is held now began after what was completed: its time begins anew.
      if (completed || !begun) stop()
      if (begun) cancel ??= clock.after(limits.omtpFrameMsMax, late)
    },
    stop,
  }
}

interface LiveSocket extends Socket {
  ended(): void
}

function liveSocket(socket: TcpSocket, seat: AddressSeat, clock: Clock): LiveSocket {
  let live = true
  let cancelLinger = (): void => {}
  return {
    send(bytes) {
      if (!live || socket.destroyed) return false
      socket.write(bytes)
      if (socket.writableLength > limits.socketBufferBytesMax) {
        live = false
        socket.destroy()
        return false
      }
      if (socket.writableLength > PAUSE_AT_BYTES) socket.pause()
      return true
    },
    cork(fn) {
      socket.cork()
      fn()
      socket.uncork()
    },
    buffered: () => socket.writableLength,
    entered: () => seat.entered(),
    end() {
      if (!live) return
      live = false
      // What still comes is read and dropped: closing with it unread would take the bye from the client.
      socket.resume()
      socket.end()
      cancelLinger = clock.after(limits.omtpLingerMsMax, () => socket.destroy())
    },
    ended() {
      live = false
      cancelLinger()
    },
  }
}
