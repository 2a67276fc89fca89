/**
 * The public port: `/ws`, `/health` and the page. The only importer of uWebSockets.js, whose objects must not be touched
 * after their end and whose HTTP handlers must all have onAborted; both are seen to here.
 */

import {
  App,
  type HttpRequest,
  type HttpResponse,
  type us_listen_socket,
  us_listen_socket_close,
  us_socket_local_port,
  type WebSocket,
} from 'uWebSockets.js'
import { createServer } from 'node:net'
import { limits } from '../../schemas/limits.ts'
import type { Logger } from '../../schemas/ports.ts'
import { SUBPROTOCOL_AVRO, SUBPROTOCOL_JSON } from '../../schemas/protocol.ts'
import type { Connection, Socket } from '../connections.ts'
import type { Encoding } from '../frames/frame-codec.ts'
import type { Hub } from '../hub.ts'
import { originAllowed } from '../origins.ts'
import { type Addresses, type AddressSeat, plainAddress } from './addresses.ts'
import { loadStaticFiles, type StaticFile, securityHeaders } from './static-files.ts'

export interface PublicPort {
  readonly port: number
  /** New connections are refused, open ones stay. */
  stopAccepting(): void
  close(): void
}

export interface PublicPortOptions {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  /** Null: the same origin and this machine. */
  readonly origins: readonly string[] | null
  readonly heartbeatMs: number
  readonly staticFolder: string
  readonly hub: Hub
  /** Shared with the other transports. */
  readonly addresses: Addresses
  readonly log: Logger
}

interface UserData {
  readonly encoding: Encoding
  readonly address: string
  connection: Connection | null
  socket: LiveSocket | null
  seat: AddressSeat | null
}

interface LiveSocket extends Socket {
  ended(): void
}

const DROPPED = 2
/** uWebSockets takes 8 to 960 s. */
const idleTimeoutSec = (heartbeatMs: number): number =>
  Math.min(960, Math.max(8, Math.ceil((2 * heartbeatMs) / 1000) + 4))

