/** Creates the archive's database and brings its tables up to date. */

import { sharedTables } from '../../projections/activity/tables.ts'
import { storageStatements } from '../../projections/archive/storage.ts'
import { type Migration, migrations } from '../../projections/archive/tables.ts'
import { Fault, type Logger } from '../../schemas/ports.ts'
import { systemClock } from '../clock.ts'
import { type Config, readSecretFile } from '../config.ts'
import { type ClickHouse, type ClickHouseOptions, createClickHouse } from './client.ts'
import { optionsIn } from './namespaces.ts'

export function clickHouseOptions(config: Config & { clickhouse: string }): ClickHouseOptions {
  const password = readSecretFile('CLICKHOUSE_PASSWORD_FILE', config.clickhousePasswordFile)
  return {
    url: config.clickhouse,
    user: config.clickhouseUser,
    ...(password === undefined ? {} : { password }),
    ...(config.clickhouseTlsCaFile === undefined ? {} : { tlsCaFile: config.clickhouseTlsCaFile }),
    database: config.clickhouseDatabase,
    ...(config.clickhouseCluster === undefined ? {} : { cluster: config.clickhouseCluster }),
    storage: {
      ledgerDays: config.ledgerDays,
      loginDays: config.loginDays,
      coldDays: config.archiveColdDays,
      ...(config.archiveStoragePolicy === undefined ? {} : { policy: config.archiveStoragePolicy }),
    },
  }
}

/**
 * In order, and each once, also from several processes at the same time. Rejects with a Fault when ClickHouse does not answer.
 * In a namespace of its own, what is no projection's is a view of the tables in `options.database`, which are brought up to date
 * first.
 */
export async function migrateArchive(
  baseOptions: ClickHouseOptions,
  logger: Logger,
  namespace = '',
): Promise<void> {
  if (namespace !== '') await migrateArchive(baseOptions, logger)
  const options = optionsIn(baseOptions, namespace)
  const root = createClickHouse({ ...options, database: 'default' })
  try {
    await root.command(`CREATE DATABASE IF NOT EXISTS ${options.database ?? 'default'}`)
  } finally {
    await root.close()
  }
  const archive = createClickHouse(options)
  try {
    await archive.command(
      'CREATE TABLE IF NOT EXISTS migrations (version UInt32, applied_at DateTime DEFAULT now()) ENGINE = MergeTree ORDER BY version',
    )
    if ((await missing(archive)).length > 0)
      await underLock(archive, async () => {
        for (const migration of await missing(archive)) {
          for (const statement of migration.statements)
            await archive.command(namespace === '' ? statement : inNamespace(statement, baseOptions.database))
          await archive.insert('migrations', [{ version: migration.version }])
          logger.info({ version: migration.version }, 'archive tables migrated')
        }
      })
    await store(archive, baseOptions, logger)
  } finally {
    await archive.close()
  }
}

const OF_TABLE = /^\s*(?:CREATE TABLE(?: IF NOT EXISTS)?|ALTER TABLE)\s+(\w+)/

/** Where the statement makes or changes a table of which there is one for all namespaces: a view of it as it stands there. */
function inNamespace(statement: string, base: string | undefined): string {
  const table = OF_TABLE.exec(statement)?.[1]
  if (table === undefined || !sharedTables.includes(table)) return statement
  return `CREATE OR REPLACE VIEW ${table} AS SELECT * FROM ${base ?? 'default'}.${table}`
}

/** How often whoever migrates says that it lives, and how long silence must last until another takes over. */
const LOCK_ALIVE_MS = 2_000
const LOCK_SILENT_SEC = 20
const LOCK_POLL_MS = 200

/** The lock is a table that only one can create. Statements may be run again, so that one taken over in error does no harm. */
async function underLock(archive: ClickHouse, work: () => Promise<void>): Promise<void> {
  while (!(await isLocked(archive))) {
    const [row] = await archive.query<{ silent: number }>(
      `SELECT toInt32(dateDiff('second', max(metadata_modification_time), now())) AS silent FROM system.tables
       WHERE database = currentDatabase() AND name IN ('migrating', 'migrating_local') HAVING count() > 0`,
    )
    const [beat] = row ? await archive.query<{ silent: number }>(BEATS).catch(() => []) : []
    if ((beat ?? row ?? { silent: 0 }).silent > LOCK_SILENT_SEC)
      await archive.command('DROP TABLE IF EXISTS migrating')
    else await systemClock.sleep(LOCK_POLL_MS)
  }
  const alive = systemClock.setInterval(
    () => void archive.command('INSERT INTO migrating SELECT now()').catch(() => {}),
    LOCK_ALIVE_MS,
  )
  try {
    await work()
  } finally {
    systemClock.clearInterval(alive)
    await archive.command('DROP TABLE IF EXISTS migrating').catch(() => {})
  }
}

const BEATS = `SELECT toInt32(dateDiff('second', max(at), now())) AS silent FROM migrating HAVING count() > 0`

async function isLocked(archive: ClickHouse): Promise<boolean> {
  try {
    await archive.command('CREATE TABLE migrating (at DateTime) ENGINE = MergeTree ORDER BY at')
    return true
  } catch (err) {
    // The table is there.
    if (err instanceof Fault && err.message.startsWith('ClickHouse 57 ')) return false
    throw err
  }
}

/** Brings TTLs and tiers to what is configured. */
async function store(
  archive: ClickHouse,
  { cluster, storage }: ClickHouseOptions,
  logger: Logger,
): Promise<void> {
  if (!storage) return
  const rows = await archive.query<{ name: string; engine_full: string }>(
    'SELECT name, engine_full FROM system.tables WHERE database = currentDatabase()',
  )
  const suffix = cluster === undefined ? '' : '_local'
  const engines = new Map(
    rows
      .filter(({ name }) => name.endsWith(suffix))
      .map(({ name, engine_full }) => [name.slice(0, name.length - suffix.length), engine_full]),
  )
  for (const statement of storageStatements(storage, engines)) {
    await archive.command(statement)
    logger.info({ statement }, 'storage of the archive changed')
  }
}

async function missing(archive: ClickHouse): Promise<Migration[]> {
  const rows = await archive.query<{ version: number }>('SELECT DISTINCT version FROM migrations')
  const applied = new Set(rows.map(({ version }) => Number(version)))
  return migrations.filter(({ version }) => !applied.has(version))
}
