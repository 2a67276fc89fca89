import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClickHouse } from '../../../infra/clickhouse/client.ts'
import { migrateArchive } from '../../../infra/clickhouse/migrate.ts'
import { silentLog } from '../../../infra/log.ts'
import { migrations } from '../../../projections/archive/tables.ts'
import { startEngines } from '../../support/projections/engines.ts'

let engines: Awaited<ReturnType<typeof startEngines<true>>>
beforeAll(async () => {
  engines = await startEngines({ clickhouse: true })
})
afterAll(() => engines?.stop())

const optionsOf = (database: string) => ({ url: engines.clickhouseEngine.url, database })
const appliedIn = async (database: string): Promise<number[]> => {
  const rows = await engines.clickhouse.query<{ version: number }>(
    `SELECT version FROM ${database}.migrations ORDER BY applied_at, version`,
  )
  return rows.map(({ version }) => Number(version))
}
const all = migrations.map(({ version }) => version)
const ttlOf = async (table: string): Promise<string> => {
  const [row] = await engines.clickhouse.query<{ engine_full: string }>(
    `SELECT engine_full FROM system.tables WHERE database = 'stored' AND name = '${table}'`,
  )
  return /TTL (.*?)(?: SETTINGS|$)/.exec(row?.engine_full ?? '')?.[1] ?? ''
}

describe('migrations of the archive', () => {
  test('are run in order and once, also by several processes at the same time', async () => {
    await Promise.all([1, 2, 3].map(() => migrateArchive(optionsOf('raced'), silentLog)))
    expect(await appliedIn('raced')).toEqual(all)
    await migrateArchive(optionsOf('raced'), silentLog)
    expect(await appliedIn('raced')).toEqual(all)
    const left = await engines.clickhouse.query(
      "SELECT name FROM system.tables WHERE database = 'raced' AND name = 'migrating'",
    )
    expect(left).toEqual([])
  })

  test('go on where the process that ran them was killed', async () => {
    await engines.clickhouse.command('CREATE DATABASE killed')
    await engines.clickhouse.command(
      'CREATE TABLE killed.migrating (at DateTime) ENGINE = MergeTree ORDER BY at',
    )
    await engines.clickhouse.command('INSERT INTO killed.migrating SELECT now() - 60')
    await migrateArchive(optionsOf('killed'), silentLog)
    expect(await appliedIn('killed')).toEqual(all)
  })

  test('of a namespace bring the tables that it has views of up to date first', async () => {
    await migrateArchive(optionsOf('shared'), silentLog, 'g1')
    expect([await appliedIn('shared'), await appliedIn('shared_g1')]).toEqual([all, all])
    // As a release before left both.
    await engines.clickhouse.command('DROP VIEW shared_g1.schemas')
    await engines.clickhouse.command('DROP TABLE shared.schemas')
    for (const database of ['shared', 'shared_g1'])
      await engines.clickhouse.command(
        `ALTER TABLE ${database}.migrations DELETE WHERE version = 8 SETTINGS mutations_sync = 1`,
      )
    await migrateArchive(optionsOf('shared'), silentLog, 'g1')
    expect([await appliedIn('shared'), await appliedIn('shared_g1')]).toEqual([all, all])
    const inBoth = await engines.clickhouse.query<{ engine: string }>(
      "SELECT engine FROM system.tables WHERE database IN ('shared', 'shared_g1') AND name = 'schemas' ORDER BY database",
    )
    expect(inBoth.map(({ engine }) => engine)).toEqual(['ReplacingMergeTree', 'View'])
  })

  test('leave TTLs as they are configured, and what is too old goes', async () => {
    const storage = { ledgerDays: 30, loginDays: 0, coldDays: 0 }
    await migrateArchive({ ...optionsOf('stored'), storage }, silentLog)
    expect(await ttlOf('ledger_pushes')).toBe('toDateTime(time) + toIntervalDay(30)')
    expect(await ttlOf('logins')).toBe('')
    const stored = createClickHouse(optionsOf('stored'))
    const row = (seq: number, time: string) => ({ conversation: 'g:a', seq, time })
    const now = (Date.now() / 1_000).toFixed(3)
    await stored.insert('ledger_sends', [row(1, '1700000000.000'), row(2, now)])
    await stored.command('OPTIMIZE TABLE ledger_sends FINAL')
    expect(await stored.query('SELECT toInt32(seq) AS seq_ FROM ledger_sends')).toEqual([{ seq_: 2 }])
    await stored.close()
    await migrateArchive({ ...optionsOf('stored'), storage: { ...storage, ledgerDays: 0 } }, silentLog)
    expect(await ttlOf('ledger_pushes')).toBe('')
  })
})
