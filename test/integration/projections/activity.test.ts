import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../../infra/clock.ts'
import { silentLog } from '../../../infra/log.ts'
import { createMemoryLog } from '../../../infra/memory/log.ts'
import { createActivityReader } from '../../../projections/activity/reader.ts'
import { seal } from '../../../schemas/avro.ts'
import { limits } from '../../../schemas/limits.ts'
import { type Activity, type LoginRecord, records } from '../../../schemas/records.ts'
import { sharedTopics, topics } from '../../../schemas/topics.ts'
import { until } from '../../support/gateway.ts'
import { startEngines } from '../../support/projections/engines.ts'

let engines: Awaited<ReturnType<typeof startEngines<true>>>
beforeAll(async () => {
  engines = await startEngines({ clickhouse: true })
})
afterAll(() => engines?.stop())

const NOW = Date.now()
const login = (user: string, connection: string, part: Partial<LoginRecord> = {}): LoginRecord => ({
  ...{ user, connection, deviceId: `phone of ${user}`, deviceType: 'phone', address: '192.0.2.7' },
  ...{ transport: 'ws', loginAt: NOW - 10_000, heartbeatMs: 270_000 },
  ...{ ended: null, endedAt: null, livedMs: null },
  ...part,
})
const ended = (code: string) => ({ ended: code, endedAt: NOW - 3_000, livedMs: 7_000 })
const told = (
  gateway: string,
  boot: string,
  logins: LoginRecord[],
  part: Partial<Activity> = {},
): Activity => ({
  ...{ gateway, boot, startedAt: NOW - 60_000, time: NOW, stopped: false, dropped: 0, logins },
  ...{ ledgerOneOf: 0, ledgerDropped: 0, messages: [], devices: [], pushes: [], sends: [] },
  ...part,
})

async function log() {
  const store = createMemoryLog(systemClock)
  const admin = await store.admin()
  await admin.ensureTopics(sharedTopics(4))
  const appender = await store.appender('gateway')
  const write = (value: Buffer) => appender.append(topics.activity, 0, { key: 'g', value })
  const start = async (generation: number, clickhouse = engines.clickhouse) => {
    const reader = createActivityReader({
      consumer: store.consumer({ group: `activity-${generation}`, topics: [topics.activity] }),
      ...{ clickhouse, generation, clock: systemClock, logger: silentLog },
      failed: (fault) => {
        throw fault
      },
    })
    await reader.start()
    return reader
  }
  return { write: (activity: Activity) => write(seal(records.Activity, activity)), raw: write, start }
}

const recordsOf = (user: string) =>
  engines.clickhouse.query<Record<string, string | number | null>>(
    `SELECT user, connection, device_id, gateway, address, transport, ended, toFloat64(lived_ms) AS lived
     FROM login_records WHERE user = {user:String} ORDER BY login_at, connection`,
    { user },
  )

describe('login records', () => {
  test('say who, when, from where, with what, how it ended and after how long; once, however often they are read', async () => {
    const { write, raw, start } = await log()
    await write(told('g1', 'b1', [login('ann', 'b1-0'), login('ann', 'b1-1', { transport: 'omtp' })]))
    await raw(Buffer.from('nonsense'))
    await write(told('g1', 'b1', [login('ann', 'b1-0', ended('kicked'))]))
    const first = await start(0)
    await until(() => first.stats().applied === 3)
    await first.stop()
    const facts = { user: 'ann', device_id: 'phone of ann', gateway: 'g1', address: '192.0.2.7' }
    const expected = [
      { ...facts, connection: 'b1-0', transport: 'ws', ended: 'kicked', lived: 7_000 },
      { ...facts, connection: 'b1-1', transport: 'omtp', ended: '', lived: null },
    ]
    expect(await recordsOf('ann')).toEqual(expected)
    expect(first.stats().undecodable).toBe(1)
    const anew = await start(1)
    await until(() => anew.stats().applied === 3)
    await anew.stop()
    expect(await recordsOf('ann')).toEqual(expected)
    await write(told('g1', 'b1', [login('ann', 'b1-1', ended('logout'))]))
    const later = await start(1)
    await until(() => later.stats().applied === 1)
    await later.stop()
    expect((await recordsOf('ann')).map((row) => row.ended)).toEqual(['kicked', 'logout'])
  })

  test('of a gateway that was killed end with it: by its next process, or by its silence', async () => {
    const { write, start } = await log()
    const silentSince = NOW - 3 * limits.activityAliveMs - 60_000
    await write(told('g2', 'b1', [login('bob', 'b1-0')], { time: NOW - 4_000 }))
    await write(told('g2', 'b2', [login('bob', 'b2-0')]))
    await write(
      told('g3', 'b1', [login('bob', 'x-0', { loginAt: silentSince - 5_000 })], { time: silentSince }),
    )
    const reader = await start(2)
    await until(() => reader.stats().applied === 3)
    await reader.stop()
    const rows = (await recordsOf('bob')).map(({ connection, ended: how, lived }) => ({
      connection,
      how,
      lived,
    }))
    expect(rows).toEqual([
      { connection: 'x-0', how: 'gateway_lost', lived: 5_000 },
      { connection: 'b1-0', how: 'gateway_lost', lived: 6_000 },
      { connection: 'b2-0', how: '', lived: null },
    ])
  })

  test('wait for an archive that does not answer, and are all there then', async () => {
    const { write, start } = await log()
    await write(told('g4', 'b1', [login('cid', 'c-0')]))
    let failures = 3
    const { clickhouse } = engines
    const reader = await start(3, {
      ...clickhouse,
      async insert(table, rows, options) {
        await clickhouse.insert(table, rows, options)
        // The rows are in, and the answer is lost.
        if (failures-- > 0) return clickhouse.query('SELECT nonsense').then(() => {})
      },
    })
    await until(() => reader.stats().applied === 1)
    await reader.stop()
    expect(reader.stats().retries).toBeGreaterThan(0)
    expect(await recordsOf('cid')).toHaveLength(1)
    const [row] = await clickhouse.query<{ n: string }>(
      "SELECT toString(count()) AS n FROM logins WHERE user = 'cid'",
    )
    expect(row?.n).toBe('1')
  })
})
