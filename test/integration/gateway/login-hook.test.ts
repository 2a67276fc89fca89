import { createHmac } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { connect } from '../../../client/index.ts'
import { createLoginHook, type HookOutcome } from '../../../gateway/login-hook.ts'
import { systemClock } from '../../../infra/clock.ts'
import { silentLog } from '../../../infra/log.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { rawClient } from '../../support/gateway-client.ts'

const secret = 'what signs the questions, of 32 bytes or more'
const stops: (() => unknown)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop()
})

interface Asked {
  readonly body: Record<string, unknown>
  readonly text: string
  readonly headers: IncomingMessage['headers']
}

/** A service that answers as the test says, and a gateway that asks it. */
async function asking(
  answer: (response: ServerResponse, asked: Asked) => unknown,
  { fallback = 'refuse', timeoutMs = 1_000 }: { fallback?: 'allow' | 'refuse'; timeoutMs?: number } = {},
) {
  const asked: Asked[] = []
  const server: Server = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const text = Buffer.concat(parts).toString('utf8')
    const one = { body: JSON.parse(text) as Record<string, unknown>, text, headers: request.headers }
    asked.push(one)
    answer(response, one)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  stops.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const outcomes: HookOutcome[] = []
  const loginHook = createLoginHook({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/login`,
    secret,
    timeoutMs,
    fallback,
    clock: systemClock,
    log: silentLog,
    observed: (outcome) => void outcomes.push(outcome),
  })
  const gateway = await startTestGateway({ loginHook })
  stops.push(() => gateway.stop())
  return { gateway, asked, outcomes }
}

const says = (value: object) => (response: ServerResponse) => response.end(JSON.stringify(value))

async function outcomeOf(gateway: TestGateway, proof: string | null = null) {
  const client = await rawClient(gateway.url)
  client.login(await gateway.token('alice'), { proof })
  const frame = await Promise.race([client.next('welcome'), client.next('bye')])
  client.close()
  return frame.type === 'welcome' ? 'welcome' : frame
}

describe('the login hook', () => {
  it('is asked, signed, who wants in from where, and lets in', async () => {
    const { gateway, asked, outcomes } = await asking(says({ decision: 'allow' }))
    expect(await outcomeOf(gateway)).toBe('welcome')
    const [{ body, text, headers } = { body: {}, text: '', headers: {} }] = asked
    expect(body).toEqual({
      userId: 'alice',
      deviceId: 'd1',
      deviceType: 'test',
      address: '127.0.0.1',
      transport: 'ws',
      proof: null,
    })
    const at = headers['longwire-timestamp']
    const expected = createHmac('sha256', secret).update(`${at}.${text}`).digest('hex')
    expect(headers['longwire-signature']).toBe(`v1=${expected}`)
    expect(at).toMatch(/^\d{10}$/)
    expect(outcomes).toEqual(['allow'])
  })

  it('is not asked about a token that is not right', async () => {
    const { gateway, asked } = await asking(says({ decision: 'allow' }))
    const client = await rawClient(gateway.url)
    client.login('wrong')
    expect(await client.next('bye')).toMatchObject({ code: 'token_invalid' })
    expect(asked).toEqual([])
  })

  it('refuses: nothing of that login is registered', async () => {
    const { gateway } = await asking(says({ decision: 'refuse' }))
    expect(await outcomeOf(gateway)).toMatchObject({ code: 'login_refused' })
    expect(gateway.online.records.size).toBe(0)
  })

  it('demands a proof, which the client gives by itself', async () => {
    const challenge = { kind: 'captcha', image: 'https://example.com/1.png' }
    const { gateway, outcomes, asked } = await asking((response, { body }) =>
      says(body.proof === 'seven' ? { decision: 'allow' } : { decision: 'challenge', challenge })(response),
    )
    expect(await outcomeOf(gateway)).toMatchObject({
      code: 'proof_required',
      challenge: JSON.stringify(challenge),
    })
    const token = await gateway.token('alice')
    const me = await connect({ url: gateway.url, token, onChallenge: async () => 'seven' })
    expect(me.userId).toBe('alice')
    await me.close()
    await expect(connect({ url: gateway.url, token })).rejects.toMatchObject({ code: 'proof_required' })
    expect(outcomes).toEqual(['challenge', 'challenge', 'allow', 'challenge'])
    expect(asked.map(({ body }) => body.proof)).toEqual([null, null, 'seven', null])
  })

  const ways: [string, (gateway: TestGateway) => string][] = [
    ['ws', ({ url }) => url],
    ['omtp', ({ omtp }) => `omtp://127.0.0.1:${omtp.port}`],
    ['poll', ({ port }) => `http://127.0.0.1:${port}/poll`],
  ]
  it.each(ways)('is asked, and challenges, over %s as over the others', async (transport, urlOf) => {
    const { gateway, asked } = await asking((response, { body }) =>
      says(
        body.proof === 'seven'
          ? { decision: 'allow' }
          : { decision: 'challenge', challenge: { kind: 'sms', to: '…89' } },
      )(response),
    )
    const challenges: unknown[] = []
    const me = await connect({
      url: urlOf(gateway),
      token: await gateway.token('alice'),
      onChallenge(challenge) {
        challenges.push(challenge)
        return 'seven'
      },
    })
    expect(me.state).toBe('online')
    expect(challenges).toEqual([{ kind: 'sms', to: '…89' }])
    expect(asked.map(({ body }) => body.transport)).toEqual([transport, transport])
    await me.close()
  })

  const failures: [string, (response: ServerResponse) => unknown][] = [
    ['answers nothing in time', () => {}],
    ['answers 503', (response) => response.writeHead(503).end('{"decision":"allow"}')],
    ['sends elsewhere', (response) => response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end()],
    ['answers too much', (response) => response.end(`{"decision":"allow","pad":"${'x'.repeat(20_000)}"}`)],
    ['answers no JSON', (response) => response.end('allow')],
    ['breaks off', (response) => response.destroy()],
  ]
  it.each(failures)('that %s counts as none: refused for now, or allowed, as was set', async (_, answer) => {
    const strict = await asking(answer, { timeoutMs: 200 })
    expect(await outcomeOf(strict.gateway)).toMatchObject({ code: 'unavailable', reconnectAfterMs: 500 })
    expect(strict.gateway.online.records.size).toBe(0)
    const lenient = await asking(answer, { timeoutMs: 200, fallback: 'allow' })
    expect(await outcomeOf(lenient.gateway)).toBe('welcome')
    expect([...strict.outcomes, ...lenient.outcomes]).toEqual(['fallback', 'fallback'])
  })

  it('that fails again and again is left alone for a while, and logins do not wait for it', async () => {
    const { gateway, asked, outcomes } = await asking((response) => response.writeHead(500).end(), {
      fallback: 'allow',
    })
    for (let i = 0; i < 30; i++) expect(await outcomeOf(gateway)).toBe('welcome')
    expect(outcomes).toHaveLength(30)
    expect(asked.length).toBeLessThan(15)
  })

  it('that is slow leaves open connections alone, and a token revoked meanwhile out', async () => {
    let release = (): void => {}
    const { gateway, asked } = await asking((response, { body }) => {
      if (body.proof === null) says({ decision: 'allow' })(response)
      else release = () => void says({ decision: 'allow' })(response)
    })
    const old = await rawClient(gateway.url)
    old.login(await gateway.token('bob'))
    await old.next('welcome')
    const waiting = outcomeOf(gateway, 'slow')
    while (asked.length < 2) await new Promise((resolve) => setImmediate(resolve))
    old.send({ type: 'ping', id: 7 })
    expect(await old.next('pong')).toMatchObject({ id: 7 })
    const { appendRevocation } = await import('../../../gateway/tokens/revoke.ts')
    const at = Date.now() + 60_000
    await appendRevocation(gateway.store, { user: 'alice', notBefore: at, by: 'test', at })
    while (gateway.gateway.levels().gateway_revocations !== 1)
      await new Promise((resolve) => setImmediate(resolve))
    release()
    expect(await waiting).toMatchObject({ code: 'token_revoked' })
  })
})
