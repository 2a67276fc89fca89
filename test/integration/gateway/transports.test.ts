/** The SDK over every transport, through networks that lose acks, answers and connections, and through one that blocks WebSockets. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Client, ConnectOptions, Message } from '../../../client/api.ts'
import { connectWith } from '../../../client/client.ts'
import { randomBytes } from '../../../client/pack-id.ts'
import { sharedClock } from '../../../client/timers.ts'
import { type Ways, waysFor } from '../../../client/transports.ts'
import { mintToken } from '../../../gateway/tokens/mint.ts'
import { type BadProxy, badProxy } from '../../support/bad-proxy.ts'
import { secret } from '../../support/gateway.ts'
import { until } from '../../support/person.ts'
import { type Pipeline, startPipeline } from '../../support/pipeline.ts'
import { createRandom, type Random } from '../../support/random.ts'

let world: Pipeline
beforeAll(async () => {
  world = await startPipeline(2)
})
afterAll(() => world?.stop())

const portOf = (url: string) => Number(new URL(url).port)
const clock = sharedClock()
/** Long waits of the client pass thirty times as fast. */
const hurried: typeof clock = {
  now: clock.now,
  after: (ms, fn) => clock.after(ms >= 60_000 ? ms / 30 : ms, fn),
}

/** Loses acks, the first one surely; everything else the network does. */
function withoutAcks(ways: Ways, random: Random, chance: number, lost: () => void): Ways {
  let hasLost = chance === 0
  return (address) => {
    const way = ways(address)
    let isAck = false
    return {
      codec: {
        ...way.codec,
        encode(frame) {
          isAck = frame.type === 'ack'
          return way.codec.encode(frame)
        },
      },
      open(to, subprotocol, handlers) {
        const transport = way.open(to, subprotocol, handlers)
        return {
          send(data) {
            if (!isAck || (hasLost && !random.chance(chance))) return transport.send(data)
            hasLost = true
            lost()
            return true
          },
          close: transport.close,
        }
      },
    }
  }
}

interface Device {
  readonly me: Client
  readonly heard: Message[]
  lostAcks: number
}

async function deviceOf(
  user: string,
  options: {
    urls: readonly string[]
    how?: Pick<ConnectOptions, 'codec' | 'omtp'>
    random?: Random
    ackLoss?: number
  },
): Promise<Device> {
  const { urls, how = {}, random = createRandom(1), ackLoss = 0 } = options
  const heard: Message[] = []
  const token = await mintToken(secret, user, 86_400)
  const deps = { clock: hurried, random: random.next, fetch: globalThis.fetch }
  const ways = await waysFor({ url: urls, token, ...how }, deps)
  const device = { heard, lostAcks: 0 }
  const me = await connectWith(
    {
      url: urls,
      token,
      deviceId: `${user}-1`,
      connectTimeoutMs: 60_000,
      on: { message: (message) => void heard.push(message) },
    },
    {
      clock: hurried,
      random: random.next,
      randomBytes,
      ways: withoutAcks(ways, random, ackLoss, () => {
        device.lostAcks += 1
      }),
      deviceType: 'test',
      onWake: () => () => {},
      report(error) {
        throw error
      },
    },
  )
  return Object.assign(device, { me })
}

const seqsOf = ({ heard }: Device, conversationId: string) =>
  heard.filter((message) => message.conversationId === conversationId).map(({ seq }) => seq)
const upTo = (count: number, from = 1) => Array.from({ length: count }, (_, i) => from + i)

const publicPorts = () => world.urls.map(portOf)
const omtpPorts = () => world.omtp.map((address) => Number(address.split(':')[1]))
const transports = [
  ['WebSocket with JSON', publicPorts, (port: number) => `ws://127.0.0.1:${port}/ws`, { codec: 'json' }],
  ['WebSocket with Avro', publicPorts, (port: number) => `ws://127.0.0.1:${port}/ws`, { codec: 'avro' }],
  ['polling', publicPorts, (port: number) => `http://127.0.0.1:${port}/poll`, {}],
  [
    'OMTP with Protobuf',
    omtpPorts,
    (port: number) => `omtp://127.0.0.1:${port}`,
    { omtp: { encoding: 'protobuf', compress: true } },
  ],
] as const

