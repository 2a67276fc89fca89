/** Long and short polling against a gateway whose other roles the test plays. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../../infra/clock.ts'
import { decodeCommandPayload } from '../../../schemas/codec.ts'
import { limits } from '../../../schemas/limits.ts'
import {
  answerTo,
  eventBytes,
  fakeReads,
  messageSent,
  newPackId,
  startTestGateway,
  type TestGateway,
  until,
} from '../../support/gateway.ts'
import { loginFrame, type PollClient, pollClient, pollOnce } from '../../support/poll-client.ts'

let test: TestGateway
let reads = 0
let skewMs = 0
const clock = { ...systemClock, now: () => Date.now() + skewMs }
/** Counts every question to a store. */
const counted = new Proxy(fakeReads, {
  get(target, name) {
    const value = target[name as keyof typeof target]
    return typeof value === 'function' && name !== 'channelsOf'
      ? (...args: never[]) => {
          reads += 1
          return (value as (...args: never[]) => unknown)(...args)
        }
      : value
  },
})
beforeAll(async () => {
  test = await startTestGateway({ gatewayId: 'gw.poll-1', reads: counted, clock })
})
afterAll(() => test.stop())

const url = () => `http://127.0.0.1:${test.port}/poll`
const online = async (user: string): Promise<PollClient> => pollClient(url(), await test.token(user))
const push = (user: string, seq: number, text = `m${seq}`, stream = `g:${user}`) =>
  test.deliver({ stream, event: eventBytes({ stream, seq }, messageSent('x', text)), recipients: [user] })
const seqsIn = (frames: readonly object[] = []) =>
  frames.flatMap((frame) => ('item' in frame ? [(frame.item as { seq: number }).seq] : []))
const levels = () => test.gateway.levels()
const hanging = () => test.publicPort.levels().polls_hanging

