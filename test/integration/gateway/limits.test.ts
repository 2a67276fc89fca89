/** What one user and one address may use of a gateway: refused with a code and a time, never in silence, and others notice nothing. */
import { connect as connectTcp } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { defaultQuotas } from '../../../gateway/quotas.ts'
import { systemClock } from '../../../infra/clock.ts'
import { limits } from '../../../schemas/limits.ts'
import {
  newPackId,
  startTestGateway,
  type TestGateway,
  type TestGatewayOptions,
  until,
} from '../../support/gateway.ts'
import { type RawClient, rawClient } from '../../support/gateway-client.ts'
import { loginFrame, pollOnce } from '../../support/poll-client.ts'

const gateways: TestGateway[] = []
afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.stop()
})

async function started(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const gateway = await startTestGateway(options)
  gateways.push(gateway)
  return gateway
}

async function online(gateway: TestGateway, user: string, deviceId = 'd1'): Promise<RawClient> {
  const client = await rawClient(gateway.url)
  client.login(await gateway.token(user), { deviceId })
  await client.next('welcome')
  return client
}

const sendTo = (to: string) => ({
  type: 'send',
  packId: newPackId(),
  to,
  conversationId: null,
  contentType: 'text',
  content: { text: 'hi' },
  mentions: [],
  mentionAll: false,
  replyTo: null,
})

/** A clock that stands still but for what the test lets pass. */
function standing() {
  let skewMs = 0
  const at = Date.now()
  const pass = (ms: number): void => {
    skewMs += ms
  }
  return { clock: { ...systemClock, now: () => at + skewMs }, pass }
}

describe('the places of an address', () => {
  it('count requests whose body has not come, and are free again when those are gone', async () => {
    const gateway = await started({ connectionsPerAddress: 5 })
    const head = 'POST /poll HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n'
    let refused = 0
    const sockets = Array.from({ length: 20 }, () => {
      const socket = connectTcp(gateway.port, '127.0.0.1', () => socket.write(`${head}{`))
      socket.on('error', () => {})
      socket.on('data', (bytes) => {
        if (bytes.toString().startsWith('HTTP/1.1 429')) refused += 1
      })
      return socket
    })
    await until(() => refused === 15)
    for (const socket of sockets) socket.destroy()
    // Their places are free again.
    let status = 0
    for (let tries = 0; status !== 401 && tries < 100; tries++)
      status = (await fetch(`http://127.0.0.1:${gateway.port}/poll`, { method: 'POST', body: '{}' })).status
    expect(status).toBe(401)
  })
})

describe('the place of a login by polling that is refused', () => {
  const open = async (port: number) =>
    (await fetch(`http://127.0.0.1:${port}/poll`, { method: 'POST', body: '{}' })).status
  const poll = (port: number, body: object, session?: string) =>
    pollOnce(`http://127.0.0.1:${port}/poll`, body, session === undefined ? {} : { session })

  it('is free again with the answer, and the session is gone', async () => {
    const gateway = await started({ connectionsPerAddress: 1 })
    for (let tries = 0; tries < 5; tries++) {
      const { body } = await poll(gateway.port, { frames: [loginFrame('nonsense')] })
      expect(body).toMatchObject({ frames: [{ code: 'token_invalid' }], ended: 'token_invalid' })
      expect((await poll(gateway.port, { after: 1 }, body.session)).status).toBe(404)
    }
    expect(gateway.publicPort.levels().poll_sessions).toBe(0)
    expect(await open(gateway.port)).toBe(401)
  })

  it('is free before anybody fetches the answer, which is there for who does', async () => {
    const gateway = await started({ connectionsPerAddress: 1 })
    const { body } = await poll(gateway.port, { frames: [loginFrame('nonsense')], waitMs: 0 })
    await expect.poll(() => open(gateway.port)).toBe(401)
    if (body.ended === undefined) {
      const later = await poll(gateway.port, { after: body.cursor }, body.session)
      expect(later.body).toMatchObject({ frames: [{ code: 'token_invalid' }], ended: 'token_invalid' })
    }
    expect(gateway.publicPort.levels().poll_sessions).toBe(0)
  })
})

