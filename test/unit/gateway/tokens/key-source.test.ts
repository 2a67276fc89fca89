import { describe, expect, it } from 'vitest'
import { jwksSource } from '../../../../gateway/tokens/key-source.ts'
import { createVerifier } from '../../../../gateway/tokens/verifier.ts'
import { silentLog } from '../../../../infra/log.ts'
import { claimsOf, issuerKey, jwksOf } from '../../../support/tokens.ts'
import { virtualTime } from '../../../support/virtual-time.ts'

const now = 1_800_000_000_000
const first = issuerKey('k1', 'ES256')
const second = issuerKey('k2', 'ES256')
const claims = claimsOf('alice', now / 1000)
const SECOND = 1_000

/** An issuer whose set a test changes, or takes away by null. */
function issuer(published: string | null) {
  const time = virtualTime(now)
  const world = { published, fetches: 0, time }
  const keys = jwksSource({
    load: async () => {
      world.fetches += 1
      if (world.published === null) throw new Error('down')
      return world.published
    },
    clock: time,
    random: () => 0.5,
    log: silentLog,
  })
  const tokens = createVerifier({ keys, issuer: 'longwire', audience: 'longwire', clock: time })
  return { ...world, world, keys, tokens, ok: async (token: string) => (await tokens.verify(token)).ok }
}

describe('the key set of an issuer', () => {
  it('is asked for again by unknown keys at most once in 30 s, however many come', async () => {
    const { world, tokens, time } = issuer(jwksOf(first))
    await time.run(0)
    expect(world.fetches).toBe(1)
    const unknown = Array.from({ length: 1_000 }, (_, i) => first.token(claims, { kid: `unknown-${i}` }))
    const all = () => Promise.all(unknown.map((token) => tokens.verify(token)))
    for (const verdict of await all()) expect(verdict).toEqual({ ok: false, code: 'token_invalid' })
    expect(world.fetches).toBe(1)
    await time.run(30 * SECOND)
    await all()
    await all()
    expect(world.fetches).toBe(2)
    await time.run(29 * SECOND)
    await all()
    expect(world.fetches).toBe(2)
  })

  it('takes a new key at the first token that names it, and the old one beside it', async () => {
    const { world, ok, time } = issuer(jwksOf(first))
    await time.run(60 * SECOND)
    world.published = jwksOf(first, second)
    expect(await ok(second.token(claims))).toBe(true)
    expect(await ok(first.token(claims))).toBe(true)
    expect(world.fetches).toBe(2)
  })

  it('forgets a key that is no longer published, remembered tokens with it', async () => {
    const { world, ok, time } = issuer(jwksOf(first, second))
    await time.run(0)
    expect(await ok(first.token(claims))).toBe(true)
    const token = second.token(claims)
    expect(await ok(token)).toBe(true)
    world.published = jwksOf(first)
    await time.run(360 * SECOND)
    expect(await ok(token)).toBe(false)
    expect(await ok(first.token(claims))).toBe(true)
  })

  it('stays in use while it cannot be fetched, or what comes is none', async () => {
    const { world, ok, time, keys } = issuer(jwksOf(first))
    await time.run(0)
    for (const bad of [null, '', 'no json', '[]', '{"keys":1}', '{"keys":[],"keys":[]}']) {
      world.published = bad
      const before = world.fetches
      await time.run(400 * SECOND)
      expect(world.fetches).toBeGreaterThan(before)
      expect(await ok(first.token(claims))).toBe(true)
    }
    expect(keys.ageMs()).toBeGreaterThan(2_000 * SECOND)
  })

  it('that is published empty lets nobody in', async () => {
    const { world, ok, time } = issuer(jwksOf(first))
    await time.run(0)
    world.published = '{"keys":[]}'
    await time.run(360 * SECOND)
    expect(await ok(first.token(claims))).toBe(false)
  })

  it('that is not there at the start makes logins wait, never pass, and none of them fetches', async () => {
    const { world, tokens, ok, time } = issuer(null)
    await time.run(0)
    const token = first.token(claims)
    for (let i = 0; i < 100; i++)
      expect(await tokens.verify(token)).toEqual({ ok: false, code: 'unavailable' })
    expect(world.fetches).toBe(1)
    await time.run(120 * SECOND)
    expect(world.fetches).toBeLessThan(12)
    world.published = jwksOf(first)
    await time.run(40 * SECOND)
    expect(await ok(token)).toBe(true)
  })

  const weak = { kty: 'RSA', kid: 'k1', n: Buffer.alloc(128, 255).toString('base64url'), e: 'AQAB' }
  it.each<[string, object]>([
    ['symmetric', { kty: 'oct', kid: 'k1', k: 'AAAA', alg: 'HS256' }],
    ['for encryption', { ...first.jwk, use: 'enc' }],
    ['for signing alone', { ...first.jwk, key_ops: ['sign'] }],
    ['private', { ...first.jwk, d: 'AAAA' }],
    ['of another algorithm than its kind', { ...first.jwk, alg: 'HS256' }],
    ['weak', weak],
    ['no key', { kid: 'k1' }],
    ['nameless in a strange way', { ...first.jwk, kid: 7 }],
  ])('passes over a key that is %s', async (_, jwk) => {
    const { ok, time } = issuer(JSON.stringify({ keys: [jwk, second.jwk] }))
    await time.run(0)
    expect(await ok(first.token(claims))).toBe(false)
    expect(await ok(second.token(claims))).toBe(true)
  })
})
