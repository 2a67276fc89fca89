/** What every answer on the public port has in common. Of uWebSockets.js only the types: nothing is opened here. */
import type { HttpRequest, HttpResponse } from 'uWebSockets.js'
import type { Networks } from '../../infra/networks.ts'
import type { Logger } from '../../schemas/ports.ts'
import { originAllowed } from '../origins.ts'
import { clientAddress } from './proxies.ts'

const text = new TextDecoder()
/** To an address that has too many connections. */
const RETRY_AFTER_SEC = '1'

/** `trusted`: proxies whose X-Forwarded-For is believed. */
export const addressOf = (res: HttpResponse, req: HttpRequest, trusted: Networks): string =>
  clientAddress(text.decode(res.getRemoteAddressAsText()), forwardedFor(req), trusted)

/** Of all lines: some proxies add one of their own behind that of the client, who may have written anything. */
function forwardedFor(req: HttpRequest): string {
  const lines: string[] = []
  req.forEach((name, value) => {
    if (name === 'x-forwarded-for') lines.push(value)
  })
  return lines.join(',')
}

/** No page can forge what stands in Sec-Fetch-Site, or leave it out. */
export const mayCome = (req: HttpRequest, origins: readonly string[] | null): boolean =>
  originAllowed(req.getHeader('origin'), req.getHeader('host'), origins, req.getHeader('sec-fetch-site'))

export function plain(res: HttpResponse, status: string, body: string): void {
  res.cork(() => {
    res.writeStatus(status).writeHeader('content-type', 'text/plain; charset=utf-8')
    if (status.startsWith('429')) res.writeHeader('retry-after', RETRY_AFTER_SEC)
    res.writeHeader('x-content-type-options', 'nosniff').end(body)
  })
}

export type Handler = (res: HttpResponse, req: HttpRequest) => void

/** For answers that are given within the call: an unanswered or unguarded request would end the process. */
export const guarded =
  (log: Logger) =>
  (answer: Handler): Handler =>
  (res, req) => {
    res.onAborted(() => {})
    try {
      answer(res, req)
    } catch (error) {
      log.error({ err: error }, 'answering a request failed by a defect')
      plain(res, '500 Internal Server Error', 'internal error')
    }
  }