describe('the rate of a user', () => {
  it('holds over all of his connections, and over a reconnect; a neighbour is not slowed', async () => {
    const { clock, pass } = standing()
    const gateway = await started({ clock })
    const connections = await Promise.all(
      Array.from({ length: 20 }, (_, i) => online(gateway, 'alice', `d${i}`)),
    )
    const neighbour = await online(gateway, 'bob')
    const perConnection = limits.commandsBurstPerUserMax / 10
    for (const client of connections) for (let i = 0; i < perConnection; i++) client.send(sendTo('carol'))
    const answers = () =>
      connections.flatMap(({ frames }) =>
        frames.flatMap((frame) => (frame.type === 'accepted' || frame.type === 'rejected' ? [frame] : [])),
      )
    await until(() => answers().length === 20 * perConnection)
    const refused = answers().flatMap((frame) => (frame.type === 'rejected' ? [frame] : []))
    expect(answers().length - refused.length).toBe(limits.commandsBurstPerUserMax)
    for (const { code, retryAfterMs } of refused) {
      expect(code).toBe('rate_limited')
      expect(retryAfterMs).toBeGreaterThan(0)
    }
    neighbour.send(sendTo('carol'))
    await neighbour.next('accepted')
    for (const client of connections) client.close()
    await until(() => gateway.gateway.levels().gateway_connections === 1)
    const again = await online(gateway, 'alice')
    again.send(sendTo('carol'))
    expect(await again.next('rejected')).toMatchObject({
      code: 'rate_limited',
      retryAfterMs: expect.any(Number),
    })
    pass(1_000)
    again.send(sendTo('carol'))
    await again.next('accepted')
    expect(gateway.gateway.counters.commandsOverRate).toBe(refused.length + 1)
  })

  it('counts a command once that is looked up before it is appended', async () => {
    const { clock } = standing()
    const gateway = await started({ clock })
    const connections = await Promise.all(
      Array.from({ length: 8 }, (_, i) => online(gateway, 'alice', `d${i}`)),
    )
    const each = limits.commandsBurstPerUserMax / 8
    for (const client of connections)
      for (let i = 0; i < each; i++)
        client.send({ type: 'recall', packId: newPackId(), conversationId: 'p2p:alice:bob', seq: 1 })
    await gateway.commandsOnce(limits.commandsBurstPerUserMax)
    connections[0]?.send(sendTo('bob'))
    expect(await connections[0]?.next('rejected')).toMatchObject({ code: 'rate_limited' })
  })

  it('of reads holds too', async () => {
    const { clock } = standing()
    const gateway = await started({ clock })
    const each = limits.readsBurstPerConnectionMax
    const needed = limits.readsBurstPerUserMax / each + 1
    const connections = await Promise.all(
      Array.from({ length: needed }, (_, i) => online(gateway, 'alice', `d${i}`)),
    )
    // A few at a time, since those in flight have a limit of their own.
    for (const client of connections)
      for (let asked = 0; asked < each; asked += 50) {
        for (let i = 0; i < 50; i++) client.send({ type: 'heads', id: asked + i })
        await until(
          () =>
            client.frames.filter(({ type }) => type === 'headsResult' || type === 'error').length ===
            asked + 50,
        )
      }
    const refused = connections.flatMap(({ frames }) => frames.filter(({ type }) => type === 'error'))
    expect(refused).toHaveLength(each)
    expect(refused[0]).toMatchObject({ code: 'rate_limited', retryAfterMs: expect.any(Number) })
  })

  it('of reads holds for subscriptions to presence, of which giving one up is none', async () => {
    const { clock, pass } = standing()
    const gateway = await started({ clock })
    const each = limits.readsBurstPerConnectionMax / 2
    const connections = await Promise.all(
      Array.from({ length: limits.readsBurstPerUserMax / each }, (_, i) => online(gateway, 'alice', `d${i}`)),
    )
    const answersOf = (client: (typeof connections)[number]) =>
      client.frames.filter(({ type }) => type === 'presenceResult' || type === 'error')
    for (const client of connections) {
      for (let id = 0; id < each; id++)
        client.send({ type: 'presence', id, subscribe: ['bob'], unsubscribe: [] })
      await until(() => answersOf(client).length === each)
      expect(answersOf(client).every(({ type }) => type === 'presenceResult')).toBe(true)
    }
    const last = await online(gateway, 'alice', 'last')
    last.send({ type: 'presence', id: 1, subscribe: ['bob'], unsubscribe: [] })
    expect(await last.next('error')).toMatchObject({
      ...{ id: 1, code: 'rate_limited', retryAfterMs: expect.any(Number) },
    })
    last.send({ type: 'presence', id: 2, subscribe: [], unsubscribe: ['bob'] })
    expect(await last.next('presenceResult')).toMatchObject({ id: 2 })
    pass(1_000)
    last.send({ type: 'presence', id: 3, subscribe: ['bob'], unsubscribe: [] })
    await until(() => last.frames.some((frame) => frame.type === 'presenceResult' && frame.id === 3))
    expect(gateway.gateway.counters.readsOverRate).toBe(1)
  })
})

