import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { activityRows } from '../../../projections/activity/project.ts'
import { sections } from '../../../projections/analytics/sections.ts'
import {
  analyticsDatabaseOf,
  analyticsViews,
  createAnalyticsViews,
} from '../../../projections/analytics/views.ts'
import type { Activity } from '../../../schemas/records.ts'
import { T0 } from '../../support/commands.ts'
import { accepted, target } from '../../support/projections/accepted.ts'
import { startEngines } from '../../support/projections/engines.ts'
import { sinksOn } from '../../support/projections/sinks.ts'

const deployed = (file: string) =>
  readFileSync(new URL(`../../../infra/deploy/${file}`, import.meta.url), 'utf8')
const analystSql = deployed('clickhouse/analyst.sql')
const dashboard = JSON.parse(deployed('grafana/longwire-archive.json')) as {
  panels: { title: string; targets: { rawSql: string }[] }[]
}

const ANALYTICS = analyticsDatabaseOf('longwire')
let engines: Awaited<ReturnType<typeof startEngines<true>>>
beforeAll(async () => {
  engines = await startEngines({ clickhouse: true })
  await createAnalyticsViews(engines.clickhouse, 'longwire', ANALYTICS)
  await fill()
})
afterAll(() => engines?.stop())

const HALL = 'g:hall'
const DAY_MS = 86_400_000
const records = [
  accepted({ stream: HALL, seq: 1, ordinal: 0 }, 'GroupCreated', {
    name: 'Hall',
    members: ['ann', 'bob', 'cid'],
  }),
  accepted({ stream: HALL, seq: 2, ordinal: 1 }, 'MessageSent'),
  accepted({ stream: HALL, seq: 3, ordinal: 2, sender: 'bob' }, 'MessageSent'),
  accepted({ stream: HALL, seq: 4, ordinal: 2, sender: 'bob' }, 'MessageEdited', {
    target: target(3, 'bob'),
    content: Buffer.from('{"text":"better"}'),
  }),
  accepted({ stream: HALL, seq: 5, ordinal: 2 }, 'MessageRecalled', { target: target(2) }),
  accepted({ stream: HALL, seq: 6, ordinal: 2 }, 'MembersRemoved', { members: ['cid'] }),
  accepted({ seq: 1 }, 'MessageSent'),
  accepted({ stream: HALL, seq: 9, sender: 'cid' }, 'Rejection'),
]

const device = (user: string) => {
  return { user, deviceId: `phone of ${user}`, deviceType: 'phone', transport: 'ws', connection: `c-${user}` }
}
/** Of message 3: acked in time, late, and never. */
const activity: Activity = {
  ...{ gateway: 'g1', boot: 'b1', startedAt: T0, time: T0, stopped: false, dropped: 0 },
  ...{ ledgerOneOf: 1, ledgerDropped: 5 },
  logins: [
    {
      ...{ ...device('ann'), address: '', heartbeatMs: 1, loginAt: T0 + DAY_MS },
      ...{ ended: null, endedAt: null, livedMs: null },
    },
  ],
  // Written before a gateway said so of each.
  messages: [{ conversation: HALL, seq: 3, time: T0 + 3, fannedAt: T0 + 9, oneOf: 0 }],
  devices: ['ann', 'cid', 'dan', 'bob'].map(device),
  pushes: [
    { message: 0, device: 0, pushedMs: 8, ackedMs: 20, ended: null, resends: 0 },
    { message: 0, device: 1, pushedMs: 8, ackedMs: 4_000, ended: null, resends: 1 },
    { message: 0, device: 2, pushedMs: 8, ackedMs: null, ended: 'lost', resends: 0 },
  ],
  sends: [
    {
      ...{ conversation: HALL, seq: 3, packId: Buffer.alloc(16, 3), device: 3, time: T0 + 3 },
      ...{ receivedMs: -2, acceptedMs: 1, committedMs: 7, oneOf: 0 },
    },
  ],
}

async function fill(): Promise<void> {
  const { clickhouse } = engines
  // Twice, as after a crash between the insert and its answer, once the table has forgotten its tokens.
  for (const time of ['first', 'again']) {
    const { put, archive } = await sinksOn(engines)
    await put(
      records.map((record) => ({ ...record, loggedAt: record.envelope.time + 2 })),
      [archive],
    )
    for (const [table, rows] of Object.entries(activityRows([activity])))
      await clickhouse.insert(table, rows, { dedupToken: time })
  }
  // What a restore writes: the same under its own generation.
  await clickhouse.command(
    `INSERT INTO events SELECT * REPLACE (1 AS generation) FROM events WHERE kind = 'rejection'`,
  )
}

const rowsOf = (view: string, columns = '*', rest = '') =>
  engines.clickhouse.query<Record<string, unknown>>(`SELECT ${columns} FROM ${ANALYTICS}.${view} ${rest}`)
