/**
 * Long and short polling on the public port: `POST /poll` opens, polls and sends, `DELETE /poll` leaves. The session stands in a
 * header, never in the address, which proxies and logs keep.
 */
import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js'
import type { Networks } from '../../infra/networks.ts'
import { type CodeName, codes } from '../../schemas/codes.ts'
import { limits } from '../../schemas/limits.ts'
import type { Logger } from '../../schemas/ports.ts'
import type { Addresses } from './addresses.ts'
import { addressOf, mayCome } from './http.ts'
import { parsePoll, refusalBody } from './poll-body.ts'
import type { PollSessions, Reply } from './poll-sessions.ts'

export const SESSION_HEADER = 'x-longwire-session'

export interface PollingOptions {
  readonly log: Logger
  readonly origins: readonly string[] | null
  readonly addresses: Addresses
  /** Proxies that say whom they speak for. */
  readonly trusted: Networks
  readonly sessions: PollSessions
  accepting(): boolean
}

const PREFLIGHT_SEC = '600'

/** What must be read from a request before its handler returns. */
interface Exchange extends Reply {
  readonly session: string
  readonly address: string
  /** Refuses and closes the connection: what the client still sends is not read. */
  cut(status: string, code: CodeName): void
}

export function pollingRoutes(app: TemplatedApp, options: PollingOptions): void {
  const { sessions, log } = options
  /** Of bodies that have not come to their end. */
  let unfinishedBytes = 0

  function exchangeOf(res: HttpResponse, req: HttpRequest): Exchange | null {
    const origin = req.getHeader('origin')
    const allowed = mayCome(req, options.origins)
    let gone: (() => void) | null = () => {}
    res.onAborted(() => {
      const tell = gone
      gone = null
      tell?.()
    })
    function respond(status: string, body: Buffer, close: boolean): void {
      if (gone === null) return
      gone = null
      res.cork(() => {
        res
          .writeStatus(status)
          .writeHeader('content-type', 'application/json')
          .writeHeader('cache-control', 'no-store')
          .writeHeader('x-content-type-options', 'nosniff')
          .writeHeader('vary', 'origin')
        if (allowed && origin !== '') res.writeHeader('access-control-allow-origin', origin)
        res.end(body, close)
      })
    }
    const cut = (status: string, code: CodeName): void =>
      respond(status, refusalBody(code, codes[code].text), true)
    if (!allowed) {
      cut('403 Forbidden', 'not_allowed')
      return null
    }
    return {
      session: req.getHeader(SESSION_HEADER),
      address: addressOf(res, req, options.trusted),
      send: (status, body) => respond(status, body, false),
      onGone(fn) {
        if (gone) gone = fn
        else fn()
      },
      cut,
    }
  }

  function received(exchange: Exchange, body: Buffer): void {
    const parsed = parsePoll(body)
    if (!parsed.ok) {
      exchange.send('400 Bad Request', refusalBody(parsed.code, parsed.message))
      return
    }
    const { request } = parsed
    if (exchange.session !== '') sessions.poll(exchange.session, request, exchange)
    else if (request.frames.length === 0) exchange.cut('401 Unauthorized', 'not_logged_in')
    else if (!options.accepting()) exchange.cut('503 Service Unavailable', 'draining')
    else if (options.addresses.isFull(exchange.address)) exchange.cut('429 Too Many Requests', 'overloaded')
    else sessions.open(exchange.address, request, exchange)
  }

  function guard(exchange: Exchange, work: () => void): void {
    try {
      work()
    } catch (error) {
      // Whatever one client sends must not end the connections of all others.
      log.error({ err: error }, 'a poll met a defect')
      exchange.cut('500 Internal Server Error', 'internal')
    }
  }

  app.post('/poll', (res, req) => {
    const exchange = exchangeOf(res, req)
    if (!exchange) return
    const isKnown = sessions.knows(exchange.session)
    if (!isKnown && options.addresses.isFull(exchange.address)) {
      exchange.cut('429 Too Many Requests', 'overloaded')
      return
    }
    // Until all of it is here it counts as a connection that has not logged in.
    const seat = isKnown ? null : options.addresses.take(exchange.address)
    const bytesMax = isKnown ? limits.pollBodyBytesMax : limits.pollLoginBodyBytesMax
    const chunks: Buffer[] = []
    let bytes = 0
    let open = true
    const ended = (): void => {
      if (open) unfinishedBytes -= bytes
      open = false
      seat?.leave()
    }
    const cut = (status: string, code: CodeName): void => {
      ended()
      chunks.length = 0
      exchange.cut(status, code)
    }
    exchange.onGone(() => {
      ended()
      chunks.length = 0
    })
    res.onData((chunk, isLast) => {
      if (!open) return
      bytes += chunk.byteLength
      unfinishedBytes += chunk.byteLength
      if (bytes > bytesMax) {
        cut('413 Content Too Large', 'frame_too_large')
        return
      }
      if (unfinishedBytes > limits.pollBodiesBytesMax) {
        cut('503 Service Unavailable', 'overloaded')
        return
      }
      // The bytes are taken back when this returns.
      chunks.push(Buffer.from(new Uint8Array(chunk)))
      if (!isLast) return
      ended()
      guard(exchange, () => received(exchange, Buffer.concat(chunks)))
    })
  })
  app.del('/poll', (res, req) => {
    const exchange = exchangeOf(res, req)
    if (exchange) guard(exchange, () => sessions.leave(exchange.session, exchange))
  })
  app.options('/poll', (res, req) => {
    res.onAborted(() => {})
    const origin = req.getHeader('origin')
    const allowed = origin !== '' && mayCome(req, options.origins)
    res.cork(() => {
      res.writeStatus(allowed ? '204 No Content' : '403 Forbidden').writeHeader('vary', 'origin')
      if (allowed)
        res
          .writeHeader('access-control-allow-origin', origin)
          .writeHeader('access-control-allow-methods', 'POST, DELETE')
          .writeHeader('access-control-allow-headers', `content-type, ${SESSION_HEADER}`)
          .writeHeader('access-control-max-age', PREFLIGHT_SEC)
      res.endWithoutBody()
    })
  })
}