describe('an address', () => {
  it('logs in at its rate: over it the refusal says when to come back, and nobody is verified', async () => {
    const { clock, pass } = standing()
    const gateway = await started({ clock, quotas: { ...defaultQuotas, loginsPerSecondPerAddress: 2 } })
    for (let i = 0; i < 20; i++) (await online(gateway, `user-${i}`)).close()
    const client = await rawClient(gateway.url)
    client.login('not even a token')
    expect(await client.next('bye')).toMatchObject({ code: 'rate_limited', reconnectAfterMs: 500 })
    expect(await client.closed).toMatchObject({ code: 4429 })
    expect(gateway.gateway.counters.loginsOverRate).toBe(1)
    pass(500)
    await online(gateway, 'alice')
  })

  it('has only so many connections, counted before any of them says a word; one that leaves makes room', async () => {
    const gateway = await started({ connectionsPerAddress: 5 })
    const first = await Promise.all(Array.from({ length: 5 }, (_, i) => online(gateway, `user-${i}`)))
    await expect(rawClient(gateway.url)).rejects.toThrow('refused')
    expect(await statusOf(gateway)).toMatch(/^HTTP\/1\.1 429 [\s\S]*\r\nretry-after: 1\r\n/i)
    first[0]?.close()
    await until(() => gateway.gateway.levels().gateway_connections === 4)
    await online(gateway, 'late')
  })

  it('has only so many connections that never log in, and those who did are not counted among them', async () => {
    const gateway = await started({ loginsPendingPerAddress: 3 })
    for (let i = 0; i < 10; i++) await online(gateway, `user-${i}`)
    const silent = await Promise.all(Array.from({ length: 3 }, () => rawClient(gateway.url)))
    expect(await statusOf(gateway)).toMatch(/^HTTP\/1\.1 429 /)
    for (const client of silent) expect(await client.closed).toMatchObject({ code: 4408 })
    await online(gateway, 'late')
  })
})

it('a user has only so many connections, as was set', async () => {
  const gateway = await started({ quotas: { ...defaultQuotas, connectionsPerUser: 2 } })
  await online(gateway, 'alice', 'd1')
  await online(gateway, 'alice', 'd2')
  const third = await rawClient(gateway.url)
  third.login(await gateway.token('alice'), { deviceId: 'd3' })
  expect(await third.next('bye')).toMatchObject({
    code: 'too_many_connections',
    reconnectAfterMs: expect.any(Number),
  })
  await online(gateway, 'bob')
})

/** The head of the answer to an upgrade. */
function statusOf({ port }: TestGateway): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(port, '127.0.0.1', () =>
      socket.write(
        `GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
      ),
    )
    socket.once('data', (bytes) => {
      resolve(bytes.toString('latin1'))
      socket.destroy()
    })
    socket.once('error', reject)
  })
}
