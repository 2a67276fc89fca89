/** How long the archive keeps what, and where: as statements that change what stands. Pure. */

export interface ArchiveStorage {
  /** Days; 0: for ever. */
  readonly ledgerDays: number
  readonly loginDays: number
  /** Days after which parts move to the volume `cold` of the storage policy; 0: never. */
  readonly coldDays: number
  /** Of ClickHouse's configuration. */
  readonly policy?: string
}

/** Rows are deleted of what gateways saw alone: `events` is what everything else can be rebuilt from. */
const DELETED = { ledger_pushes: 'time', ledger_sends: 'time', logins: 'login_at' } as const
const COLD = { events: 'time', items: 'logged_at', messages: 'time' } as const

/** `engines`: each table's `engine_full` of system.tables. */
export function storageStatements(storage: ArchiveStorage, engines: ReadonlyMap<string, string>): string[] {
  const deleted = Object.entries(DELETED).flatMap(([table, column]) => {
    const days = table === 'logins' ? storage.loginDays : storage.ledgerDays
    return changed(table, days === 0 ? null : `toDateTime(${column}) + toIntervalDay(${days})`, engines)
  })
  const cold = Object.entries(COLD).flatMap(([table, column]) => {
    const days = storage.coldDays
    return [
      ...placed(table, storage.policy, engines),
      ...changed(
        table,
        days === 0 ? null : `toDateTime(${column}) + toIntervalDay(${days}) TO VOLUME 'cold'`,
        engines,
      ),
    ]
  })
  return [...deleted, ...cold]
}

function changed(table: string, ttl: string | null, engines: ReadonlyMap<string, string>): string[] {
  const engine = engines.get(table)
  // Not there: a view, in a namespace of its own.
  if (engine === undefined || !engine.includes('MergeTree')) return []
  const now = / TTL ([\s\S]*?)(?= SETTINGS |$)/.exec(engine)?.[1] ?? null
  if (now === ttl) return []
  return [ttl === null ? `ALTER TABLE ${table} REMOVE TTL` : `ALTER TABLE ${table} MODIFY TTL ${ttl}`]
}

function placed(table: string, policy: string | undefined, engines: ReadonlyMap<string, string>): string[] {
  const engine = engines.get(table)
  if (policy === undefined || engine === undefined || engine.includes(`storage_policy = '${policy}'`))
    return []
  return [`ALTER TABLE ${table} MODIFY SETTING storage_policy = '${policy}'`]
}
