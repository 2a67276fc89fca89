import { mkdirSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { exitWithParent } from '../lifecycle.ts'
import { type ChdbPool, createChdbPool } from './chdb-pool.ts'
import { HttpInterfaceError, parseRequest, statusOf } from './chdb-request.ts'

/**
 * ClickHouse's HTTP interface over the real engine in this process (chdb), as far as `@clickhouse/client` needs it.
 * A process of its own: `node infra/embedded/chdb-server.ts FOLDER PORT`. Loopback only, for development and tests.
 */

const bodyBytesMax = 64 * 1024 * 1024
const keepAliveMs = 30_000
// Query parameters stand in the address: as much of it as a ClickHouse server takes.
const headerBytesMax = 1024 * 1024
const gzipAsync = promisify(gzip)
const gunzipAsync = promisify(gunzip)

const [dir, port] = process.argv.slice(2)
if (!dir || !port) {
  console.error('usage: node infra/embedded/chdb-server.ts FOLDER PORT')
  process.exit(2)
}
mkdirSync(dir, { recursive: true })
const pool = createChdbPool(dir)
const server = createServer({ maxHeaderSize: headerBytesMax }, (req, res) => {
  handle(pool, req, res).catch((err: unknown) => fail(res, err))
})
server.keepAliveTimeout = keepAliveMs
server.requestTimeout = 0
server.listen(Number(port), '127.0.0.1')
server.on('error', (err) => {
  console.error(`error: ${err.message}`)
  process.exit(1)
})

let stopping = false
const stop = async () => {
  if (stopping) return
  stopping = true
  server.close()
  await pool.close()
  process.exit(0)
}
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop)
exitWithParent(stop)

async function handle(pool: ChdbPool, req: IncomingMessage, res: ServerResponse): Promise<void> {
  refuseBrowsers(req)
  const url = new URL(req.url ?? '/', 'http://localhost')
  if (url.pathname === '/ping' || (req.method === 'GET' && !url.searchParams.has('query'))) {
    res.end('Ok.\n')
    return
  }
  if (url.pathname !== '/') throw new HttpInterfaceError(404, 60, 'there is no such path')
  if (/^multipart\//.test(req.headers['content-type'] ?? '')) {
    throw new HttpInterfaceError(501, 48, 'the embedded engine takes query parameters in the address only')
  }
  const request = parseRequest(url.searchParams, await readBody(req))
  const answer = await pool.run(request)
  const accepts = String(req.headers['accept-encoding'] ?? '').includes('gzip')
  const packed = request.compressResponse && accepts
  const bytes = Buffer.from(answer.bytes.buffer, answer.bytes.byteOffset, answer.bytes.byteLength)
  res.setHeader(
    'Content-Type',
    request.format.startsWith('JSON') ? 'application/json' : 'text/plain; charset=UTF-8',
  )
  if (request.queryId) res.setHeader('X-ClickHouse-Query-Id', request.queryId)
  res.setHeader('X-ClickHouse-Server-Display-Name', 'embedded')
  res.setHeader(
    'X-ClickHouse-Summary',
    JSON.stringify({
      read_rows: String(answer.rowsRead),
      read_bytes: String(answer.bytesRead),
      written_rows: String(answer.rowsWritten),
      written_bytes: String(answer.bytesWritten),
      total_rows_to_read: '0',
      result_rows: '0',
      result_bytes: String(bytes.length),
      elapsed_ns: String(Math.round(answer.elapsedSec * 1e9)),
    }),
  )
  if (packed) res.setHeader('Content-Encoding', 'gzip')
  res.end(packed ? await gzipAsync(bytes, { level: 1 }) : bytes)
}

/** There is no password on loopback, so a web page must not be able to send queries: not across origins, not by DNS rebinding. */
function refuseBrowsers(req: IncomingMessage): void {
  const host = String(req.headers.host ?? '').replace(/:\d+$/, '')
  if (req.headers.origin !== undefined || !['127.0.0.1', 'localhost', '[::1]'].includes(host)) {
    throw new HttpInterfaceError(403, 516, 'requests of web pages are refused')
  }
}

async function readBody(req: IncomingMessage): Promise<Buffer> {
  const tooLarge = () => new HttpInterfaceError(413, 307, `the body is over ${bodyBytesMax} bytes`)
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of req) {
    size += (chunk as Buffer).length
    if (size > bodyBytesMax) throw tooLarge()
    chunks.push(chunk as Buffer)
  }
  const body = Buffer.concat(chunks)
  const encoding = req.headers['content-encoding']
  if (encoding === undefined) return body
  if (encoding !== 'gzip') throw new HttpInterfaceError(400, 36, `unknown content encoding ${encoding}`)
  return gunzipAsync(body, { maxOutputLength: bodyBytesMax }).catch((err: NodeJS.ErrnoException) => {
    throw err.code === 'ERR_BUFFER_TOO_LARGE'
      ? tooLarge()
      : new HttpInterfaceError(400, 354, 'the body is not gzip')
  })
}

/** Answers an error of the engine as ClickHouse does; a fault of one request never reaches another. */
function fail(res: ServerResponse, err: unknown): void {
  const message = err instanceof Error ? err.message : String(err)
  const code = err instanceof HttpInterfaceError ? err.code : Number(/Code: (\d+)/.exec(message)?.[1] ?? 1002)
  const status = err instanceof HttpInterfaceError ? err.status : statusOf(code)
  const text = message.startsWith('Code: ') ? message : `Code: ${code}. DB::Exception: ${message}`
  if (res.headersSent || res.destroyed) {
    res.destroy()
    return
  }
  res.statusCode = status
  res.setHeader('X-ClickHouse-Exception-Code', String(code))
  if (status === 413) res.setHeader('Connection', 'close')
  res.end(`${text}\n`)
}
