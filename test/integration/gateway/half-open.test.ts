import { afterEach, describe, expect, it } from 'vitest'
import { connect } from '../../../client/index.ts'
import { mintToken } from '../../../gateway/tokens/mint.ts'
import { type BlackHole, type Direction, startBlackHole } from '../../support/black-hole.ts'
import { secret, startTestGateway, until } from '../../support/gateway.ts'
import { rawClient } from '../../support/gateway-client.ts'
import { startPipeline } from '../../support/pipeline.ts'

const stops: (() => Promise<unknown>)[] = []
const stopping = <T extends { stop(): Promise<unknown> }>(what: T): T => {
  stops.push(() => what.stop())
  return what
}
const hole = async (url: string): Promise<BlackHole> => {
  const made = await startBlackHole(Number(new URL(url).port))
  stops.push(() => made.close())
  return made
}
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop()
})

describe('a client whose network vanishes without a word', () => {
  it('is gone after two periods, from the gateway and from the online map', async () => {
    const test = stopping(await startTestGateway({ heartbeatMs: 1_000 }))
    const network = await hole(test.url)
    const bob = await rawClient(`ws://127.0.0.1:${network.port}/ws`)
    bob.login(await test.token('bob'))
    expect(await bob.next('welcome')).toMatchObject({ heartbeatMs: 1_000 })
    const near = await rawClient(test.url)
    near.login(await test.token('near'))
    await near.next('welcome')
    await until(() => test.online.records.size === 2)
    network.vanish()
    const beats = setInterval(() => near.send({ type: 'ping', id: 1 }), 300)
    await until(() => test.gateway.levels().gateway_connections === 1)
    await until(() => test.online.records.size === 1)
    await until(() => test.gateway.levels().gateway_online_records_ahead === 0)
    expect([bob.isClosed(), near.isClosed()]).toEqual([false, false])
    // What it is told at the end comes to nothing too, and a moment later.
    await until(() => network.swallowed() > 0)
    clearInterval(beats)
    near.close()
  })

  it('may have asked for a longer period than the others: nothing cuts it off before', async () => {
    const test = stopping(await startTestGateway({ heartbeatMs: 1_000 }))
    const slow = await rawClient(test.url)
    slow.login(await test.token('slow'), { heartbeatMs: 10_000 })
    expect(await slow.next('welcome')).toMatchObject({ heartbeatMs: 10_000 })
    // Longer than any timeout that could be derived from the gateway's own period.
    for (let n = 0; n < 5; n++) {
      const quick = await rawClient(test.url)
      quick.login(await test.token('quick'))
      expect(await quick.next('bye')).toMatchObject({ code: 'heartbeat_timeout' })
    }
    expect(slow.isClosed()).toBe(false)
    slow.send({ type: 'ping', id: 7 })
    expect(await slow.next('pong')).toMatchObject({ id: 7 })
    slow.close()
  })

  it('asks for no period beyond the limits', async () => {
    const test = stopping(await startTestGateway())
    for (const [asked, given] of [
      [1, 10_000],
      [50_000, 50_000],
      [9_000_000, 600_000],
    ]) {
      const client = await rawClient(test.url)
      client.login(await test.token('bob'), { heartbeatMs: asked })
      expect(await client.next('welcome')).toMatchObject({ heartbeatMs: given })
      client.close()
    }
  })
})

describe('the SDK whose network vanishes', () => {
  it.each<Direction>(['both', 'toServer', 'toClient'])(
    'notices it, goes elsewhere and misses nothing (%s)',
    async (direction) => {
      const world = stopping(await startPipeline(2))
      const networks = await Promise.all(world.urls.map(hole))
      const heard: number[] = []
      const bob = await connect({
        url: networks.map(({ port }) => `ws://127.0.0.1:${port}/ws`),
        token: await mintToken(secret, 'bob', 3_600),
        deviceId: 'phone',
        heartbeatMs: 10_000,
        on: { message: ({ seq }) => void heard.push(seq) },
      })
      const ann = await world.online('ann')
      const say = (n: number) =>
        ann.tell({ ...text(`message ${n}`), type: 'send', to: 'bob', conversationId: null })
      for (let n = 1; n <= 3; n++) await say(n)
      await until(() => heard.length === 3)
      networks.find((network) => network.open() > 0)?.vanish(direction)
      for (let n = 4; n <= 6; n++) await say(n)
      const sent = bob.send({ to: 'ann', text: 'hello?' })
      expect(await sent).toMatchObject({ seq: 7 })
      for (let n = 8; n <= 9; n++) await say(n)
      await until(() => heard.length >= 9)
      expect(heard).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
      expect(bob.stats().reconnects).toBe(1)
      expect(networks.some((network) => network.swallowed() > 0)).toBe(true)
      // Where the server was not told of the end, the new connection ends the old one, long before that would time out.
      const replaced = direction === 'toClient' ? 0 : 1
      await until(() => world.counters.reduce((sum, one) => sum + one.devicesReplaced, 0) === replaced)
      expect(bob.state).toBe('online')
      await bob.close()
    },
  )
})

const text = (value: string) => ({
  ...{ contentType: 'text', content: { text: value }, mentions: [], mentionAll: false, replyTo: null },
})
