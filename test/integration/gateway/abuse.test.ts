import { createHmac } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { limits } from '../../../schemas/limits.ts'
import { deafClient } from '../../support/deaf-client.ts'
import {
  eventBytes,
  messageSent,
  newPackId,
  secret,
  startTestGateway,
  type TestGateway,
  until,
} from '../../support/gateway.ts'
import { type RawClient, rawClient } from '../../support/gateway-client.ts'

let test: TestGateway
beforeAll(async () => {
  const staticFolder = mkdtempSync(path.join(tmpdir(), 'longwire-page-'))
  writeFileSync(path.join(staticFolder, 'index.html'), '<!doctype html><title>page</title>')
  writeFileSync(path.join(staticFolder, 'app.js'), '1')
  writeFileSync(path.join(staticFolder, 'notes.secret'), 'not served')
  test = await startTestGateway({ staticFolder, gatewayId: 'gw-abuse' })
})
afterAll(() => test.stop())

async function online(user = 'mallory'): Promise<RawClient> {
  const client = await rawClient(test.url)
  client.login(await test.token(user))
  await client.next('welcome')
  return client
}

/** One HTTP request as bytes; answers everything that came back. */
function http(request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(test.port, '127.0.0.1')
    let answer = ''
    socket.on('data', (data) => {
      answer += data.toString('latin1')
      if (answer.includes('\r\n\r\n')) socket.end()
    })
    socket.on('close', () => resolve(answer))
    socket.on('error', reject)
    socket.write(request)
  })
}

const upgrade = (part: Record<string, string>): Promise<string> => {
  const headers: Record<string, string> = {
    Host: `127.0.0.1:${test.port}`,
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...part,
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  return http(`GET /ws HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
}
const statusOf = (answer: string) => Number(answer.split(' ')[1])

describe('before the upgrade', () => {
  it.each([
    ['null', 403],
    ['https://app.example.com.evil.com', 403],
    ['http://127.0.0.1.evil.com', 403],
    ['HTTP://LOCALHOST', 403],
    ['http://evil.com', 403],
    ['http://localhost:3000', 101],
  ])('origin %s is answered %i', async (origin, status) => {
    expect(statusOf(await upgrade({ Origin: origin }))).toBe(status)
  })

  it('another port of an allowed origin is refused where origins are listed', async () => {
    const strict = await startTestGateway({
      gatewayId: 'gw-origins',
      boot: 'boot00002',
      origins: ['https://chat.example.com'],
    })
    const headers = (origin: string) => rawClient(strict.url, 'longwire.json', { origin })
    await expect(headers('https://chat.example.com:8443')).rejects.toThrow()
    await expect(headers('http://chat.example.com')).rejects.toThrow()
    const client = await headers('https://chat.example.com')
    client.close()
    await strict.stop()
  })

  it('an old protocol version and a foreign subprotocol are refused', async () => {
    expect(statusOf(await upgrade({ 'Sec-WebSocket-Version': '8' }))).toBe(426)
    expect(statusOf(await upgrade({ 'Sec-WebSocket-Protocol': 'soap' }))).toBe(400)
  })

  it('compression is never negotiated', async () => {
    const answer = await upgrade({ 'Sec-WebSocket-Extensions': 'permessage-deflate' })
    expect(statusOf(answer)).toBe(101)
    expect(answer.toLowerCase()).not.toContain('permessage-deflate')
  })

  it('a client that names no subprotocol speaks JSON', async () => {
    const client = await rawClient(test.url, null)
    client.login(await test.token('alice'))
    await client.next('welcome')
    client.close()
  })

  it('the page is served with its policy, and nothing beside it', async () => {
    const get = (target: string) => http(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`)
    const page = await get('/')
    expect(statusOf(page)).toBe(200)
    expect(page).toContain("default-src 'none'")
    expect(page).toContain('no-store')
    expect(await get('/app.js')).toContain('text/javascript')
    expect(statusOf(await get('/health'))).toBe(200)
    for (const target of [
      '/notes.secret',
      '/../package.json',
      '/%2e%2e/package.json',
      '/metrics',
      '/ready',
      '/x',
    ])
      expect(statusOf(await get(target))).toBe(404)
    expect(statusOf(await http('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n'))).toBe(404)
  })
})