describe('with one ack in twenty lost and connections that break at random', () => {
  it.each(transports)('everything arrives once and in order by %s', async (name, ports, addressOf, how) => {
    const seed = Number(process.env.SEED ?? 20)
    const random = createRandom(seed)
    const proxies = await Promise.all(ports().map((port) => badProxy(port, random.next)))
    const urls = proxies.map(({ port }) => addressOf(port))
    const users = ['a', 'b', 'c'].map((user) => `${user}-${name.replaceAll(' ', '-')}`)
    const lossy = { urls, how, random, ackLoss: 0.05 }
    const people = await Promise.all(users.map((user) => deviceOf(user, lossy)))
    const [a, b, c] = people as [Device, Device, Device]
    const { conversationId } = await a.me.createGroup({ name: 'Team', members: users.slice(1) })
    for (const proxy of proxies) proxy.cutChance = 0.02
    const count = 60
    const said = people.map(async ({ me }, i) => {
      for (let n = 1; n <= count; n++) {
        const text = `${i} ${n}`
        await Promise.all([
          me.send({ conversationId, text }),
          ...(i === 0 ? [me.send({ to: users[1] as string, text })] : []),
        ])
      }
    })
    await Promise.all(said)
    const chat = `p2p:${users[0]}:${users[1]}`
    const all = 3 * count
    await until(
      `seed ${seed}: all have all`,
      () =>
        people.every((one) => seqsOf(one, conversationId).length >= all) && seqsOf(b, chat).length >= count,
    )
    for (const proxy of proxies) proxy.cutChance = 0
    for (const one of people) expect(seqsOf(one, conversationId), `seed ${seed}`).toEqual(upTo(all, 2))
    expect(seqsOf(b, chat), `seed ${seed}`).toEqual(upTo(count))
    expect(seqsOf(c, chat)).toEqual([])
    // Each sender's own order is the conversation's.
    for (const i of [0, 1, 2]) {
      const texts = c.heard
        .map(({ content }) => content?.text ?? '')
        .filter((text) => text.startsWith(`${i} `))
      expect(texts).toEqual(upTo(count).map((n) => `${i} ${n}`))
    }
    const cuts = proxies.reduce((sum, { counts }) => sum + counts.cuts, 0)
    expect(cuts).toBeGreaterThan(5)
    // Who was told everything by pages has acknowledged nothing.
    expect(people.some(({ lostAcks }) => lostAcks > 0)).toBe(true)
    console.info(
      `${name}, seed ${seed}: ${cuts} connections cut, ${a.lostAcks + b.lostAcks + c.lostAcks} acks lost, ` +
        `${people.reduce((sum, { me }) => sum + me.stats().reconnects, 0)} reconnects, ` +
        `${people.reduce((sum, { me }) => sum + me.stats().duplicates, 0)} duplicates dropped`,
    )
    await Promise.all(people.map(({ me }) => me.close()))
    await Promise.all(proxies.map((proxy) => proxy.close()))
  })
})

describe('where WebSockets are blocked', () => {
  it('messages still flow by polling, once and in order, and by a WebSocket again when one gets through', async () => {
    const proxy: BadProxy = await badProxy(portOf(world.urls[0] as string))
    const near = await deviceOf('near', { urls: [world.urls[1] as string] })
    const far = await deviceOf('far', { urls: [`ws://127.0.0.1:${proxy.port}/ws`] })
    const chat = 'p2p:far:near'
    let count = 0
    const talk = async (messages: number) => {
      for (let i = 0; i < messages; i++) {
        count += 2
        await Promise.all([near.me.send({ to: 'far', text: 'x' }), far.me.send({ to: 'near', text: 'y' })])
      }
      await until('all is there', () => [near, far].every((one) => seqsOf(one, chat).length >= count))
    }
    await talk(5)
    expect(proxy.counts).toMatchObject({ upgraded: 1, refused: 0 })
    proxy.blockUpgrades(true)
    await talk(20)
    expect(proxy.counts.refused).toBeGreaterThanOrEqual(2)
    expect(proxy.counts.upgraded).toBe(1)
    proxy.blockUpgrades(false)
    await until('it is back on a WebSocket', () => proxy.counts.upgraded >= 3)
    await talk(20)
    for (const one of [near, far]) expect(seqsOf(one, chat)).toEqual(upTo(count))
    await Promise.all([near.me.close(), far.me.close()])
    await proxy.close()
  })

  it('a client that has never come through before gets online by polling', async () => {
    const proxy = await badProxy(portOf(world.urls[0] as string))
    proxy.blockUpgrades(true)
    const far = await deviceOf('never', { urls: [`ws://127.0.0.1:${proxy.port}/ws`], how: { codec: 'avro' } })
    await far.me.send({ to: 'near', text: 'here' })
    expect(proxy.counts.upgraded).toBe(0)
    await far.me.close()
    await proxy.close()
  })
})
