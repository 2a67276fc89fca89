import { afterEach, describe, expect, it } from 'vitest'
import { connect } from '../../../client/index.ts'
import { jwksSource } from '../../../gateway/tokens/key-source.ts'
import { mintToken } from '../../../gateway/tokens/mint.ts'
import { appendRevocation } from '../../../gateway/tokens/revoke.ts'
import { silentLog } from '../../../infra/log.ts'
import type { LogStore } from '../../../schemas/ports.ts'
import { topics } from '../../../schemas/topics.ts'
import {
  newPackId,
  secret,
  startTestGateway,
  type TestGateway,
  type TestGatewayOptions,
  until,
} from '../../support/gateway.ts'
import { type RawClient, rawClient } from '../../support/gateway-client.ts'
import { claimsOf, issuerKey, jwksOf } from '../../support/tokens.ts'
import { virtualTime } from '../../support/virtual-time.ts'

const gateways: TestGateway[] = []
afterEach(async () => {
  for (const gateway of gateways.splice(0).toReversed()) await gateway.stop()
})

async function started(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const id = `gw-${gateways.length}`
  const gateway = await startTestGateway({ gatewayId: id, boot: `boot-${id}`, ...options })
  gateways.push(gateway)
  return gateway
}

async function loggedIn({ url }: TestGateway, token: string, deviceId = 'd1'): Promise<RawClient> {
  const client = await rawClient(url)
  client.login(token, { deviceId })
  await client.next('welcome')
  return client
}

async function refusal({ url }: TestGateway, token: string): Promise<string> {
  const client = await rawClient(url)
  client.login(token)
  const { code } = await client.next('bye')
  await client.closed
  return code
}

const earlier = (user: string, agoMs = 60_000) =>
  mintToken(secret, user, 3600, { nowMs: Date.now() - agoMs, rights: ['observe'] })
const revoke = (store: LogStore, user: string, notBefore = Date.now()) =>
  appendRevocation(store, { user, notBefore, by: 'test', at: notBefore })

describe('a revocation', () => {
  it('closes every connection of that user on every gateway, and no other, with Redis down too', async () => {
    const one = await started()
    const two = await started({ store: one.store })
    one.online.down = true
    two.online.down = true
    const token = await earlier('alice')
    const hers = await Promise.all([one, one, two].map((gateway, i) => loggedIn(gateway, token, `d${i}`)))
    const others = await Promise.all(
      [one, two].map(async (gateway) => loggedIn(gateway, await earlier('bob'))),
    )
    await revoke(one.store, 'alice')
    for (const client of hers) {
      expect(await client.next('bye')).toMatchObject({ code: 'token_revoked', reconnectAfterMs: 1_000 })
      expect(await client.closed).toMatchObject({ code: 4401 })
    }
    expect(others.some((client) => client.isClosed())).toBe(false)
    for (const gateway of [one, two]) expect(await refusal(gateway, token)).toBe('token_revoked')
  })

  it('ends clients of every transport with its code', async () => {
    const gateway = await started()
    const urls = [
      gateway.url,
      `omtp://127.0.0.1:${gateway.omtp.port}`,
      `http://127.0.0.1:${gateway.port}/poll`,
    ]
    const token = await earlier('alice')
    const ended: string[] = []
    const state = ({ state, code }: { state: string; code: string | null }) => {
      if (state === 'closed') ended.push(code ?? '')
    }
    await Promise.all(urls.map((url, i) => connect({ url, token, deviceId: `d${i}`, on: { state } })))
    await revoke(gateway.store, 'alice')
    await until(() => ended.length === 3)
    expect(ended).toEqual(['token_revoked', 'token_revoked', 'token_revoked'])
  })

  it('lets in who has a newer token, whose connection a repeated revocation leaves alone', async () => {
    const gateway = await started()
    const at = Date.now() - 30_000
    await revoke(gateway.store, 'alice', at)
    const client = await loggedIn(gateway, await gateway.token('alice'))
    await revoke(gateway.store, 'alice', at)
    await revoke(gateway.store, 'alice', at - 1)
    await revoke(gateway.store, 'bob')
    await until(() => gateway.gateway.levels().gateway_revocations === 2)
    client.send({ type: 'ping', id: 1 })
    await client.next('pong')
    expect(await refusal(gateway, await earlier('alice'))).toBe('token_revoked')
  })

  it('that cannot be read stops nothing', async () => {
    const gateway = await started()
    const appender = await gateway.store.appender('test')
    for (const value of [Buffer.from('no revocation'), Buffer.alloc(0), null])
      await appender.append(topics.revocations, 0, { key: 'alice', value })
    await appender.close()
    await revoke(gateway.store, 'bob')
    await until(() => gateway.gateway.levels().gateway_revocations === 1)
    const later = await started({ store: gateway.store })
    expect(await refusal(later, await earlier('bob'))).toBe('token_revoked')
    await loggedIn(later, await later.token('alice'))
  })

  it('is known to a gateway that starts later before it takes its first login', async () => {
    const one = await started()
    for (let i = 0; i < 1_000; i++) await revoke(one.store, `user-${i}`, 1 + i)
    await revoke(one.store, 'alice')
    const later = await started({ store: one.store })
    expect(later.gateway.levels().gateway_revocations).toBe(1_001)
    expect(await refusal(later, await earlier('alice'))).toBe('token_revoked')
  })
})