const argumentsOf: Partial<Record<string, string>> & { ledger_of: string } = {
  ledger_of: `(conversation = '${HALL}', seq = 3)`,
  timeliness_within: '(limit_ms = 5000)',
}

describe('the views for analysts', () => {
  test.each(analyticsViews.map(({ name }) => name))('%s answers', async (name) => {
    expect((await rowsOf(name + (argumentsOf[name] ?? ''))).length).toBeGreaterThan(0)
  })

  test('count each message once, whatever was inserted twice or changed since', async () => {
    const columns = 'kind, toUInt32(messages) AS messages, toUInt32(writers) AS writers'
    expect(await rowsOf('messages_per_day', columns)).toEqual([
      { kind: 'group', messages: 2, writers: 2 },
      { kind: 'single', messages: 1, writers: 1 },
    ])
    expect(
      await rowsOf(
        'recalls_per_day',
        'kind, toUInt32(recalled_) AS r, toUInt32(edited) AS e, recalled_percent AS p',
      ),
    ).toEqual([
      { kind: 'group', r: 1, e: 1, p: 50 },
      { kind: 'single', r: 0, e: 0, p: 0 },
    ])
    expect(
      await rowsOf('busiest_groups', 'name, toUInt32(messages) AS messages, toUInt32(members) AS members'),
    ).toEqual([{ name: 'Hall', messages: 2, members: 2 }])
    expect(await rowsOf('rejections', 'sender, code')).toEqual([{ sender: 'cid', code: 'not_member' }])
  })

  test('show every version of a message that was edited', async () => {
    const rows = await rowsOf(
      'message_versions',
      'toUInt32(version_seq) AS v, change, content',
      'WHERE message_seq = 3 ORDER BY v',
    )
    expect(rows).toEqual([
      { v: 3, change: 'message', content: '{"text":"hi"}' },
      { v: 4, change: 'edited', content: '{"text":"better"}' },
    ])
  })

  test('count as active who wrote, changed, read or logged in, and say who came back', async () => {
    const users = 'toUInt32(writers) AS writers, toUInt32(active_users) AS active'
    expect(await rowsOf('active_users_per_day', users)).toEqual([
      { writers: 2, active: 2 },
      { writers: 0, active: 1 },
    ])
    expect(
      await rowsOf('retention_by_day', 'toUInt32(days_later) AS later, toUInt32(users) AS users, percent'),
    ).toEqual([
      { later: 0, users: 2, percent: 100 },
      { later: 1, users: 1, percent: 50 },
    ])
  })

  test('tell the way of a message to each device, at every hop', async () => {
    const times = ['received', 'accepted', 'logged', 'fanned', 'pushed', 'acked', 'told_sender']
    const columns = times.map((name) => `toInt32(dateDiff('millisecond', time, ${name}_at)) AS ${name}`)
    const rows = await rowsOf(
      `ledger_of${argumentsOf.ledger_of}`,
      ['user', ...columns].join(', '),
      'ORDER BY user',
    )
    const common = { received: -2, accepted: 1, logged: 2, fanned: 6, pushed: 8, told_sender: 7 }
    expect(rows).toEqual([
      { user: 'ann', ...common, acked: 20 },
      { user: 'cid', ...common, acked: 4_000 },
      { user: 'dan', ...common, acked: null },
    ])
    expect(await rowsOf('ledger', 'user', 'ORDER BY user')).toEqual(rows.map(({ user }) => ({ user })))
  })

  test('count what is unacknowledged as late, and say at which hop the late ones lost their time', async () => {
    const columns =
      'toInt32(pairs) AS pairs, toInt32(in_time) AS in_time, toInt32(late) AS late, toInt32(unacked) AS unacked'
    expect(await rowsOf('timeliness', `${columns}, percent_in_time AS percent`)).toEqual([
      { pairs: 3, in_time: 1, late: 1, unacked: 1, percent: 33.333 },
    ])
    expect(await rowsOf('timeliness_within(limit_ms = 5000)', columns)).toEqual([
      { pairs: 3, in_time: 2, late: 0, unacked: 1 },
    ])
    expect(await rowsOf('late_by_hop', 'hop, toInt32(pairs) AS pairs')).toEqual([
      { hop: '5 push to ack', pairs: 1 },
      { hop: '6 never acknowledged', pairs: 1 },
    ])
    expect(
      await rowsOf('ledger_coverage', 'toInt32(one_message_in) AS one, toInt32(rows_dropped) AS dropped'),
    ).toEqual([{ one: 1, dropped: 5 }])
  })

  test('follow the archive to another database, and go on to tell of the same activity', async () => {
    await engines.clickhouse.command('CREATE DATABASE longwire_other')
    for (const table of ['events', 'items', 'messages', 'membership', 'user_days'])
      await engines.clickhouse.command(`CREATE TABLE longwire_other.${table} AS longwire.${table}`)
    await createAnalyticsViews(engines.clickhouse, 'longwire_other', ANALYTICS)
    expect(await rowsOf('messages')).toEqual([])
    expect(await rowsOf('timeliness')).toHaveLength(1)
    await createAnalyticsViews(engines.clickhouse, 'longwire', ANALYTICS)
    expect(await rowsOf('messages')).toHaveLength(3)
  })
})

