/** Abuse of the public port below the protocol: handshakes, broken frames, slow and silent peers, and what reaches the logs. */
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../../infra/clock.ts'
import type { Log } from '../../../infra/log.ts'
import { limits } from '../../../schemas/limits.ts'
import { Fault } from '../../../schemas/ports.ts'
import { newPackId, startTestGateway, type TestGateway, until } from '../../support/gateway.ts'
import { rawClient } from '../../support/gateway-client.ts'
import { loginFrame, pollClient, pollOnce } from '../../support/poll-client.ts'
import { type RawWebSocket, rawFrame, rawWebSocket } from '../../support/raw-websocket.ts'

/** Everything that is given to the log, before anything is hidden or cut. */
const logged: string[] = []
const note =
  (level: string) =>
  (fields: object, message: string): void => {
    const { err } = fields as { err?: Error }
    logged.push(
      [level, JSON.stringify(fields), message, err?.stack ?? '', String(err?.cause ?? '')].join(' '),
    )
  }
const log: Log = {
  debug: note('debug'),
  info: note('info'),
  warn: note('warn'),
  error: note('error'),
  fatal: note('fatal'),
  child: () => log,
}

let test: TestGateway
beforeAll(async () => {
  test = await startTestGateway({ gatewayId: 'gw-port', log })
})
afterAll(() => test.stop())

const levels = () => test.gateway.levels()
const open = (): Promise<RawWebSocket> => rawWebSocket(test.port)
async function online(user: string): Promise<RawWebSocket> {
  const raw = await open()
  raw.send(loginFrame(await test.token(user)))
  await until(() => raw.frames.some(({ type }) => type === 'welcome'))
  return raw
}
/** The gateway still serves, and a new client gets in. */
async function serves(): Promise<void> {
  const client = await rawClient(test.url)
  client.login(await test.token('neighbour'))
  await client.next('welcome')
  client.close()
}

describe('an upgrade', () => {
  it.each([
    ['of a browser that hides its origin', { 'Sec-Fetch-Site': 'cross-site' }, 403],
    ['of a browser that was opened by hand', { 'Sec-Fetch-Site': 'none' }, 403],
    ['of a browser at the same origin', { 'Sec-Fetch-Site': 'same-origin' }, 101],
    [
      'with nothing but a cookie, from a foreign page',
      { Origin: 'https://evil.com', Cookie: 'token=x' },
      403,
    ],
    ['of a page of this machine', { Origin: 'http://localhost:3000', 'Sec-Fetch-Site': 'same-site' }, 101],
    ['of no browser', {}, 101],
  ])('%s is answered as it must be', async (_, headers, status) => {
    const before = test.gateway.counters.opened
    const raw = await rawWebSocket(test.port, { headers: headers as Record<string, string> })
    expect(raw.status).toBe(status)
    if (status !== 101) expect(test.gateway.counters.opened).toBe(before)
    raw.close()
  })

  it('is no login by a cookie, nor by a token in the address', async () => {
    const token = await test.token('alice')
    const raw = await rawWebSocket(test.port, {
      path: `/ws?token=${token}&access_token=${token}`,
      headers: { Cookie: `token=${token}`, Authorization: `Bearer ${token}` },
    })
    expect(raw.status).toBe(101)
    raw.send({ type: 'heads', id: 1 })
    expect(await raw.closed).toBe(4401)
    expect(raw.frames).toMatchObject([{ type: 'bye', code: 'not_logged_in' }])
  })

  it.each(['/metrics', '/debug', '/debug/pprof', '/admin', '/api', '/v1/users', '/ready', '/ws', '/poll'])(
    'GET %s shows nothing on this port',
    async (path) => {
      const response = await fetch(`http://127.0.0.1:${test.port}${path}`)
      // `/ws` without an upgrade is told that it needs one.
      expect([404, 426]).toContain(response.status)
      expect((await response.text()).length).toBeLessThan(64)
    },
  )
})