describe('a polling session', () => {
  it('is opened by a login, under a name that begins with its gateway and cannot be guessed', async () => {
    const { session, welcome } = await online('alice')
    expect(welcome).toMatchObject({ status: 200, body: { cursor: 1, frames: [{ type: 'welcome' }] } })
    expect(session.slice(0, session.lastIndexOf('.'))).toBe('gw.poll-1')
    expect(welcome.headers.get('cache-control')).toBe('no-store')
    expect((await online('alice')).session).not.toBe(session)
  })

  it('a refused login gets its code and no session lives on', async () => {
    const { body } = await pollOnce(url(), { frames: [loginFrame('nonsense')] })
    expect(body).toMatchObject({ frames: [{ type: 'bye', code: 'token_invalid' }], ended: 'token_invalid' })
    const again = await pollOnce(url(), { frames: [{ type: 'ping', id: 1 }] })
    expect(again.body).toMatchObject({ frames: [{ type: 'bye', code: 'not_logged_in' }] })
    expect(await pollOnce(url(), {})).toMatchObject({ status: 401, body: { code: 'not_logged_in' } })
  })

  it('a hanging poll is ended by the push itself, and no store is read while it hangs', async () => {
    const bob = await online('bob')
    reads = 0
    const polled = bob.poll({ waitMs: 30_000 })
    await push('bob', 1)
    expect(seqsIn((await polled).body.frames)).toEqual([1])
    expect(reads).toBe(0)
  })

  it('both kinds of poll end as a normal empty answer where there is no news', async () => {
    const carol = await online('carol')
    const empty = { status: 200, body: { cursor: 1, frames: [] } }
    expect(await carol.poll({ waitMs: 0 })).toMatchObject(empty)
    expect(await carol.poll({ waitMs: 50 })).toMatchObject(empty)
  })

  it('what a client sends is answered on its next poll, in order', async () => {
    const dave = await online('dave')
    const sent = await dave.send(
      { type: 'ping', id: 1 },
      { type: 'nonsense' },
      { type: 'history', id: 2, conversationId: 'g:secret' },
    )
    expect(sent).toMatchObject({ status: 200, body: { taken: 4 } })
    await dave.poll()
    while (dave.frames.length < 4) await dave.poll()
    expect(dave.frames.slice(1)).toMatchObject([
      { type: 'pong', id: 1 },
      { type: 'error', code: 'unsupported' },
      { type: 'error', id: 2, code: 'not_member' },
    ])
  })

  it('a command is accepted and committed, its content kept byte for byte', async () => {
    const erin = await online('erin')
    const before = (await test.commands()).length
    const packId = newPackId()
    const frame = `{"type":"send","packId":"${packId}","to":"bob","contentType":"text","content":{"text":"hi","n":1.000000000000000000001},"mentions":[],"mentionAll":false}`
    await pollOnce(url(), `{"sent":1,"frames":[${frame}]}`, { session: erin.session })
    const [command] = (await test.commandsOnce(before + 1)).slice(before)
    if (!command) throw new Error('no command')
    await test.deliver({ stream: 'p2p:bob:erin', answer: answerTo(command) })
    while (!erin.frames.some(({ type }) => type === 'committed')) await erin.poll()
    expect(erin.frames.map(({ type }) => type)).toEqual(['welcome', 'accepted', 'committed'])
    expect(String((decodeCommandPayload(command) as { content: Buffer }).content)).toContain(
      '1.000000000000000000001',
    )
  })

  it('what was recalled before any answer held it is never answered with its text', async () => {
    const alice = await online('anna')
    const stream = 'g:anna'
    push('anna', 1, 'the text')
    push('anna', 2, 'another')
    const target = { seq: 1, ordinal: 1, sender: 'x', time: 1, packId: Buffer.alloc(16, 7) }
    const recalled = {
      type: 'MessageRecalled',
      packId: Buffer.alloc(16, 9),
      sender: 'x',
      device: 'd',
      bodyHash: 0,
      target,
    }
    test.deliver({ stream, event: eventBytes({ stream, seq: 3 }, recalled as never), recipients: ['anna'] })
    await new Promise((resolve) => setTimeout(resolve, 300))
    const { body } = await alice.poll({ waitMs: 0 })
    expect(seqsIn(body.frames)).toEqual([1, 2, 3])
    expect(JSON.stringify(body.frames)).not.toContain('the text')
    expect(JSON.stringify(body.frames)).toContain('another')
  })

  it('an answer that was lost comes again until it is confirmed, and then never', async () => {
    const frank = await online('frank')
    for (const seq of [1, 2]) await push('frank', seq)
    await until(() => test.gateway.counters.pushed > 0)
    const first = await pollOnce(url(), { after: 1, waitMs: 5_000 }, { session: frank.session })
    await push('frank', 3)
    let again = await pollOnce(url(), { after: 1 }, { session: frank.session })
    while (seqsIn(again.body.frames).length < 3)
      again = await pollOnce(url(), { after: 1 }, { session: frank.session })
    expect(again.body.frames?.slice(0, first.body.frames?.length)).toEqual(first.body.frames)
    expect(seqsIn(again.body.frames)).toEqual([1, 2, 3])
    const cursor = again.body.cursor ?? 0
    const next = await pollOnce(url(), { after: cursor, waitMs: 0 }, { session: frank.session })
    expect(next.body).toEqual({ cursor, frames: [] })
  })

  it.each([
    ['stale', -1],
    ['future', 5],
  ])('a %s position gets its code, and the session goes on', async (_, off) => {
    const grace = await online('grace')
    await push('grace', 1)
    await grace.poll({ waitMs: 5_000 })
    await grace.poll({ waitMs: 0 })
    const refused = await pollOnce(url(), { after: grace.cursor + off }, { session: grace.session })
    expect(refused).toMatchObject({ status: 409, body: { code: 'bad_position' } })
    expect(await grace.poll({ waitMs: 0 })).toMatchObject({ status: 200 })
  })

  it('frames that are sent again are taken once, and a gap in what is sent is refused', async () => {
    const heidi = await online('heidi')
    const ping = (id: number) => ({ type: 'ping', id })
    const send = (sent: number, ...ids: number[]) =>
      pollOnce(url(), { sent, frames: ids.map(ping) }, { session: heidi.session })
    await send(1, 1, 2)
    await send(1, 1, 2, 3)
    expect(await send(2, 2)).toMatchObject({ body: { taken: 4 } })
    expect(await send(9, 9)).toMatchObject({ status: 409, body: { code: 'bad_position' } })
    while (heidi.frames.length < 4) await heidi.poll()
    expect(heidi.frames.slice(1)).toMatchObject([1, 2, 3].map((id) => ({ type: 'pong', id })))
  })

  it('a second poll of one session ends the first with an empty answer: the frames go to one alone', async () => {
    const ivan = await online('ivan')
    const first = pollOnce(url(), { after: 1, waitMs: 30_000 }, { session: ivan.session })
    await until(() => hanging() === 1)
    const second = ivan.poll({ waitMs: 30_000 })
    const loser = await Promise.race([first, second])
    expect(loser.body).toEqual({ cursor: 1, frames: [] })
    await push('ivan', 1)
    const all = await Promise.all([first, second])
    expect(all.flatMap(({ body }) => seqsIn(body.frames))).toEqual([1])
  })

  it('a client that goes away while its poll hangs loses nothing', async () => {
    const judy = await online('judy')
    const abort = new AbortController()
    const cut = judy.poll({ waitMs: 30_000 }, { signal: abort.signal }).catch(() => 'cut')
    await until(() => hanging() === 1)
    abort.abort()
    expect(await cut).toBe('cut')
    await until(() => hanging() === 0)
    await push('judy', 1)
    expect(seqsIn((await judy.poll({ waitMs: 5_000 })).body.frames)).toEqual([1])
  })
})

