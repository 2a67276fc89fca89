/** WebSockets on the public port: `/ws`. */
import type { HttpRequest, HttpResponse, TemplatedApp, WebSocket } from 'uWebSockets.js'
import type { Networks } from '../../infra/networks.ts'
import { limits } from '../../schemas/limits.ts'
import type { Logger } from '../../schemas/ports.ts'
import { SUBPROTOCOL_AVRO, SUBPROTOCOL_JSON } from '../../schemas/protocol.ts'
import type { Connection, Socket } from '../connections.ts'
import type { Subprotocol } from '../frames/frame-codec.ts'
import type { Hub } from '../hub.ts'
import type { Addresses, AddressSeat } from './addresses.ts'
import { addressOf, guarded, mayCome, plain } from './http.ts'

export interface WebSocketOptions {
  readonly hub: Hub
  readonly log: Logger
  readonly origins: readonly string[] | null
  readonly addresses: Addresses
  /** Proxies that say whom they speak for. */
  readonly trusted: Networks
  accepting(): boolean
}

interface UserData {
  readonly encoding: Subprotocol
  readonly address: string
  connection: Connection | null
  socket: LiveSocket | null
  seat: AddressSeat | null
}

interface LiveSocket extends Socket {
  ended(): void
}

const DROPPED = 2

export function webSocketRoute(app: TemplatedApp, options: WebSocketOptions): void {
  const { addresses, hub, log } = options
  const handle = guarded(log)

  function refusalOf(res: HttpResponse, req: HttpRequest): string | null {
    if (!options.accepting()) return '503 Service Unavailable'
    if (req.getHeader('sec-websocket-version') !== '13') return '426 Upgrade Required'
    if (!mayCome(req, options.origins)) return '403 Forbidden'
    if (subprotocolOf(req.getHeader('sec-websocket-protocol')) === null) return '400 Bad Request'
    if (addresses.isFull(addressOf(res, req, options.trusted))) return '429 Too Many Requests'
    return null
  }

  app.ws<UserData>('/ws', {
    compression: 0,
    // Somewhat over the limit a frame still gets its code; far over it the transport cuts it off unread.
    maxPayloadLength: limits.frameBytesMax * 2,
    maxBackpressure: limits.socketBufferBytesMax,
    closeOnBackpressureLimit: true,
    // The session knows what each client negotiated, and how long one may take to log in; the transport would cut off who is slower.
    idleTimeout: 0,
    sendPingsAutomatically: false,
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
          address: addressOf(res, req, options.trusted),
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

/** '' when none was offered; null when none of those offered is ours. */
function subprotocolOf(offered: string): string | null {
  if (offered === '') return ''
  const names = offered.split(',').map((name) => name.trim())
  return names.find((name) => name === SUBPROTOCOL_JSON || name === SUBPROTOCOL_AVRO) ?? null
}
