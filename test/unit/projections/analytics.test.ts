import { describe, expect, test } from 'vitest'
import { bar } from '../../../infra/terminal.ts'
import { sections, tableOf } from '../../../projections/analytics/sections.ts'
import { analyticsViews, createAnalyticsViews } from '../../../projections/analytics/views.ts'

const sectionOf = (name: string) => sections.find((section) => section.name === name) ?? sections[0]!

describe('what analysts are shown', () => {
  test('is drawn by its greatest value, or by what is whole', () => {
    const days = tableOf(
      sectionOf('messages'),
      [
        { day_: '2026-01-01', kind: 'group', messages: '2000', writers: '3', conversations: '1' },
        { day_: '2026-01-02', kind: 'group', messages: '500', writers: '2', conversations: '1' },
      ],
      bar,
    )
    expect(days.head).toEqual(['day', 'kind', 'messages', 'writers', 'conversations', ''])
    expect(days.cells).toEqual([
      ['2026-01-01', 'group', '2,000', '3', '1', '████████████████████'],
      ['2026-01-02', 'group', '500', '2', '1', '█████░░░░░░░░░░░░░░░'],
    ])
    const half = { device_type: 'phone', transport: 'ws', pairs_: 10, late_: 5, unacked_: 0, percent: 50 }
    expect(tableOf(sectionOf('timeliness'), [half], bar).cells[0]?.at(-1)).toBe('██████████░░░░░░░░░░')
  })

  test('says what is not known, cuts what is long, and stands nothing that is empty', () => {
    const group = { name_: 'x'.repeat(90), messages_: 0, writers_: null, members_: 1 }
    const { cells } = tableOf(sectionOf('groups'), [group], bar)
    expect(cells[0]).toEqual([`${'x'.repeat(31)}…`, '0', '–', '1', '░'.repeat(20)])
    expect(tableOf(sectionOf('groups'), [], bar).cells).toEqual([])
  })

  test('comes from views that exist, each over its source and, for what gateways saw, the first database', async () => {
    for (const section of sections)
      for (const [, view] of section.sql('db').matchAll(/\bdb\.(\w+)/g))
        expect(analyticsViews.map(({ name }) => name)).toContain(view)
    const made: string[] = []
    const clickhouse = { command: async (sql: string) => void made.push(sql) }
    await createAnalyticsViews(clickhouse, 'chat_two', 'chat_analytics')
    expect(made[0]).toBe('CREATE DATABASE IF NOT EXISTS chat_analytics')
    expect(made).toHaveLength(1 + analyticsViews.length)
    for (const sql of made.slice(1)) {
      expect(sql).toMatch(
        /^CREATE OR REPLACE VIEW chat_analytics\.\w+ DEFINER = CURRENT_USER SQL SECURITY DEFINER AS SELECT/,
      )
      const tables = [
        ...sql.matchAll(
          /\b(\w+)\.(events|items|messages|membership|user_days|logins|login_records|ledger_\w+|gateway_boots)\b/g,
        ),
      ]
      expect(tables.length).toBeGreaterThan(0)
      for (const [, database, table = ''] of tables.filter(([, of]) => of !== 'chat_analytics'))
        expect(database).toBe(
          /^(logins|login_records|ledger_|gateway_boots)/.test(table) ? 'chat' : 'chat_two',
        )
    }
  })
})
