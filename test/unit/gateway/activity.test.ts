import { beforeEach, describe, expect, test } from 'vitest'
import { startActivity } from '../../../gateway/activity.ts'
import { createConnections } from '../../../gateway/connections.ts'
import { newCounters } from '../../../gateway/counters.ts'
import { createLedger } from '../../../gateway/ledger.ts'
import { silentLog } from '../../../infra/log.ts'
import { createVirtualClock, type VirtualClock } from '../../../infra/memory/virtual-clock.ts'
import { openActivity } from '../../../schemas/codec.ts'
import { limits } from '../../../schemas/limits.ts'
import { Fault, type NewRecord } from '../../../schemas/ports.ts'
import type { Activity } from '../../../schemas/records.ts'
import { connect } from '../../support/fake-connection.ts'

let clock: VirtualClock
let written: Activity[]
let state: 'up' | 'down' | 'hangs'
beforeEach(() => {
  clock = createVirtualClock()
  written = []
  state = 'up'
})

function start() {
  const counters = newCounters()
  const connections = createConnections(1_000_000)
  const appender = {
    async append(_topic: string, _partition: number, { key, value }: NewRecord): Promise<number> {
      if (state === 'hangs') return new Promise<number>(() => {})
      if (state === 'down') throw new Fault('kafka_unavailable', 'down', { retriable: true })
      expect(key).toBe('g1')
      return written.push(openActivity(value as Buffer))
    },
  }
  const ledger = createLedger(() => 0, counters)
  const common = { appender, gatewayId: 'g1', boot: 'b1', ledger, counters, clock }
  const activity = startActivity({ ...common, log: silentLog })
  const login = (user: string) => {
    const connection = connect(connections, user, { entry: { loginAt: clock.now() } })
    activity.connected(connection, 270_000)
    return connection
  }
  return { counters, activity, login, logins: () => written.flatMap(({ logins }) => logins) }
}

describe('login records of a gateway', () => {
  test('tell of a login and of its end, batched, and of nobody who was not let in', async () => {
    const { activity, login, logins } = start()
    const ann = login('ann')
    login('bob')
    await clock.advance(1_000)
    expect(written).toHaveLength(1)
    expect(logins()).toMatchObject([
      {
        user: 'ann',
        address: '127.0.0.1',
        transport: 'ws',
        heartbeatMs: 270_000,
        ended: null,
        livedMs: null,
      },
      { user: 'bob' },
    ])
    await clock.advance(4_000)
    activity.disconnected(ann, 'heartbeat_timeout')
    activity.disconnected(connect(createConnections(1), 'eve'), 'token_invalid')
    await clock.advance(1_000)
    expect(logins().slice(2)).toMatchObject([
      { user: 'ann', connection: ann.id, ended: 'heartbeat_timeout', livedMs: 5_000 },
    ])
  })

  test('wait while the log does not answer, and what is over the buffer is dropped and counted', async () => {
    const { activity, counters, login, logins } = start()
    state = 'down'
    for (let n = 0; n < limits.activityBufferMax + 7; n++) login(`u${n}`)
    await clock.advance(5_000)
    expect(activity.waiting()).toBe(limits.activityBufferMax)
    expect(counters.activityDropped).toBe(7)
    state = 'up'
    await clock.advance(2_000)
    expect(logins()).toHaveLength(limits.activityBufferMax)
    expect(Math.max(...written.map((one) => one.logins.length))).toBe(limits.activityPerRecordMax)
    expect(written.at(-1)).toMatchObject({ dropped: 7, stopped: false })
  })

  test('hold up nobody where the log hangs', async () => {
    const { activity, login } = start()
    state = 'hangs'
    login('ann')
    await clock.advance(10_000)
    login('bob')
    expect(activity.waiting()).toBe(2)
  })

  test('say from time to time that the gateway lives, and at the end that this process of it is over', async () => {
    const { activity, login } = start()
    await clock.advance(2.5 * limits.activityAliveMs)
    expect(written).toHaveLength(3)
    activity.disconnected(login('ann'), 'draining')
    await activity.stop()
    expect(written.at(-1)).toMatchObject({ stopped: true, logins: [{}, { ended: 'draining' }] })
    await clock.advance(2 * limits.activityAliveMs)
    expect(written).toHaveLength(4)
  })
})
