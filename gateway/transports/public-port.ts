/**
 * The public port: the page, `/health`, and what the transports put on it. uWebSockets.js objects must not be touched after their
 * end and HTTP handlers must all have onAborted: see http.ts, websocket.ts and polling.ts.
 */

import {
  App,
  type HttpRequest,
  type HttpResponse,
  SSLApp,
  type us_listen_socket,
  us_listen_socket_close,
  us_socket_local_port,
} from 'uWebSockets.js'
import { createServer } from 'node:net'
import type { Networks } from '../../infra/networks.ts'
import type { Clock, Logger } from '../../schemas/ports.ts'
import type { Hub } from '../hub.ts'
import type { Addresses } from './addresses.ts'
import { guarded, plain } from './http.ts'
import { createPollSessions, type PollSessions } from './poll-sessions.ts'
import { pollingRoutes } from './polling.ts'
import { loadStaticFiles, type StaticFile, securityHeaders } from './static-files.ts'
import { webSocketRoute } from './websocket.ts'

export interface PublicPort {
  readonly port: number
  levels: PollSessions['levels']
  toldAll: PollSessions['toldAll']
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
  readonly staticFolder: string
  readonly gatewayId: string
  readonly clock: Clock
  /** Not to be guessed: whoever knows it speaks for a session. */
  readonly secretName: () => string
  readonly hub: Hub
  /** What `/health` says; default: always. */
  ready?(): boolean
  /** Shared with the other transports. */
  readonly addresses: Addresses
  /** Proxies that say whom they speak for. */
  readonly trusted: Networks
  /** Files in PEM; null: no TLS. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | null
  readonly log: Logger
}

/** Rejects with one line when the port cannot be had. */
export async function openPublicPort(options: PublicPortOptions): Promise<PublicPort> {
  const { addresses, hub, log, origins } = options
  const handle = guarded(log)
  let files = loadStaticFiles(options.staticFolder)
  let accepting = true
  let listening: us_listen_socket | null = null

  // Both speak TLS 1.2 or newer only.
  const app = options.tls
    ? SSLApp({ cert_file_name: options.tls.certFile, key_file_name: options.tls.keyFile })
    : App()
  const common = { hub, log, origins, addresses, trusted: options.trusted, accepting: () => accepting }
  webSocketRoute(app, common)
  const sessions = createPollSessions(options)
  pollingRoutes(app, { ...common, sessions })
  app.get(
    '/health',
    handle((res) =>
      options.ready?.() === false
        ? plain(res, '503 Service Unavailable', 'draining')
        : plain(res, '200 OK', 'ok'),
    ),
  )
  app.get('/*', handle(serveFile))
  app.any(
    '/*',
    handle((res) => plain(res, '404 Not Found', 'not found')),
  )

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
    levels: sessions.levels,
    toldAll: sessions.toldAll,
    stopAccepting() {
      accepting = false
      if (listening) us_listen_socket_close(listening)
      listening = null
    },
    close() {
      accepting = false
      listening = null
      app.close()
      sessions.stop()
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