describe('the first frame', () => {
  const forge = (header: object, claims: object) => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const input = `${part(header)}.${part(claims)}`
    return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
  }
  const inAnHour = Math.floor(Date.now() / 1000) + 3600
  const good = { sub: 'alice', iss: 'longwire', aud: 'longwire', exp: inAnHour }
  it.each([
    ['alg none', forge({ alg: 'none' }, good), 'token_invalid'],
    ['a wrong audience', forge({ alg: 'HS256' }, { ...good, aud: 'other' }), 'token_invalid'],
    ['no expiry', forge({ alg: 'HS256' }, { ...good, exp: undefined }), 'token_invalid'],
    ['an expired token', forge({ alg: 'HS256' }, { ...good, exp: inAnHour - 7200 }), 'token_expired'],
    ['nonsense', 'x', 'token_invalid'],
  ])('%s gets its code and is closed', async (_, token, code) => {
    const client = await rawClient(test.url)
    client.login(token)
    expect(await client.next('bye')).toMatchObject({ code })
    expect(await client.closed).toMatchObject({ code: 4401 })
  })

  it('must be a login', async () => {
    const client = await rawClient(test.url)
    client.send({ type: 'ping', id: 1 })
    expect(await client.next('bye')).toMatchObject({ code: 'not_logged_in' })
    await client.closed
  })

  it('must come within the limit', async () => {
    const client = await rawClient(test.url)
    expect(await client.next('bye')).toMatchObject({ code: 'login_timeout' })
    expect(await client.closed).toMatchObject({ code: 4408 })
  })

  it('must speak a protocol version that the server knows', async () => {
    const client = await rawClient(test.url)
    client.login(await test.token('alice'), { protocol: 99 })
    expect(await client.next('bye')).toMatchObject({ code: 'unsupported' })
    await client.closed
  })

  it('is refused when the user has too many connections, which stay', async () => {
    const token = await test.token('many')
    const open: RawClient[] = []
    for (let i = 0; i < limits.connectionsPerUserMax; i++) {
      const client = await rawClient(test.url)
      client.login(token)
      await client.next('welcome')
      open.push(client)
    }
    const last = await rawClient(test.url)
    last.login(token)
    expect(await last.next('bye')).toMatchObject({ code: 'too_many_connections' })
    expect(open.every((client) => !client.isClosed())).toBe(true)
    for (const client of open) client.close()
  })
})

