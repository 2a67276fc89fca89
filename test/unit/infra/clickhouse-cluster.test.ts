import { describe, expect, test } from 'vitest'
import { onCluster } from '../../../infra/clickhouse/cluster.ts'
import { migrations } from '../../../projections/archive/tables.ts'

const of = (sql: string) => onCluster(sql, 'main')

describe('on a cluster', () => {
  test('a table becomes a replicated one and a distributed one under its own name', () => {
    const sql = `CREATE TABLE IF NOT EXISTS messages (conversation String, seq UInt64, version UInt64)
      ENGINE = ReplacingMergeTree(version) ORDER BY (conversation, seq) SETTINGS non_replicated_deduplication_window = 10000`
    expect(of(sql)).toEqual([
      `CREATE TABLE IF NOT EXISTS messages_local ON CLUSTER 'main' (conversation String, seq UInt64, version UInt64) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', version) ORDER BY (conversation, seq) SETTINGS replicated_deduplication_window = 10000`,
      "CREATE TABLE IF NOT EXISTS messages ON CLUSTER 'main' AS messages_local ENGINE = Distributed('main', currentDatabase(), 'messages_local', sipHash64(conversation))",
    ])
  })

  test('rows that replace each other stand on one shard, and no table has all of its rows on one', () => {
    const keys = new Map<string, string>()
    for (const sql of migrations.flatMap(({ statements }) => statements).flatMap(of)) {
      const [, name, key] = /^CREATE TABLE IF NOT EXISTS (\w+) .* sipHash64\((\w+)\)\)$/.exec(sql) ?? []
      if (name && key) keys.set(name, key)
    }
    expect(Object.fromEntries(keys)).toMatchObject({
      ...{
        events: 'partition',
        items: 'conversation',
        messages: 'conversation',
        ledger_pushes: 'conversation',
      },
      ...{
        membership: 'conversation',
        logins: 'user',
        user_days: 'user',
        gateway_boots: 'gateway',
        schemas: 'fingerprint',
      },
    })
    expect(keys.size).toBe(18)
  })

  test('columns are added to both, all other changes made where the rows are', () => {
    const index = of('ALTER TABLE messages ADD INDEX by_time time TYPE minmax GRANULARITY 1')
    expect(index).toEqual([
      "ALTER TABLE messages_local ON CLUSTER 'main' ADD INDEX by_time time TYPE minmax GRANULARITY 1",
    ])
    expect(of('ALTER TABLE messages UPDATE content = NULL WHERE seq = 1')).toEqual([
      "ALTER TABLE messages_local ON CLUSTER 'main' UPDATE content = NULL WHERE seq = 1",
    ])
    const columns = of(
      'ALTER TABLE items ADD COLUMN IF NOT EXISTS a Nullable(Bool), ADD COLUMN IF NOT EXISTS b String CODEC(ZSTD)',
    )
    expect(columns[1]).toBe(
      "ALTER TABLE items ON CLUSTER 'main' ADD COLUMN IF NOT EXISTS a Nullable(Bool), ADD COLUMN IF NOT EXISTS b String",
    )
  })

  test('views are made everywhere, a materialised one fed by the rows of its own server; what defines nothing stays as it is', () => {
    expect(of('CREATE OR REPLACE VIEW a.v DEFINER = CURRENT_USER AS SELECT 1')).toEqual([
      "CREATE OR REPLACE VIEW a.v ON CLUSTER 'main' DEFINER = CURRENT_USER AS SELECT 1",
    ])
    expect(of('CREATE MATERIALIZED VIEW IF NOT EXISTS m TO t AS SELECT x FROM items WHERE y')).toEqual([
      "CREATE MATERIALIZED VIEW IF NOT EXISTS m ON CLUSTER 'main' TO t AS SELECT x FROM items_local WHERE y",
    ])
    expect(of('CREATE DATABASE IF NOT EXISTS chat')).toEqual([
      "CREATE DATABASE IF NOT EXISTS chat ON CLUSTER 'main'",
    ])
    const insert = 'INSERT INTO user_days SELECT 1'
    expect(of(insert)).toEqual([insert])
  })

  test('every statement of every migration is understood', () => {
    for (const sql of migrations.flatMap(({ statements }) => statements))
      if (!sql.trim().startsWith('INSERT')) expect(of(sql).join('\n')).toContain("ON CLUSTER 'main'")
  })
})
