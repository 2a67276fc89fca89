/** What a role tells of itself on its API port: a summary line every 30 s, and `/ready` and `/metrics` where METRICS_PORT is set. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Fault } from '../schemas/ports.ts'
import type { Clock } from './clock.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'

/** Sent as JSON. */
export interface Answer {
  readonly status: number
  readonly body: object
}

const SUMMARY_MS = 30_000

export interface ReportOptions {
  readonly log: Log
  readonly clock: Clock
  readonly metrics: Metrics
  readonly host: string
  /** Undefined: nothing listens. */
  readonly port: number | undefined
  /** Running totals by name; only ever growing. */
  counts(): Readonly<Record<string, number>>
  /** Values that go up and down. */
  levels(): Readonly<Record<string, number>>
  ready(): boolean
  /** What else may be asked with GET; null: nothing of this kind. */
  answer?(url: URL): Promise<Answer> | null
  /** The port is taken, or cannot be listened on. */
  failed(fault: Fault): void
}

export function startReport(options: ReportOptions): { stop(): void } {
  const { log, clock, metrics } = options
  let before: Readonly<Record<string, number>> = {}
  const publish = () => {
    const counts = options.counts()
    for (const [what, total] of Object.entries(counts)) {
      const more = total - (before[what] ?? 0)
      if (more > 0) metrics.inc('longwire_role_total', more, { what })
    }
    for (const [what, level] of Object.entries(options.levels()))
      metrics.set('longwire_role_level', level, { what })
    before = { ...counts }
  }
  const summary = clock.setInterval(() => {
    const counts = options.counts()
    log.info({ ...counts, ...options.levels(), ready: options.ready() }, 'summary')
  }, SUMMARY_MS)
  const server = createServer(async (request, response) => {
    if (request.url === '/ready') response.writeHead(options.ready() ? 200 : 503).end()
    else if (request.url === '/metrics') {
      publish()
      response.writeHead(200, { 'content-type': metrics.contentType }).end(await metrics.render())
    } else await answer(request, response)
  })
  async function answer({ method, url }: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = URL.canParse(url ?? '', 'http://localhost') ? new URL(url ?? '', 'http://localhost') : null
    try {
      const found = method === 'GET' && path ? await options.answer?.(path) : null
      if (!found) response.writeHead(404).end()
      else {
        response.writeHead(found.status, { 'content-type': 'application/json; charset=utf-8' })
        response.end(`${JSON.stringify(found.body)}\n`)
      }
    } catch (err) {
      log.error({ err }, 'answering on the API port failed by a defect')
      if (!response.headersSent) response.writeHead(500)
      response.end()
    }
  }
  server.on('error', (cause) => {
    const line = `${options.host}:${options.port} for /ready and /metrics cannot be opened (${cause.message}): choose another port`
    options.failed(new Fault('port_unavailable', line, { retriable: false, cause }))
  })
  if (options.port !== undefined) server.listen(options.port, options.host)
  return {
    stop() {
      clock.clearInterval(summary)
      server.close()
    },
  }
}
