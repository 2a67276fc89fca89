/** What a role without a public port tells: a summary line every 30 s, and `/ready` and `/metrics` where METRICS_PORT is set. */
import { createServer } from 'node:http'
import { Fault } from '../schemas/ports.ts'
import type { Clock } from './clock.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'

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
    } else response.writeHead(404).end()
  })
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
