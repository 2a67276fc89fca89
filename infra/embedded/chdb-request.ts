/**
 * Reads a request of ClickHouse's HTTP interface, as far as `@clickhouse/client` uses it. Pure: text in, data or a coded
 * refusal out.
 */

/** A refusal in ClickHouse's own words and numbers, so that its client understands it. */
export class HttpInterfaceError extends Error {
  readonly code: number
  readonly status: number
  constructor(status: number, code: number, message: string) {
    super(`Code: ${code}. DB::Exception: ${message}`)
    this.code = code
    this.status = status
  }
}

export interface ChdbRequest {
  readonly kind: 'read' | 'write'
  /** The statement, without inline data of an insert. */
  readonly sql: string
  /** Insert data in the format that the statement names. */
  readonly data: Buffer | undefined
  readonly database: string
  readonly format: string
  /** Values in ClickHouse's escaped form, as they came. */
  readonly params: ReadonlyMap<string, string>
  readonly settings: ReadonlyMap<string, string>
  readonly queryId: string | undefined
  readonly compressResponse: boolean
}

// About the HTTP exchange, not about the query.
const httpOnly = new Set([
  'query',
  'query_id',
  'database',
  'default_format',
  'session_id',
  'session_timeout',
  'session_check',
  'role',
  'user',
  'password',
  'quota_key',
  'compress',
  'decompress',
  'buffer_size',
  'wait_end_of_query',
  'enable_http_compression',
  'http_zlib_compression_level',
  'send_progress_in_http_headers',
  'http_headers_progress_interval_ms',
  'close_session',
  'http_write_exception_in_output_format',
  'date_time_output_format_client',
])

const namePattern = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/
const writing =
  /^(insert|create|alter|drop|truncate|optimize|rename|attach|detach|exchange|delete|update|system|grant|kill)\b/i

export function parseRequest(search: URLSearchParams, body: Buffer): ChdbRequest {
  const params = new Map<string, string>()
  const settings = new Map<string, string>()
  for (const [name, value] of search) {
    const param = name.startsWith('param_') ? name.slice('param_'.length) : undefined
    if (param === undefined && httpOnly.has(name)) continue
    if (!namePattern.test(param ?? name))
      throw new HttpInterfaceError(400, 36, `bad name of a parameter: ${name.slice(0, 100)}`)
    if (param === undefined) settings.set(name, value)
    else params.set(param, value)
  }
  const inUrl = search.get('query') ?? ''
  // With a query in the address the body is the data of an insert; without one the body is the query.
  const sql = stripComments(inUrl === '' ? body.toString('utf8') : inUrl)
  if (sql === '') throw new HttpInterfaceError(400, 62, 'Syntax error: empty query')
  const database = search.get('database') ?? 'default'
  if (!namePattern.test(database)) throw new HttpInterfaceError(400, 36, 'bad name of a database')
  const format = search.get('default_format') ?? 'TabSeparated'
  if (!namePattern.test(format)) throw new HttpInterfaceError(400, 73, 'bad name of a format')
  return {
    kind: writing.test(sql) ? 'write' : 'read',
    sql,
    data: inUrl !== '' && body.length > 0 ? body : undefined,
    database,
    format,
    params,
    settings,
    queryId: search.get('query_id') ?? undefined,
    compressResponse: search.get('enable_http_compression') === '1',
  }
}

export interface InsertTarget {
  readonly table: string
  readonly columns: string[] | undefined
  readonly format: string
}

const insertPattern =
  /^insert\s+into\s+(?:table\s+)?((?:[A-Za-z_]\w*|`[^`\\]+`)(?:\.(?:[A-Za-z_]\w*|`[^`\\]+`))?)\s*(?:\(([^()]*)\))?\s*format\s+([A-Za-z]\w*)\s*;?$/i

/** Parts of `INSERT INTO table (columns) FORMAT name`, the only form whose data may come in the body. */
export function parseInsert(sql: string): InsertTarget {
  const match = insertPattern.exec(sql.trim())
  if (!match?.[1] || !match[3]) {
    throw new HttpInterfaceError(
      400,
      62,
      'Syntax error: with data in the body, the embedded engine takes INSERT INTO table (columns) FORMAT name',
    )
  }
  const plain = (name: string) => name.trim().replaceAll('`', '')
  const columns = match[2]?.split(',').map(plain)
  return { table: plain(match[1]), columns: columns?.length ? columns : undefined, format: match[3] }
}

/** A ClickHouse string literal. */
export function quote(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}

/** The HTTP status that ClickHouse answers for one of its error codes. */
export function statusOf(code: number): number {
  if ([62, 6, 26, 27, 36, 41, 43, 46, 47, 53, 70, 72, 115, 117, 456, 457].includes(code)) return 400
  if ([60, 81].includes(code)) return 404
  if ([159, 160].includes(code)) return 408
  if (code === 202) return 503
  return 500
}

function stripComments(sql: string): string {
  return sql.trim().replace(/^(?:--[^\n]*(?:\n\s*|$)|\/\*[\s\S]*?\*\/\s*)+/, '')
}