describe('the views of the ledger, where a gateway took samples', () => {
  const at = T0 + 2 * DAY_MS
  const hour = `hour = toStartOfHour(toDateTime(${Math.floor(at / 1_000)}, 'UTC'))`

  test('weigh each row by what it stands for', async () => {
    const message = (seq: number, oneOf: number) => {
      return { conversation: 'g:crowd', seq, time: at, fannedAt: at + 2, oneOf }
    }
    const sampled: Activity = {
      ...{ ...activity, gateway: 'g2', time: at, ledgerOneOf: 2, logins: [] },
      messages: [message(10, 4), message(11, 1)],
      pushes: [
        { message: 0, device: 0, pushedMs: 8, ackedMs: 20, ended: null, resends: 0 },
        { message: 1, device: 0, pushedMs: 8, ackedMs: 4_000, ended: null, resends: 0 },
        { message: 0, device: 1, pushedMs: 8, ackedMs: null, ended: 'lost', resends: 0 },
      ],
      sends: [
        {
          ...{ conversation: 'g:crowd', seq: 10, packId: Buffer.alloc(16, 9), device: 3, time: at },
          ...{ receivedMs: -2, acceptedMs: 1, committedMs: 7, oneOf: 8 },
        },
      ],
    }
    for (const [table, rows] of Object.entries(activityRows([sampled])))
      await engines.clickhouse.insert(table, rows, { dedupToken: 'sampled' })
    expect(
      await rowsOf(
        'timeliness',
        'toInt32(pairs) AS p, toInt32(in_time) AS i, toInt32(late) AS l, toInt32(unacked) AS u, percent_in_time AS percent',
        `WHERE ${hour}`,
      ),
    ).toEqual([{ p: 9, i: 4, l: 1, u: 4, percent: 44.444 }])
    expect(
      await rowsOf(
        'delivery_latency',
        'toInt32(pushes) AS pushes, acked_p50_ms AS p50, acked_p99_ms AS p99',
        `WHERE ${hour}`,
      ),
    ).toEqual([{ pushes: 9, p50: 20, p99: 4_000 }])
    const hops = await rowsOf('hop_latency', 'hop, toInt32(pushes) AS pushes', `WHERE ${hour}`)
    // The way of message 10 from its sender is known of one in eight, the rest of it of one in four; what was not seen is in no hop.
    expect(hops).toContainEqual({ hop: '1 client to log', pushes: 16 })
    expect(hops).toContainEqual({ hop: '5 push to ack', pushes: 5 })
    const coverage =
      'toInt32(one_message_in) AS now, toInt32(one_message_in_most) AS most, toInt32(rows) AS rows, toInt32(pushes) AS pushes'
    expect(await rowsOf('ledger_coverage', coverage, "WHERE gateway = 'g2'")).toEqual([
      { now: 2, most: 4, rows: 3, pushes: 9 },
    ])
  })
})

describe('what is delivered for analysts', () => {
  /** What Grafana's plugin for ClickHouse makes of its macros. */
  const asAsked = (sql: string): string =>
    sql
      .replace(/\$__timeFilter\(([\w.]+)\)/g, '$1 >= toDateTime(0) AND $1 <= toDateTime(4000000000)')
      .replace(/\$__dateFilter\(([\w.]+)\)/g, "$1 >= toDate('1970-01-02') AND $1 <= toDate('2100-01-01')")

  test('every panel of the dashboard asks for what there is', async () => {
    for (const { title, targets } of dashboard.panels)
      for (const { rawSql } of targets) {
        const sql = asAsked(rawSql)
        expect(sql, title).not.toContain('$')
        expect((await engines.clickhouse.query(sql)).length, title).toBeGreaterThan(0)
      }
  })

  test('the statements of the read-only user are well formed: the embedded engine has no users to try them on', async () => {
    const statements = analystSql
      .replace(/^--.*$/gm, '')
      .split(';')
      .map((text) => text.trim())
      .filter((text) => text !== '')
    expect(statements).toHaveLength(6)
    for (const statement of statements) {
      const [row] = await engines.clickhouse.query(`EXPLAIN AST ${statement}`)
      expect(row, statement).toBeDefined()
    }
  })

  test('every section of the command answers on the real engine', async () => {
    for (const { name, sql } of sections) {
      const rows = await engines.clickhouse.query<Record<string, unknown>>(sql(ANALYTICS), { days: 3_660 })
      expect(rows.length, name).toBeGreaterThan(0)
    }
  })
})