describe('frames that break the rules of WebSocket', () => {
  const text = Buffer.from('{"type":"ping","id":1}')
  /** uWebSockets.js cuts the connection without a close frame: the client sees 1006, nobody is told 1002 or 1007. */
  it.each<[string, Buffer]>([
    ['a reserved bit', rawFrame(0xc1, text)],
    ['another reserved bit', rawFrame(0xa1, text)],
    ['opcode 3', rawFrame(0x83, text)],
    ['opcode 11', rawFrame(0x8b, text)],
    ['a fragmented ping', rawFrame(0x09, text)],
    ['a ping of 126 bytes', rawFrame(0x89, Buffer.alloc(126))],
    ['text that is no UTF-8', rawFrame(0x81, Buffer.from([0x22, 0xff, 0xfe, 0x22]))],
    ['a continuation of nothing', rawFrame(0x80, text)],
    ['a message within another', Buffer.concat([rawFrame(0x01, text), rawFrame(0x81, text)])],
    ['a length of 2^31 - 1', rawFrame(0x82, text, { declared: 2n ** 31n - 1n })],
    ['a length of 2^32 - 1', rawFrame(0x82, text, { declared: 2n ** 32n - 1n })],
    ['a length of 2^63', rawFrame(0x82, text, { declared: 2n ** 63n })],
    ['a length of 2^64 - 1', rawFrame(0x82, text, { declared: 2n ** 64n - 1n })],
  ])('%s: the connection is cut, and no other one', async (_, bytes) => {
    const raw = await online('mallory')
    const before = process.memoryUsage().rss
    raw.write(bytes)
    expect(await raw.closed).toBeNull()
    expect(raw.frames.filter(({ type }) => type === 'pong')).toEqual([])
    // Nothing is allocated by a length that was merely said.
    expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000)
    await serves()
  })

  it('an unmasked frame is never taken for what it says', async () => {
    const raw = await online('mallory')
    for (let i = 0; i < 20; i++) raw.write(rawFrame(0x81, text, { masked: false }))
    await raw.closed
    expect(raw.frames.filter(({ type }) => type === 'pong')).toEqual([])
    await serves()
  })
})

describe('a peer that is slow', () => {
  const dripped = (begin: string, every: string): Promise<void> =>
    new Promise((resolve) => {
      const socket = connect(test.port, '127.0.0.1')
      socket.on('error', () => {})
      socket.on('data', () => {})
      socket.write(begin)
      const timer = setInterval(() => socket.write(every), 1_000)
      socket.once('close', () => {
        clearInterval(timer)
        resolve()
      })
    })

  it('with the bytes of a header, of a body, of a message, or with none at all is cut off by a deadline', async () => {
    const before = process.memoryUsage().rss
    const fragments = async () => {
      const raw = await open()
      raw.write(rawFrame(0x01, Buffer.from('{')))
      const timer = setInterval(() => raw.write(rawFrame(0x00, Buffer.from(' '))), 200)
      expect(await raw.closed).toBe(4408)
      clearInterval(timer)
    }
    await Promise.all([
      dripped('GET /ws HTTP/1.1\r\nHost: x\r\nX-Slow: ', 'x'),
      dripped('GET /', 'x'),
      dripped('POST /poll HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n', 'x'),
      dripped('', ''),
      ...Array.from({ length: 100 }, fragments),
    ])
    expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000)
    await serves()
  })

  it('with one-byte fragments after the login is found silent', async () => {
    const quick = await startTestGateway({ gatewayId: 'gw-drip', boot: 'boot00003', heartbeatMs: 1_000 })
    const raw = await rawWebSocket(quick.port)
    raw.send(loginFrame(await quick.token('mallory')))
    await until(() => raw.frames.length > 0)
    raw.write(rawFrame(0x01, Buffer.from('{')))
    const timer = setInterval(() => raw.write(rawFrame(0x00, Buffer.from(' '))), 100)
    expect(await raw.closed).toBe(4408)
    clearInterval(timer)
    await quick.stop()
  })
})

describe('10,000 silent connections of one address', () => {
  it('fill its own seats and nobody else’s', async () => {
    // Time stands still, so that no login times out and all of them are open at once.
    const now = Date.now()
    const still = { ...systemClock, now: () => now }
    const crowded = await startTestGateway({ gatewayId: 'gw-crowd', boot: 'boot00004', clock: still })
    const neighbour = await rawWebSocket(crowded.port, { localAddress: '127.0.0.2' })
    neighbour.send(loginFrame(await crowded.token('neighbour')))
    await until(() => neighbour.frames.length > 0)
    let pings = 0
    const roundTrip = async (): Promise<number> => {
      const id = ++pings
      const began = performance.now()
      neighbour.send({ type: 'ping', id })
      await until(() => neighbour.frames.some((frame) => frame.type === 'pong' && frame.id === id))
      return performance.now() - began
    }
    const p99 = (of: number[]) => of.sort((a, b) => a - b)[Math.floor(of.length * 0.99)]?.toFixed(1)
    const rest: number[] = []
    for (let i = 0; i < 100; i++) rest.push(await roundTrip())

    const silent: RawWebSocket[] = []
    let refused = 0
    let cut = 0
    const one = async () => {
      try {
        const raw = await rawWebSocket(crowded.port)
        if (raw.status === 101) silent.push(raw)
        else {
          expect(raw.status).toBe(429)
          refused += 1
          raw.close()
        }
      } catch {
        cut += 1
      }
    }
    const during: number[] = []
    for (let i = 0; i < 10_000; i += 100) {
      const wave = Promise.all(Array.from({ length: 100 }, one))
      during.push(await roundTrip())
      await wave
    }
    expect(silent).toHaveLength(limits.loginsPendingPerAddressMax)
    expect(refused + cut).toBe(10_000 - limits.loginsPendingPerAddressMax)
    const poll = `http://127.0.0.1:${crowded.port}/poll`
    const login = { frames: [loginFrame(await crowded.token('late'))] }
    expect(await pollOnce(poll, login)).toMatchObject({ status: 429, body: { code: 'overloaded' } })
    const other = await rawWebSocket(crowded.port, { localAddress: '127.0.0.3' })
    other.send(loginFrame(await crowded.token('other')))
    await until(() => other.frames.some(({ type }) => type === 'welcome'))
    for (let i = 0; i < 100; i++) during.push(await roundTrip())
    console.info(
      `${silent.length} of 10,000 silent connections open, ${refused} refused, ${cut} cut; a neighbour's ping p99 ${p99(rest)} ms at rest, ${p99(during)} ms meanwhile`,
    )
    for (const raw of silent) raw.close()
    await until(() => crowded.gateway.levels().gateway_connections === 2)
    await crowded.stop()
  })
})

