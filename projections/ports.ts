/** What projections and read models need from the outside beside the log: infra/redis and infra/clickhouse implement it. */

export type RedisArg = string | number
export type RedisReply = string | number | null | readonly RedisReply[]

/** A Lua script; the adapter sends its hash and loads it where a node does not know it. */
export interface Script {
  readonly name: string
  readonly text: string
}

/** Keys of one call carry one hash tag, so that no command and no script spans two slots. */
export type RedisCall =
  | readonly [command: string, key: string, ...args: RedisArg[]]
  | { readonly script: Script; readonly keys: readonly string[]; readonly args: readonly RedisArg[] }

export interface RedisPort {
  /**
   * One pipelined round trip (one per node on a Cluster); replies in the order of the calls, which run in that order on a single
   * node. Rejects with Fault `redis_unavailable` (retriable) when a call was not answered within 500 ms or was refused: what was
   * written then is unknown, so every write is idempotent.
   */
  batch(calls: readonly RedisCall[]): Promise<readonly RedisReply[]>
}

export interface RedisKeys {
  /** Keys that fit a pattern of Redis', of all nodes, some at a time; one that is moved meanwhile may come twice. */
  keysLike(pattern: string): AsyncIterable<readonly string[]>
}

/** What one query may take of the store. */
export interface QueryLimits {
  /** Rows that it may have to look at. */
  readonly rowsMax: number
  readonly timeMsMax: number
}

export interface ArchivePort {
  /**
   * Rows as JSON objects; 64-bit integers come as strings. Rejects with a Fault when the store does not answer, with Fault
   * `query_limit` when it would take more than it may.
   */
  query<Row>(sql: string, params?: Readonly<Record<string, unknown>>, limits?: QueryLimits): Promise<Row[]>
  /** One block, atomic. The same token again within the table's window inserts nothing. */
  insert(
    table: string,
    rows: readonly object[] | EncodedRows,
    options: { readonly dedupToken: string },
  ): Promise<void>
}

/** Rows as they are sent, made while the store is busy with those before. */
export interface EncodedRows {
  readonly columns: readonly string[]
  /** Some rows each, a line per row: a JSON array of the columns' values. */
  readonly parts: readonly Uint8Array[]
}
