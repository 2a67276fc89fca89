/** What a ClickHouse server answers to an insert that it cannot take, as it words it: for a proxy in front of an engine that could. */
const refusals = {
  /** Its disk is full. */
  243: 'Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)',
  /** Its user may only read. */
  164: 'default: Cannot execute query in readonly mode. (READONLY)',
  /** The replica has lost its keeper. */
  242: 'Table is in readonly mode (replica path: /clickhouse/tables/01/replicas/1). (TABLE_IS_READ_ONLY)',
} as const

export type RefusalCode = keyof typeof refusals
export const refusalCodes = Object.keys(refusals).map(Number) as RefusalCode[]

/** Requests that insert. */
export const INSERTS = /^POST [^ ]*INSERT/

export function refusalOf(code: RefusalCode): string {
  const body = `Code: ${code}. DB::Exception: ${refusals[code]} (version 25.8.1.1)\n`
  return [
    'HTTP/1.1 500 Internal Server Error',
    `X-ClickHouse-Exception-Code: ${code}`,
    'Content-Type: text/plain; charset=UTF-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n')
}