describe('tokens of an issuer at a gateway', () => {
  const first = issuerKey('k1', 'RS256')
  const second = issuerKey('k2', 'EdDSA')
  const claims = (user: string) => claimsOf(user, Math.floor(Date.now() / 1000))

  it('change their key under load, and nobody valid is disconnected', async () => {
    const time = virtualTime(Date.now())
    let published = jwksOf(first)
    const keys = jwksSource({ load: async () => published, clock: time, random: () => 0.5, log: silentLog })
    const gateway = await started({ keys })
    await time.run(0)
    const clients = await Promise.all(
      Array.from({ length: 20 }, (_, i) => loggedIn(gateway, first.token(claims(`old-${i}`)))),
    )
    const spoken = async (rounds: number) => {
      for (const client of clients)
        for (let i = 0; i < rounds; i++)
          client.send({
            type: 'send',
            packId: newPackId(),
            to: 'bob',
            conversationId: null,
            contentType: 'text',
            content: { text: 'hi' },
            mentions: [],
            mentionAll: false,
          })
      await Promise.all(clients.map((client) => client.next('accepted')))
    }
    await spoken(10)
    published = jwksOf(first, second)
    await time.run(30_000)
    const fresh = Array.from({ length: 20 }, (_, i) => second.token(claims(`new-${i}`)))
    clients.push(...(await Promise.all(fresh.map((token) => loggedIn(gateway, token)))))
    await spoken(10)
    published = jwksOf(second)
    await time.run(360_000)
    await spoken(10)
    expect(await refusal(gateway, first.token(claims('late')))).toBe('token_invalid')
    expect(clients.filter((client) => client.isClosed())).toEqual([])
    expect(gateway.gateway.levels().gateway_connections).toBe(40)
    keys.stop()
  })

  it('wait while the key set is away at the start, and nobody gets in without it', async () => {
    const time = virtualTime(Date.now())
    let published: string | null = null
    const load = async () => published ?? Promise.reject(new Error('down'))
    const keys = jwksSource({ load, clock: time, random: () => 0.5, log: silentLog })
    const gateway = await started({ keys })
    expect(await refusal(gateway, first.token(claims('alice')))).toBe('unavailable')
    expect(await refusal(gateway, await gateway.token('alice'))).toBe('unavailable')
    published = jwksOf(first)
    await time.run(60_000)
    await loggedIn(gateway, first.token(claims('alice')))
    expect(await refusal(gateway, await gateway.token('alice'))).toBe('token_invalid')
    keys.stop()
  })
})
