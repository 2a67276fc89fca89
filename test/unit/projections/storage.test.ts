import { describe, expect, test } from 'vitest'
import { storageStatements } from '../../../projections/archive/storage.ts'

const none = { ledgerDays: 0, loginDays: 0, coldDays: 0 }
const engines = (part: Record<string, string> = {}) =>
  new Map(
    Object.entries({
      ...{
        ledger_pushes: 'ReplacingMergeTree(rank) ORDER BY x',
        logins: 'ReplacingMergeTree ORDER BY x SETTINGS a = 1',
      },
      ...{ events: 'ReplacingMergeTree ORDER BY x', ...part },
    }),
  )

describe('how long the archive keeps what', () => {
  test('is changed where it is not as configured, and left alone where it is', () => {
    const wanted = { ...none, ledgerDays: 90 }
    expect(storageStatements(wanted, engines())).toEqual([
      'ALTER TABLE ledger_pushes MODIFY TTL toDateTime(time) + toIntervalDay(90)',
    ])
    const done = {
      ledger_pushes:
        'ReplacingMergeTree(rank) ORDER BY x TTL toDateTime(time) + toIntervalDay(90) SETTINGS a = 1',
    }
    expect(storageStatements(wanted, engines(done))).toEqual([])
    expect(storageStatements(none, engines(done))).toEqual(['ALTER TABLE ledger_pushes REMOVE TTL'])
  })

  test('moves events, and deletes none', () => {
    const statements = storageStatements(
      { ledgerDays: 1, loginDays: 1, coldDays: 30, policy: 'tiered' },
      engines(),
    )
    expect(statements.filter((sql) => / (events|items|messages) /.test(sql))).toEqual([
      "ALTER TABLE events MODIFY SETTING storage_policy = 'tiered'",
      "ALTER TABLE events MODIFY TTL toDateTime(time) + toIntervalDay(30) TO VOLUME 'cold'",
    ])
  })

  test('touches no view of a table that stands elsewhere', () => {
    expect(storageStatements({ ...none, ledgerDays: 9 }, engines({ ledger_pushes: '' }))).toEqual([])
  })
})
