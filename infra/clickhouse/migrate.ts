/** Creates the archive's database and brings its tables up to date. */

import { sharedTables } from '../../projections/activity/tables.ts'
import { type Migration, migrations } from '../../projections/archive/tables.ts'
import type { Logger } from '../../schemas/ports.ts'
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
  }
}

/**
 * Safe to run from several processes at once: every statement says IF NOT EXISTS. Rejects with a Fault when ClickHouse does not answer.
 * In a namespace of its own, what is no projection's is a view of the tables in `options.database`.
 */
export async function migrateArchive(
  baseOptions: ClickHouseOptions,
  logger: Logger,
  namespace = '',
): Promise<void> {
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
    for (const migration of await missing(archive)) {
      for (const statement of migration.statements)
        await archive.command(namespace === '' ? statement : inNamespace(statement, baseOptions.database))
      await archive.insert('migrations', [{ version: migration.version }])
      logger.info({ version: migration.version }, 'archive tables migrated')
    }
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

async function missing(archive: ClickHouse): Promise<Migration[]> {
  const rows = await archive.query<{ version: number }>('SELECT DISTINCT version FROM migrations')
  const applied = new Set(rows.map(({ version }) => Number(version)))
  return migrations.filter(({ version }) => !applied.has(version))
}