describe('frames of a client that is in', () => {
  it.each([
    ['no JSON', '{', 'bad_frame'],
    ['no object', '[]', 'bad_frame'],
    ['an unknown frame', '{"type":"launch"}', 'unsupported'],
    ['an inherited name as frame', '{"type":"constructor"}', 'unsupported'],
    ['an unknown field', '{"type":"ping","id":1,"x":1}', 'bad_frame'],
    ['a prototype key', '{"type":"ping","id":1,"__proto__":{}}', 'bad_frame'],
    ['a missing field', '{"type":"ping"}', 'bad_frame'],
    ['a field twice', '{"type":"ping","id":1,"id":2}', 'bad_frame'],
    [
      'a nested prototype key',
      '{"type":"ack","acks":[{"conversationId":"g:x","seq":1,"__proto__":1}]}',
      'bad_frame',
    ],
    [
      'a frame nested 10,000 deep',
      `{"type":"ack","acks":${'['.repeat(10_000)}${']'.repeat(10_000)}}`,
      'bad_frame',
    ],
    ['a number without end', '{"type":"history","id":1,"conversationId":"g:x","after":1e400}', 'bad_frame'],
    ['typing to others', '{"type":"typing","conversationId":"p2p:alice:bob"}', 'not_member'],
    ['a cursor made up', `{"type":"conversations","id":1,"before":"' OR 1=1"}`, 'bad_position'],
    [
      'too many presences',
      JSON.stringify({ type: 'presence', id: 1, subscribe: Array(201).fill('a'), unsubscribe: [] }),
      'too_many',
    ],
    ['an id beyond 2^53', '{"type":"ping","id":9007199254740993}', 'bad_frame'],
    [
      'a second login',
      `{"type":"login","token":"x","deviceId":"d","deviceType":"t","protocol":1}`,
      'already_logged_in',
    ],
    [
      'too many acks',
      JSON.stringify({ type: 'ack', acks: Array(300).fill({ conversationId: 'g:x', seq: 1 }) }),
      'too_many',
    ],
  ])('%s is answered with its code and nothing is closed', async (_, raw, code) => {
    const client = await online()
    client.raw(raw)
    expect(await client.next('error')).toMatchObject({ code })
    client.send({ type: 'ping', id: 9 })
    await client.next('pong')
    client.close()
  })

  const send = (part: object) => ({
    type: 'send',
    packId: newPackId(),
    to: 'bob',
    contentType: 'text',
    content: { text: 'hi' },
    mentions: [],
    mentionAll: false,
    ...part,
  })
  const command = (type: string, part: object) => ({ type, packId: newPackId(), ...part })
  const deep = JSON.parse('['.repeat(200) + ']'.repeat(200)) as unknown
  it.each<[string, object, string]>([
    ['a forged sender', send({ senderId: 'alice' }), 'bad_frame'],
    ['a single chat of others', send({ to: undefined, conversationId: 'p2p:alice:bob' }), 'not_member'],
    ['a user stream as target', send({ to: undefined, conversationId: 'u:mallory' }), 'bad_id'],
    ['two targets', send({ conversationId: 'g:x' }), 'bad_frame'],
    ['an id with a brace', send({ to: 'a}b' }), 'bad_id'],
    ['content over the limit', send({ content: { text: 'x'.repeat(33_000) } }), 'content_too_large'],
    ['content nested too deep', send({ content: { text: 'x', deep } }), 'bad_content'],
    ['an unknown type of content', send({ contentType: 'virus' }), 'bad_content'],
    ['text without text', send({ content: { text: 5 } }), 'bad_content'],
    ['too many mentions', send({ mentions: Array(51).fill('a') }), 'too_many'],
    ['a message of the platform', send({ contentType: 'system' }), 'not_allowed'],
    [
      'a picture that runs',
      send({ contentType: 'file', content: { url: 'javascript:1', name: 'x', size: 1 } }),
      'bad_content',
    ],
    ['a friend request to oneself', command('requestFriend', { userId: 'mallory', note: '' }), 'to_oneself'],
    ['observing without the right', command('observe', { conversationId: 'g:x', on: true }), 'not_allowed'],
    [
      'two emoji in one reaction',
      command('react', { conversationId: 'g:x', seq: 1, emoji: '👍👎', on: true }),
      'bad_content',
    ],
    [
      'a role that is none',
      command('setRole', { conversationId: 'g:x', userId: 'a', role: '__proto__' }),
      'bad_content',
    ],
    ['a setting without a key', command('setSetting', { key: '', value: '1' }), 'bad_content'],
    ['a day that never was', command('setProfile', { birthday: '2023-02-30' }), 'bad_content'],
    ['a packId that is none', send({ packId: 'x' }), 'pack_id_invalid'],
    ['a packId ahead of time', send({ packId: newPackId(Date.now() + 120_000) }), 'pack_id_ahead'],
  ])('%s is rejected with its code and reaches no log', async (_, frame, code) => {
    const client = await online()
    const before = (await test.commands()).length
    client.send(frame)
    expect(await client.next('rejected')).toMatchObject({ code })
    expect((await test.commands()).length).toBe(before)
    client.close()
  })

  it('bytes on the text protocol are a bad frame', async () => {
    const client = await online()
    client.raw(new Uint8Array([1, 2, 3]))
    expect(await client.next('error')).toMatchObject({ code: 'bad_frame' })
    client.close()
  })

  it('the largest frame is read, one byte more ends the connection', async () => {
    const client = await online()
    const pad = (bytes: number) => {
      const head = '{"type":"logout","reason":"'
      return `${head}${'x'.repeat(bytes - head.length - 2)}"}`
    }
    const unread = await online()
    unread.raw(pad(limits.frameBytesMax + 1))
    expect(await unread.next('bye')).toMatchObject({ code: 'frame_too_large' })
    expect((await unread.closed).code).toBe(4400)
    const cut = await online()
    cut.raw(pad(limits.frameBytesMax * 2 + 1))
    expect((await cut.closed).code).not.toBe(1000)
    client.raw(pad(limits.frameBytesMax))
    expect(await client.closed).toMatchObject({ code: 1000 })
  })

  it('too fast is said with the time to wait, and nothing is dropped in silence', async () => {
    const client = await online()
    const count = limits.commandsBurstPerConnectionMax + 100
    for (let i = 0; i < count; i++)
      client.send({ type: 'addMembers', packId: newPackId(), conversationId: 'g:x', members: ['a'] })
    const answered = () =>
      client.frames.filter((frame) => frame.type === 'accepted' || frame.type === 'rejected').length
    await until(() => answered() === count)
    const refused = client.frames.filter((frame) => frame.type === 'rejected')
    expect(refused.length).toBeGreaterThan(0)
    for (const frame of refused)
      expect(frame).toMatchObject({ code: 'rate_limited', retryAfterMs: expect.any(Number) })
    client.close()
  })
})