describe('what reaches the logs', () => {
  it('is no token, no session and no word of anybody, whatever lines they try to write there', async () => {
    const token = await test.token('logger')
    const evil = '\r\n{"level":"fatal","msg":"pwned"}\u001b[31m%0a\u0000'
    const client = await rawClient(test.url)
    client.login(token)
    await client.next('welcome')
    const send = { contentType: 'text', mentions: [], mentionAll: false }
    client.send({
      type: 'send',
      packId: newPackId(),
      to: 'bob',
      ...send,
      content: { text: `body-secret ${evil}` },
    })
    client.send({ type: 'createGroup', packId: newPackId(), name: `name-secret ${evil}`, members: ['bob'] })
    client.send({ type: 'send', packId: evil, to: evil, ...send, content: { text: 'x'.repeat(30_000) } })
    client.raw(`{"type":"${'launch-secret'}${'x'.repeat(10)}"}`)
    client.raw(`body-secret ${evil}`)
    client.send({ type: 'search', id: 1, query: `query-secret ${evil}` })
    await client.next('searchResult')
    client.close()
    const url = `http://127.0.0.1:${test.port}/poll`
    const poll = await pollClient(url, token)
    await poll.send({
      type: 'send',
      packId: newPackId(),
      to: 'bob',
      ...send,
      content: { text: 'body-secret' },
    })
    await pollOnce(`${url}?token=${token}`, `{"secret":"body-secret ${'\\u001b'}"`)
    await pollOnce(url, { frames: [loginFrame(`${token}x`)] })
    await poll.leave()
    await fetch(`http://127.0.0.1:${test.port}/nothing?token=${token}`)
    await serves()
    const all = logged.join('\n')
    for (const hidden of [
      token,
      poll.session,
      'body-secret',
      'name-secret',
      'query-secret',
      'pwned',
      '\u001b',
      'x'.repeat(100),
    ])
      expect(all).not.toContain(hidden)
    for (const line of logged) expect(line.length).toBeLessThan(4_000)
  })
})

describe('while Kafka, Redis and the archive are down', () => {
  it('a login is judged as ever: the wrong token is refused, and nothing else opens the door', async () => {
    const down = () => Promise.reject(new Fault('redis_unavailable', 'down', { retriable: true }))
    const dead = new Proxy({}, { get: (_, name) => (name === 'observing' ? dead : down) }) as never
    const dark = await startTestGateway({ gatewayId: 'gw-dark', boot: 'boot00006', reads: dead, log })
    dark.online.down = true
    const wrong = await rawClient(dark.url)
    wrong.login(`${await dark.token('alice')}x`)
    expect(await wrong.next('bye')).toMatchObject({ code: 'token_invalid' })
    expect((await wrong.closed).code).toBe(4401)
    const silent = await rawClient(dark.url)
    silent.send({ type: 'heads', id: 1 })
    expect(await silent.next('bye')).toMatchObject({ code: 'not_logged_in' })
    const { body } = await pollOnce(`http://127.0.0.1:${dark.port}/poll`, { frames: [loginFrame('x')] })
    expect(body).toMatchObject({ ended: 'token_invalid' })
    const right = await rawClient(dark.url)
    right.login(await dark.token('alice'))
    await right.next('welcome')
    right.send({ type: 'history', id: 1, conversationId: 'g:secret' })
    expect(await right.next('error')).toMatchObject({ id: 1, code: 'unavailable' })
    right.send({ type: 'markRead', packId: newPackId(), conversationId: 'g:x', seq: 1, ordinal: 1 })
    expect(await right.next('rejected')).toMatchObject({ code: 'unavailable' })
    right.close()
    dark.online.down = false
    await dark.stop()
  })
})

it('nothing of all this is left', async () => {
  await until(() => levels().gateway_connections === 0)
  await until(() => levels().gateway_online_records_ahead === 0)
})
