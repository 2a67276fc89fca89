import { afterEach, describe, expect, it } from 'vitest'
import { type Client, connect, type Kicked } from '../../../client/index.ts'
import type { DevicePolicy } from '../../../gateway/devices.ts'
import { systemClock } from '../../../infra/clock.ts'
import { createMemoryLog } from '../../../infra/memory/log.ts'
import { createMemoryOnlineMap } from '../../../infra/memory/online-map.ts'
import { createMemorySignalBus } from '../../../infra/memory/signal-bus.ts'
import { startTestGateway, type TestGateway, until } from '../../support/gateway.ts'
import { type RawClient, rawClient } from '../../support/gateway-client.ts'

const stops: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop()
})

async function gateways(devicePolicy: DevicePolicy) {
  const [store, online, bus] = [
    createMemoryLog(systemClock),
    createMemoryOnlineMap(),
    createMemorySignalBus(),
  ]
  const all: TestGateway[] = []
  for (const gatewayId of ['gw-a', 'gw-b']) {
    const gateway = await startTestGateway({
      gatewayId,
      boot: `boot-${gatewayId}`,
      store,
      online,
      bus,
      devicePolicy,
    })
    stops.push(() => gateway.stop())
    all.push(gateway)
  }
  const login = async (at: number, deviceId: string, deviceType: string): Promise<RawClient> => {
    const gateway = all[at] as TestGateway
    const client = await rawClient(gateway.url)
    client.login(await gateway.token('ann'), { deviceId, deviceType })
    await client.next('welcome')
    return client
  }
  return { all, online, bus, login }
}

describe('logins of one user', () => {
  it.each([0, 1])(
    'under single, the last one ends the others and says who it is (on gateway %i)',
    async (at) => {
      const { login, online } = await gateways('single')
      const phone = await login(0, 'phone-1', 'phone')
      const web = await login(at, 'web-1', 'web')
      expect(await phone.next('bye')).toMatchObject({
        code: 'kicked',
        kickedBy: { deviceId: 'web-1', deviceType: 'web' },
      })
      expect(await phone.closed).toMatchObject({ code: 4409 })
      await until(() => online.records.size === 1)
      expect(web.isClosed()).toBe(false)
      web.close()
    },
  )

  it('under per-type, only one of the same type goes', async () => {
    const { login } = await gateways('per-type')
    const [web, phone] = [await login(0, 'web-1', 'web'), await login(0, 'phone-1', 'phone')]
    const other = await login(1, 'phone-2', 'phone')
    expect(await phone.next('bye')).toMatchObject({ code: 'kicked', kickedBy: { deviceId: 'phone-2' } })
    expect([web.isClosed(), other.isClosed()]).toEqual([false, false])
  })

  it.each([0, 1])(
    'under none, a device that connects again replaces itself alone (on gateway %i)',
    async (at) => {
      const { login } = await gateways('none')
      const [first, other] = [await login(0, 'phone-1', 'phone'), await login(0, 'phone-2', 'phone')]
      const again = await login(at, 'phone-1', 'phone')
      expect(await first.next('bye')).toMatchObject({ code: 'replaced' })
      expect([again.isClosed(), other.isClosed()]).toEqual([false, false])
    },
  )

  it('at the limit of connections, a device that comes back takes its own place', async () => {
    const { all, login } = await gateways('none')
    for (let n = 0; n < 32; n++) await login(0, `d${n}`, 'test')
    const beyond = await rawClient((all[0] as TestGateway).url)
    beyond.login(await (all[0] as TestGateway).token('ann'))
    expect(await beyond.next('bye')).toMatchObject({ code: 'too_many_connections' })
    const again = await login(0, 'd7', 'test')
    expect(again.isClosed()).toBe(false)
  }, 30_000)

  it('that a signal did not reach is ended by the next refresh', async () => {
    const { login, bus } = await gateways('single')
    const phone = await login(0, 'phone-1', 'phone')
    bus.down = true
    await login(1, 'web-1', 'web')
    bus.down = false
    await until(() => phone.frames.some((frame) => frame.type === 'bye'), 25_000)
    expect(await phone.next('bye')).toMatchObject({ code: 'kicked', kickedBy: { deviceId: 'web-1' } })
  }, 40_000)

  it('while the online map is away, are ended on their own gateway at once, and elsewhere when it is back', async () => {
    const { login, online } = await gateways('single')
    const [near, far] = [await login(0, 'web-1', 'web'), await login(1, 'web-2', 'web')]
    expect(await near.next('bye')).toMatchObject({ code: 'kicked' })
    online.down = true
    const phone = await login(0, 'phone-1', 'phone')
    const pad = await login(0, 'pad-1', 'pad')
    expect(await phone.next('bye')).toMatchObject({ code: 'kicked', kickedBy: { deviceId: 'pad-1' } })
    expect(far.isClosed()).toBe(false)
    online.down = false
    await until(() => far.frames.some((frame) => frame.type === 'bye'), 25_000)
    expect(pad.isClosed()).toBe(false)
  }, 40_000)
})

describe('the SDK', () => {
  it('hears who ended it, and stays away', async () => {
    const { all, login } = await gateways('single')
    const kicks: Kicked[] = []
    const phone = await connect({
      url: (all[0] as TestGateway).url,
      token: await (all[0] as TestGateway).token('ann'),
      on: { kicked: (kicked) => void kicks.push(kicked) },
    })
    await login(1, 'web-1', 'web')
    await until(() => phone.state === 'closed')
    expect(kicks).toMatchObject([{ code: 'kicked', by: { deviceId: 'web-1', deviceType: 'web' } }])
    expect(kicks[0]?.message).toContain('web-1')
  })

  it('two of which share a device id do not end each other for ever: the later one stays', async () => {
    const { all } = await gateways('none')
    const states: string[][] = [[], []]
    const clients: Client[] = []
    for (const [i, gateway] of all.entries())
      clients.push(
        await connect({
          url: gateway.url,
          token: await gateway.token('ann'),
          deviceId: 'shared',
          on: { state: ({ state, code }) => void states[i]?.push(`${state} ${code}`) },
        }),
      )
    await until(() => clients[0]?.state === 'closed')
    expect(states[0]?.at(-1)).toBe('closed replaced')
    expect(clients[1]?.state).toBe('online')
    await clients[1]?.close()
  })
})