describe('time', () => {
  it('a client that is silent for two periods is closed', async () => {
    const quick = await startTestGateway({ gatewayId: 'gw-beat', boot: 'boot00005', heartbeatMs: 1_000 })
    const client = await rawClient(quick.url)
    client.login(await quick.token('alice'))
    expect(await client.next('welcome')).toMatchObject({ heartbeatMs: 1_000 })
    expect(await client.next('bye')).toMatchObject({ code: 'heartbeat_timeout' })
    expect(await client.closed).toMatchObject({ code: 4408 })
    await quick.stop()
  })

  it('a connection does not outlive its token', async () => {
    let skewMs = 0
    const { systemClock } = await import('../../../infra/clock.ts')
    const clock = { ...systemClock, now: () => Date.now() + skewMs }
    const later = await startTestGateway({ gatewayId: 'gw-late', boot: 'boot00006', clock })
    const client = await rawClient(later.url)
    client.login(await later.token('alice', 60))
    await client.next('welcome')
    skewMs = 91_000
    expect(await client.next('bye')).toMatchObject({ code: 'token_expired' })
    await later.stop()
  })
})

describe('a client that does not read', () => {
  it('is closed at the limit of its buffer, and a neighbour misses nothing', async () => {
    const neighbour = await online('neighbour')
    const before = test.gateway.levels().gateway_connections ?? 0
    const sloth = await deafClient(test.url)
    const device = { deviceId: 'd', deviceType: 't', protocol: 1 }
    sloth.send({ type: 'login', token: await test.token('sloth'), ...device })
    await until(() => sloth.frames.some(({ type }) => type === 'welcome'))
    sloth.pause()
    const count = 400
    const text = 'x'.repeat(30_000)
    for (let seq = 1; seq <= count; seq++) {
      const event = eventBytes({ stream: 'g:big', seq }, messageSent('x', text))
      await test.deliver({ stream: 'g:big', event, recipients: ['sloth', 'neighbour'] })
      if (seq % 50 === 0) {
        await until(() => neighbour.frames.filter((frame) => frame.type === 'event').length >= seq)
        neighbour.send({ type: 'ack', acks: [{ conversationId: 'g:big', seq }] })
      }
    }
    await until(() => test.gateway.levels().gateway_connections === before)
    expect(neighbour.isClosed()).toBe(false)
    const seqs = neighbour.frames.flatMap((frame) => (frame.type === 'event' ? [frame.item.seq] : []))
    expect(seqs).toEqual(Array.from({ length: count }, (_, i) => i + 1))
    sloth.close()
    neighbour.close()
  })
})

describe('sockets that go away at any moment', () => {
  it('leave no connection, no record and no crash', async () => {
    const token = await test.token('flapper')
    const before = test.gateway.levels().gateway_connections ?? 0
    const frames = [
      { type: 'heads', id: 1 },
      { type: 'ping', id: 2 },
      { type: 'addMembers', packId: '', conversationId: 'g:x', members: ['a'] },
      { type: 'markRead', packId: '', conversationId: 'g:x', seq: 1, ordinal: 1 },
    ]
    const one = async (round: number) => {
      const client = await rawClient(test.url)
      if (round % 7 > 0) client.login(token)
      if (round % 7 > 2) await client.next('welcome')
      for (const frame of frames.slice(0, round % 5))
        client.send({ ...frame, ...('packId' in frame ? { packId: newPackId() } : {}) })
      if (round % 3 === 0) await new Promise((resolve) => setTimeout(resolve, round % 4))
      client.close()
      await client.closed
    }
    for (let round = 0; round < 300; round += 10)
      await Promise.all(Array.from({ length: 10 }, (_, i) => one(round + i)))
    await until(() => test.gateway.levels().gateway_connections === before)
    await until(() => test.gateway.levels().gateway_online_records_ahead === 0)
    expect((await test.online.connectionsOf('flapper')).length).toBe(0)
  })
})