describe('the end of a polling session', () => {
  it('by logout is told, and what is polled afterwards is no session', async () => {
    const alice = await online('alice-out')
    const polled = alice.poll({ waitMs: 30_000 })
    await alice.send({ type: 'logout' })
    expect((await polled).body).toMatchObject({ frames: [], ended: 'logout' })
    await until(() => test.gateway.levels().gateway_online_records_ahead === 0)
    expect(await test.online.connectionsOf('alice-out')).toEqual([])
    const unknown = { session: `gw.poll-1.${'x'.repeat(32)}` }
    expect(await pollOnce(url(), { after: 0 }, unknown)).toMatchObject({
      status: 404,
      body: { code: 'no_such_session' },
    })
  })

  it('by leaving takes its record with it at once', async () => {
    const bob = await online('bob-out')
    const before = levels().gateway_connections ?? 0
    await bob.leave()
    expect(levels().gateway_connections).toBe(before - 1)
    expect(await bob.poll()).toMatchObject({ status: 404, body: { code: 'no_such_session' } })
  })

  it('comes when nobody has polled for two periods, and a hanging poll counts as alive', async () => {
    const beat = { heartbeatMs: 10_000 }
    const quiet = await pollClient(url(), await test.token('quiet'), beat)
    const alive = await pollClient(url(), await test.token('alive'), beat)
    await quiet.poll({ waitMs: 0 })
    const before = levels().gateway_connections ?? 0
    for (let i = 0; i < 3; i++) {
      skewMs += 8_000
      await alive.poll({ waitMs: 0 })
    }
    // The others of this file have a longer period.
    await until(() => levels().gateway_connections === before - 1)
    const { body: ended } = await quiet.poll()
    expect(ended).toMatchObject({ frames: [{ code: 'heartbeat_timeout' }], ended: 'heartbeat_timeout' })
    expect((await alive.poll({ waitMs: 0 })).status).toBe(200)
    skewMs = 0
  })

  it('by a drain is told to the poll that hangs, and no new session is opened', async () => {
    const other = await startTestGateway({ gatewayId: 'gw-drain', boot: 'boot00009' })
    const at = `http://127.0.0.1:${other.port}/poll`
    const client = await pollClient(at, await other.token('alice'))
    const polled = client.poll({ waitMs: 30_000 })
    await until(() => other.publicPort.levels().polls_hanging === 1)
    other.publicPort.stopAccepting()
    await other.gateway.drain()
    const { body } = await polled
    expect(body).toMatchObject({ frames: [{ type: 'bye', code: 'draining' }], ended: 'draining' })
    await other.stop()
  })

  it('by a drain waits for a short poll that fetches it', async () => {
    const other = await startTestGateway({ gatewayId: 'gw-drain', boot: 'boot00010' })
    const at = `http://127.0.0.1:${other.port}/poll`
    const client = await pollClient(at, await other.token('alice'))
    await client.poll({ waitMs: 0 })
    await other.gateway.drain()
    let isOver = false
    const over = other.publicPort.toldAll().then(() => {
      isOver = true
    })
    const { body } = await client.poll({ waitMs: 0 })
    expect(isOver).toBe(false)
    expect(body).toMatchObject({ frames: [{ type: 'bye', code: 'draining' }], ended: 'draining' })
    await over
    await other.stop()
  })

  it('comes to one that fetches nothing, at the limit of its queue; what it held is let go', async () => {
    const slow = await online('slow')
    const text = 'x'.repeat(30_000)
    const count = Math.ceil(limits.pollQueueBytesMax / 30_000) + 2
    await slow.poll({ waitMs: 0 })
    const before = levels().gateway_connections ?? 0
    for (let seq = 1; seq <= count; seq++) await push('slow', seq, text)
    await until(() => levels().gateway_connections === before - 1)
    expect((await slow.poll()).body).toEqual({ cursor: 1, frames: [], ended: 'slow_consumer' })
  })
})

