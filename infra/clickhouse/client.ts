import { readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { ClickHouseError, createClient } from '@clickhouse/client'
import type { ArchiveStorage } from '../../projections/archive/storage.ts'
import type { EncodedRows, QueryLimits } from '../../projections/ports.ts'
import { Fault } from '../../schemas/ports.ts'
import { onCluster } from './cluster.ts'

export interface ClickHouseOptions {
  readonly url: string
  readonly user?: string
  readonly password?: string
  /** Default `default`. The database need not exist for `command('CREATE DATABASE …')` on another one. */
  readonly database?: string
  readonly tlsCaFile?: string
  /** Definitions are made for a cluster of this name. */
  readonly cluster?: string
  readonly storage?: ArchiveStorage
  /** Longest wait for one request. Default 30 s. */
  readonly requestTimeoutMs?: number
}

export interface ClickHouse {
  /** Resolves to whether the server answers. */
  ping(): Promise<boolean>
  /** DDL and other statements without an answer. */
  command(sql: string, params?: Record<string, unknown>): Promise<void>
  /**
   * Inserts rows as one synchronous block. With a `dedupToken` the same block sent again within the table's deduplication window
   * is written once, so a retry after an unknown outcome must send the same rows with the same token.
   */
  insert(
    table: string,
    rows: readonly object[] | EncodedRows,
    options?: { dedupToken?: string },
  ): Promise<void>
  /** Rows of a SELECT; parameters are bound by the server: `{name:String}`. Fault `query_limit`: it would take more than `limits`. */
  query<T>(sql: string, params?: Record<string, unknown>, limits?: QueryLimits): Promise<T[]>
  close(): Promise<void>
}

const requestTimeoutMsDefault = 30_000
const connectionsMax = 10
// Below the 3 s of a ClickHouse server by default: a socket is dropped here before the server closes it under a request.
const idleSocketTtlMs = 2_000

/** Every failure is a `Fault`; one with `retriable: false` was refused by the server and would be again. */
export function createClickHouse(options: ClickHouseOptions): ClickHouse {
  const { cluster } = options
  const client = createClient({
    url: options.url,
    username: options.user ?? 'default',
    password: options.password ?? '',
    database: options.database ?? 'default',
    request_timeout: options.requestTimeoutMs ?? requestTimeoutMsDefault,
    max_open_connections: connectionsMax,
    keep_alive: { enabled: true, idle_socket_ttl: idleSocketTtlMs },
    log: { level: 127 },
    ...(options.tlsCaFile ? { tls: { ca_cert: readFileSync(options.tlsCaFile) } } : {}),
  })
  return {
    ping: async () => (await client.ping()).success,
    command: async (query, params) => {
      for (const sql of cluster === undefined ? [query] : onCluster(query, cluster))
        await client.command({ query: sql, ...(params ? { query_params: params } : {}) }).catch(toFault)
    },
    insert: async (table, rows, { dedupToken } = {}) => {
      const isEncoded = 'parts' in rows
      if ((isEncoded ? rows.parts : rows).length === 0) return
      const settings = {
        async_insert: 0 as const,
        // Answered when the shards have it.
        ...(cluster === undefined ? {} : { distributed_foreground_insert: 1 as const }),
        ...(dedupToken === undefined ? {} : { insert_deduplication_token: dedupToken }),
      }
      if (!isEncoded) {
        await client
          .insert({ table, values: rows, format: 'JSONEachRow', clickhouse_settings: settings })
          .catch(toInsertFault)
        return
      }
      const query = `INSERT INTO ${table} (${rows.columns.join(', ')}) FORMAT JSONCompactEachRow`
      const values = Readable.from(rows.parts, { objectMode: false })
      const { stream } = await client
        .exec({ query, values, clickhouse_settings: settings })
        .catch(toInsertFault)
      // There is no answer but its end, which frees the connection.
      stream.resume()
      await finished(stream).catch(toInsertFault)
    },
    query: async <T>(query: string, params?: Record<string, unknown>, limits?: QueryLimits) => {
      const result = await client
        .query({
          query,
          format: 'JSONEachRow',
          ...(params ? { query_params: params } : {}),
          ...(limits ? { clickhouse_settings: settingsOf(limits) } : {}),
        })
        .catch(toFault)
      return result.json<T>().catch(toFault)
    },
    close: () => client.close(),
  }
}

const settingsOf = ({ rowsMax, timeMsMax }: QueryLimits) => ({
  max_rows_to_read: String(rowsMax),
  max_execution_time: timeMsMax / 1_000,
  // One query must not take all cores from the pages and inserts beside it.
  max_threads: 2,
})

// TOO_MANY_ROWS, TIMEOUT_EXCEEDED, TOO_SLOW, TOO_MANY_BYTES
const limitCodes = ['158', '159', '160', '307']
// Refusals that hold until someone changes the query or the schema: syntax, unknown table, column, database, type.
const finalCodes = ['62', '60', '81', '47', '16', '36', '53', '6', '26', '27', '46', '497', '516']

/** The engine quotes rows, which hold what people wrote: only its code and the kind of error are told. */
function toInsertFault(err: unknown): never {
  if (!(err instanceof ClickHouseError)) return toFault(err)
  const line = `ClickHouse ${err.code} ${err.type ?? ''}: the insert was refused`
  throw new Fault('clickhouse_refused', line, { retriable: !finalCodes.includes(err.code) })
}

function toFault(err: unknown): never {
  if (err instanceof ClickHouseError) {
    if (limitCodes.includes(err.code))
      throw new Fault('query_limit', `ClickHouse ${err.code}: the query would take too much`, {
        retriable: false,
        cause: err,
      })
    // The engine's message may quote values; keep the kind and the beginning.
    throw new Fault(
      'clickhouse_refused',
      `ClickHouse ${err.code} ${err.type ?? ''}: ${err.message.slice(0, 300)}`,
      {
        retriable: !finalCodes.includes(err.code),
        cause: err,
      },
    )
  }
  throw new Fault('clickhouse_unreachable', `ClickHouse did not answer: ${(err as Error).message}`, {
    retriable: true,
    cause: err,
  })
}
