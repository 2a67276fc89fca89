import { afterAll, beforeAll, expect, test } from 'vitest'
import { createConnections } from '../../../gateway/connections.ts'
import { newCounters } from '../../../gateway/counters.ts'
import { pushLimits } from '../../../gateway/hub.ts'
import { createLedger } from '../../../gateway/ledger.ts'
import { outgoingEvent } from '../../../gateway/outgoing.ts'
import { newPushState, push } from '../../../gateway/push.ts'
import { systemClock } from '../../../infra/clock.ts'
import { silentLog } from '../../../infra/log.ts'
import { createMemoryLog } from '../../../infra/memory/log.ts'
import { createActivityReader } from '../../../projections/activity/reader.ts'
import { seal } from '../../../schemas/avro.ts'
import { formatPackId } from '../../../schemas/ids.ts'
import { hiddenItem } from '../../../schemas/item.ts'
import { records } from '../../../schemas/records.ts'
import { sharedTopics, topics } from '../../../schemas/topics.ts'
import { send } from '../../support/commands.ts'
import { connect } from '../../support/fake-connection.ts'
import { until } from '../../support/gateway.ts'
import { startEngines } from '../../support/projections/engines.ts'

let engines: Awaited<ReturnType<typeof startEngines<true>>>
beforeAll(async () => {
  engines = await startEngines({ clickhouse: true })
})
afterAll(() => engines?.stop())

const T = Date.now() - 60_000
const packId = Buffer.alloc(16, 9)
const about = { gateway: 'g1', boot: 'b1', startedAt: T, time: T, stopped: false, dropped: 0, logins: [] }

/** A message of ann to bob's two phones: one acks after 40 ms on its second connection, the other never does. */
function wayOfOneMessage() {
  const ledger = createLedger(() => 1, newCounters())
  const connections = createConnections(8)
  const of = (user: string, deviceId: string) => connect(connections, user, { entry: { deviceId } })
  const ann = of('ann', 'laptop')
  ledger.sent(
    ann,
    {
      stream: 'g:a',
      packId,
      sender: 'ann',
      device: 'laptop',
      trace: null,
      payload: send('hi'),
    },
    T - 3,
  )
  ledger.appended(ann, packId, true, T + 2)
  ledger.answered(
    'g:a',
    {
      boot: 'b1',
      connection: ann.id,
      packId,
      code: null,
      seq: 7,
      ordinal: 7,
      time: T,
      repeat: false,
      conflict: false,
    },
    T + 6,
  )
  const item = { ...hiddenItem('g:a', 7), kind: 'message' as const, packId: formatPackId(packId), time: T }
  const event = outgoingEvent(item, ledger.messageOf(item, T + 4, 3, T + 5))
  const [broken, again, silent] = [of('bob', 'phone'), of('bob', 'phone'), of('bob', 'tablet')]
  for (const connection of [broken, again, silent]) {
    connection.push = newPushState()
    push(connection.push, event, T + 5, pushLimits)
  }
  ledger.acknowledge(again, [{ conversationId: 'g:a', seq: 9 }], T + 40)
  for (const connection of [broken, silent])
    if (connection.push) ledger.left(connection, connection.push, 'lost')
  const { isAll: _, ...part } = ledger.take(T)
  return seal(records.Activity, { ...about, ...part, ledgerOneOf: 1, ledgerDropped: 0 })
}

test('the ledger holds one row per message and device with its times, and one per send, however often they are read', async () => {
  const store = createMemoryLog(systemClock)
  const admin = await store.admin()
  await admin.ensureTopics(sharedTopics(4))
  const appender = await store.appender('gateway')
  await appender.append(topics.activity, 0, { key: 'g', value: wayOfOneMessage() })
  for (const generation of [0, 1]) {
    const reader = createActivityReader({
      consumer: store.consumer({ group: `ledger-${generation}`, topics: [topics.activity] }),
      ...{ clickhouse: engines.clickhouse, generation, clock: systemClock, logger: silentLog },
      failed: (fault) => {
        throw fault
      },
    })
    await reader.start()
    await until(() => reader.stats().ledger === 4)
    await reader.stop()
  }
  const since = (column: string) => `toInt32(dateDiff('millisecond', time, ${column})) AS ${column}_`
  const pushes = await engines.clickhouse.query(
    `SELECT user, device_id, gateway, ended, toInt32(one_of) AS one_of_, ${since('fanned_at')}, ${since('pushed_at')}, ${since('acked_at')}
     FROM ledger_pushes FINAL WHERE conversation = 'g:a' ORDER BY device_id`,
  )
  const common = { user: 'bob', gateway: 'g1', fanned_at_: 4, pushed_at_: 5, one_of_: 1 }
  expect(pushes).toEqual([
    { ...common, device_id: 'phone', ended: '', acked_at_: 40 },
    { ...common, device_id: 'tablet', ended: 'lost', acked_at_: null },
  ])
  const sends = await engines.clickhouse.query(
    `SELECT sender, device_id, pack_id, toInt32(seq) AS seq_, ${since('received_at')}, ${since('accepted_at')}, ${since('committed_at')}
     FROM ledger_sends FINAL`,
  )
  expect(sends).toEqual([
    {
      sender: 'ann',
      device_id: 'laptop',
      pack_id: formatPackId(packId),
      seq_: 7,
      received_at_: -3,
      accepted_at_: 2,
      committed_at_: 6,
    },
  ])
})