describe('abuse of polling', () => {
  it('another origin is refused, before any session; an allowed one is told so', async () => {
    const before = test.gateway.counters.opened
    const login = { frames: [loginFrame(await test.token('alice'))] }
    for (const origin of ['null', 'https://evil.com', 'HTTP://LOCALHOST', 'http://127.0.0.1.evil.com']) {
      const refused = await pollOnce(url(), login, { headers: { origin } })
      expect(refused, origin).toMatchObject({ status: 403, body: { code: 'not_allowed' } })
      expect(refused.headers.get('access-control-allow-origin')).toBeNull()
      const preflight = await fetch(url(), { method: 'OPTIONS', headers: { origin } })
      expect(preflight.status).toBe(403)
    }
    expect(test.gateway.counters.opened).toBe(before)
    const origin = 'http://localhost:3000'
    const allowed = await pollOnce(url(), login, { headers: { origin } })
    expect(allowed.headers.get('access-control-allow-origin')).toBe(origin)
    const preflight = await fetch(url(), { method: 'OPTIONS', headers: { origin } })
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-headers')).toContain('x-longwire-session')
  })

  it('a body over the limit is cut off with its code; a token or session in the address is worth nothing', async () => {
    const large = JSON.stringify({ frames: ['x'.repeat(limits.pollBodyBytesMax)] })
    expect(await pollOnce(url(), large)).toMatchObject({ status: 413, body: { code: 'frame_too_large' } })
    // A login is never so large.
    const login = JSON.stringify({ frames: ['x'.repeat(limits.pollLoginBodyBytesMax)] })
    expect(await pollOnce(url(), login)).toMatchObject({ status: 413, body: { code: 'frame_too_large' } })
    const alice = await online('alice')
    const token = await test.token('alice')
    for (const query of [`session=${alice.session}`, `token=${token}`])
      expect(await pollOnce(`${url()}?${query}`, { after: 1 })).toMatchObject({ status: 401 })
  })

  it('a frame over its limit ends the session with its code', async () => {
    const alice = await online('alice')
    await alice.send({ type: 'logout', reason: 'x'.repeat(limits.frameBytesMax) })
    expect((await alice.poll()).body).toMatchObject({ ended: 'frame_too_large' })
  })

  it('a second login is refused and keeps the session', async () => {
    const alice = await online('alice')
    await alice.send(loginFrame(await test.token('bob')))
    expect((await alice.poll()).body).toMatchObject({ frames: [{ code: 'already_logged_in' }] })
    expect((await alice.poll({ waitMs: 0 })).status).toBe(200)
  })

  it('polling too fast is said with the time to wait', async () => {
    const alice = await online('alice')
    const polls = Array.from({ length: limits.pollsBurstPerSessionMax + 100 }, () =>
      pollOnce(url(), { frames: [] }, { session: alice.session }),
    )
    const refused = (await Promise.all(polls)).filter(({ status }) => status === 429)
    expect(refused.length).toBeGreaterThan(0)
    for (const { body } of refused)
      expect(body).toMatchObject({ code: 'rate_limited', retryAfterMs: expect.any(Number) })
  })
})