/** Rejects with one line when the port cannot be had. */
export async function openPublicPort(options: PublicPortOptions): Promise<PublicPort> {
  const { addresses, hub, log } = options
  let files = loadStaticFiles(options.staticFolder)
  let accepting = true
  let listening: us_listen_socket | null = null

  /** Every HTTP answer goes through here: an unanswered or unguarded request would end the process. */
  const handle =
    (answer: (res: HttpResponse, req: HttpRequest) => void) =>
    (res: HttpResponse, req: HttpRequest): void => {
      res.onAborted(() => {})
      try {
        answer(res, req)
      } catch (error) {
        log.error({ err: error }, 'answering a request failed by a defect')
        plain(res, '500 Internal Server Error', 'internal error')
      }
    }

  const app = App()
  app.ws<UserData>('/ws', {
    compression: 0,
    // Somewhat over the limit a frame still gets its code; far over it the transport cuts it off unread.
    maxPayloadLength: limits.frameBytesMax * 2,
    maxBackpressure: limits.socketBufferBytesMax,
    closeOnBackpressureLimit: true,
    idleTimeout: idleTimeoutSec(options.heartbeatMs),
    sendPingsAutomatically: true,
    // Synchronous: req and context do not outlive the call. Authentication is in the first frame.
    upgrade: (res, req, context) =>
      handle(() => {
        const refusal = refusalOf(res, req)
        if (refusal) {
          plain(res, refusal, refusal)
          return
        }
        const protocols = req.getHeader('sec-websocket-protocol')
        const protocol = subprotocolOf(protocols) ?? ''
        const data: UserData = {
          encoding: protocol === SUBPROTOCOL_AVRO ? 'avro' : 'json',
          address: addressOf(res),
          connection: null,
          socket: null,
          seat: null,
        }
        const key = req.getHeader('sec-websocket-key')
        res.upgrade(data, key, protocol, req.getHeader('sec-websocket-extensions'), context)
      })(res, req),
    open(ws) {
      const data = ws.getUserData()
      data.seat = addresses.take(data.address)
      data.socket = liveSocket(ws, data.encoding === 'avro', data.seat)
      data.connection = hub.connected(data.socket, data.encoding, {
        address: data.address,
        transport: 'ws',
      })
    },
    message(ws, message, isBinary) {
      const { connection, encoding } = ws.getUserData()
      if (!connection) return
      // A frame of the other kind cannot be read; an empty one fails to decode like any other.
      const bytes = isBinary === (encoding === 'avro') ? Buffer.from(message) : Buffer.alloc(0)
      // Decoding copies what it keeps, before this returns and `message` is taken back.
      hub.received(connection, bytes)
    },
    close(ws) {
      const data = ws.getUserData()
      data.seat?.leave()
      data.socket?.ended()
      if (data.connection) hub.closed(data.connection)
      data.connection = null
      data.socket = null
    },
  })
  app.get(
    '/health',
    handle((res) => plain(res, '200 OK', 'ok')),
  )
  app.get('/*', handle(serveFile))
  app.any(
    '/*',
    handle((res) => plain(res, '404 Not Found', 'not found')),
  )

  function refusalOf(res: HttpResponse, req: HttpRequest): string | null {
    if (!accepting) return '503 Service Unavailable'
    if (req.getHeader('sec-websocket-version') !== '13') return '426 Upgrade Required'
    if (!originAllowed(req.getHeader('origin'), req.getHeader('host'), options.origins))
      return '403 Forbidden'
    if (subprotocolOf(req.getHeader('sec-websocket-protocol')) === null) return '400 Bad Request'
    if (addresses.isFull(addressOf(res))) return '429 Too Many Requests'
    return null
  }

  function serveFile(res: HttpResponse, req: HttpRequest): void {
    const url = req.getUrl()
    if (url === '/' && !files.has('/')) files = loadStaticFiles(options.staticFolder)
    const file: StaticFile | undefined = files.get(url)
    if (!file) {
      plain(res, '404 Not Found', 'not found')
      return
    }
    res.cork(() => {
      res.writeStatus('200 OK').writeHeader('content-type', file.type)
      for (const [name, value] of securityHeaders) res.writeHeader(name, value)
      res.end(file.body)
    })
  }

  return {
    port: await listen(),
    stopAccepting() {
      accepting = false
      if (listening) us_listen_socket_close(listening)
      listening = null
    },
    close() {
      accepting = false
      listening = null
      app.close()
    },
  }

  async function listen(): Promise<number> {
    const { host, port } = options
    const taken = new Error(`port ${port} on ${host} is taken or not allowed: set LONGWIRE_PORT to another`)
    // uWebSockets shares ports by itself (SO_REUSEPORT): a second gateway would start and get half of the clients.
    if (!(await isFree(host, port))) throw taken
    return new Promise((resolve, reject) => {
      app.listen(host, port, (socket) => {
        if (!socket) {
          reject(taken)
          return
        }
        listening = socket
        resolve(us_socket_local_port(socket))
      })
    })
  }
}

function isFree(host: string, port: number): Promise<boolean> {
  const probe = createServer()
  return new Promise((resolve) => {
    probe.once('error', () => resolve(false))
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(true)))
  })
}

/** A handle that dies with the socket: any use of a closed uWebSocket throws. */
function liveSocket(ws: WebSocket<UserData>, binary: boolean, seat: AddressSeat): LiveSocket {
  let live: WebSocket<UserData> | null = ws
  return {
    send: (bytes) => live !== null && live.send(bytes, binary, false) !== DROPPED,
    cork(fn) {
      if (live) live.cork(fn)
    },
    buffered: () => live?.getBufferedAmount() ?? 0,
    entered: () => seat.entered(),
    end(code, reason) {
      const dying = live
      live = null
      dying?.end(code, reason)
    },
    ended() {
      live = null
    },
  }
}

const text = new TextDecoder()
const addressOf = (res: HttpResponse): string => plainAddress(text.decode(res.getRemoteAddressAsText()))

/** '' when none was offered; null when none of those offered is ours. */
function subprotocolOf(offered: string): string | null {
  if (offered === '') return ''
  const names = offered.split(',').map((name) => name.trim())
  return names.find((name) => name === SUBPROTOCOL_JSON || name === SUBPROTOCOL_AVRO) ?? null
}

function plain(res: HttpResponse, status: string, body: string): void {
  res.cork(() => {
    res
      .writeStatus(status)
      .writeHeader('content-type', 'text/plain; charset=utf-8')
      .writeHeader('x-content-type-options', 'nosniff')
      .end(body)
  })
}
