import { describe, expect, it } from 'vitest'
import { jwksSource, secretSource } from '../../../../gateway/tokens/key-source.ts'
import { mintToken } from '../../../../gateway/tokens/mint.ts'
import type { TokenRefusal } from '../../../../gateway/tokens/verdict.ts'
import { createVerifier, verifier } from '../../../../gateway/tokens/verifier.ts'
import { silentLog } from '../../../../infra/log.ts'
import { claimsOf, hmacToken, type IssuerKey, issuerKey, jwksOf, part } from '../../../support/tokens.ts'
import { virtualTime } from '../../../support/virtual-time.ts'

const secret = Buffer.from('0123456789abcdef0123456789abcdef')
const now = 1_800_000_000_000
const clock = { now: () => now }
const nowSec = now / 1000
const hs256 = { alg: 'HS256', typ: 'JWT' }
const good = claimsOf('alice', nowSec)
const forge = (header: object, claims: object | string, key = secret) => hmacToken(header, claims, key)

describe('development tokens', () => {
  it('name their user until they expire, 30 s of clock difference allowed', async () => {
    const token = await mintToken(secret, 'alice', 60, { nowMs: now })
    expect(await verifier(secret, clock).verify(token)).toEqual({
      ok: true,
      userId: 'alice',
      rights: [],
      issuedAt: now,
      expiresAt: now + 90_000,
    })
    const late = verifier(secret, { now: () => now + 89_000 })
    expect(await late.verify(token)).toMatchObject({ ok: true })
  })

  it('hold rights; one that nobody knows gives nothing', async () => {
    const token = await mintToken(secret, 'carol', 60, { rights: ['observe'], nowMs: now })
    expect(await verifier(secret, clock).verify(token)).toMatchObject({ ok: true, rights: ['observe'] })
    const other = forge(hs256, { ...good, rights: ['everything', 'observe', 'observe', 7] })
    expect(await verifier(secret, clock).verify(other)).toMatchObject({ ok: true, rights: ['observe'] })
  })

  it('still expire when they are remembered', async () => {
    let at = now
    const tokens = verifier(secret, { now: () => at })
    const token = await mintToken(secret, 'alice', 60, { nowMs: now })
    await tokens.verify(token)
    at = now + 90_001
    expect(await tokens.verify(token)).toEqual({ ok: false, code: 'token_expired' })
  })

  it('a short secret is refused at start', () => {
    expect(() => verifier(Buffer.from('short'), clock)).toThrow(RangeError)
  })
})

const rsa = issuerKey('rsa-1', 'RS256')
const ec = issuerKey('ec-1', 'ES256')
const ed = issuerKey('ed-1', 'EdDSA')
const stranger = issuerKey('rsa-1', 'RS256')

/** A verifier by JWKS, with why it refused. */
async function byJwks(...keys: readonly IssuerKey[]) {
  const time = virtualTime(now)
  const reasons: TokenRefusal[] = []
  const source = jwksSource({
    load: async () => jwksOf(...keys),
    clock: time,
    random: () => 0.5,
    log: silentLog,
  })
  const tokens = createVerifier({
    keys: source,
    issuer: 'longwire',
    audience: 'longwire',
    clock: time,
    onRefused: (reason) => void reasons.push(reason),
  })
  await time.run(0)
  return { tokens, reasons, source, time }
}

describe('tokens of an issuer', () => {
  it.each([rsa, ec, ed])('signed by $kind name their user', async (key) => {
    const { tokens } = await byJwks(rsa, ec, ed)
    const token = key.token({ ...good, rights: ['observe'] })
    expect(await tokens.verify(token)).toMatchObject({ ok: true, userId: 'alice', rights: ['observe'] })
  })

  it('need not name the only key there is', async () => {
    const { tokens } = await byJwks(ec)
    expect(await tokens.verify(ec.token(good, { kid: undefined }))).toMatchObject({ ok: true })
    const two = await byJwks(ec, ed)
    expect(await two.tokens.verify(ec.token(good, { kid: undefined }))).toMatchObject({ ok: false })
    expect(two.reasons).toEqual(['unknown_key'])
  })

  it.each(['jwk', 'jku', 'x5u', 'x5c'])('are not believed about a key of their own: %s', async (name) => {
    const { tokens, reasons } = await byJwks(rsa)
    const header = { [name]: name === 'jwk' ? stranger.jwk : 'http://127.0.0.1:1/keys' }
    expect(await tokens.verify(rsa.token(good, header))).toMatchObject({ ok: true })
    expect(await tokens.verify(stranger.token(good, header))).toMatchObject({ ok: false })
    expect(reasons).toEqual(['signature'])
  })

  it('without iat count as issued at the beginning of time', async () => {
    const { tokens } = await byJwks(rsa)
    const token = rsa.token({ ...good, iat: undefined })
    expect(await tokens.verify(token)).toMatchObject({ ok: true, issuedAt: 0 })
  })

  const publicPem = rsa.publicKey.export({ type: 'spki', format: 'pem' })
  const zeroed = (token: string): string =>
    `${token.split('.').slice(0, 2).join('.')}.${Buffer.alloc(64).toString('base64url')}`
  const twice = '{"sub":"alice","sub":"bob","iss":"longwire","aud":"longwire","exp":9999999999}'

  const refused: [string, string, TokenRefusal][] = [
    ['alg none', `${part({ alg: 'none', kid: 'rsa-1' })}.${part(good)}.`, 'algorithm'],
    ['alg none, without a kid', `${part({ alg: 'none' })}.${part(good)}.`, 'unknown_key'],
    ['HS256 by the RSA public key', hmacToken({ ...hs256, kid: 'rsa-1' }, good, publicPem), 'algorithm'],
    [
      'HS256 by the EC public key',
      hmacToken({ ...hs256, kid: 'ec-1' }, good, JSON.stringify(ec.jwk)),
      'algorithm',
    ],
    ['the algorithm of another key', rsa.token(good, { kid: 'ec-1' }), 'algorithm'],
    ['another algorithm of the family', rsa.token(good, { alg: 'RS512' }), 'algorithm'],
    ['ES256 with a signature of zeros', zeroed(ec.token(good)), 'signature'],
    ['an empty signature', `${ec.token(good).split('.').slice(0, 2).join('.')}.`, 'signature'],
    ['another key of that name', stranger.token(good), 'signature'],
    ['a changed claim', rsa.token(good).replace(part(good), part({ ...good, sub: 'bob' })), 'signature'],
    ['wrong audience', rsa.token({ ...good, aud: 'other' }), 'audience'],
    ['no audience', rsa.token({ ...good, aud: undefined }), 'audience'],
    ['wrong issuer', rsa.token({ ...good, iss: 'other' }), 'issuer'],
    ['expired', rsa.token({ ...good, exp: nowSec - 31 }), 'expired'],
    ['not valid yet', rsa.token({ ...good, nbf: nowSec + 3600 }), 'not_yet'],
    ['issued in the future', rsa.token({ ...good, iat: nowSec + 3600 }), 'not_yet'],
    ['no exp', rsa.token({ ...good, exp: undefined }), 'claims'],
    ['an exp that is no number', rsa.token({ ...good, exp: '9999999999' }), 'claims'],
    ['an exp beyond time', rsa.token({ ...good, exp: 1e300 }), 'claims'],
    ['an iat that is no number', rsa.token({ ...good, iat: 'now' }), 'claims'],
    ['no sub', rsa.token({ ...good, sub: undefined }), 'claims'],
    ['a sub that no user can have', rsa.token({ ...good, sub: '../x' }), 'claims'],
    ['rights that are no list', rsa.token({ ...good, rights: 'observe' }), 'claims'],
    ['crit', rsa.token(good, { crit: ['exp'] }), 'header'],
    ['an unencoded payload', rsa.token(good, { b64: false }), 'header'],
    ['another type', rsa.token(good, { typ: 'logout+jwt' }), 'header'],
    ['kid as a path', rsa.token(good, { kid: '../../etc/passwd' }), 'unknown_key'],
    ['kid as SQL', rsa.token(good, { kid: "' OR 1=1" }), 'unknown_key'],
    ['kid as a name of every object', rsa.token(good, { kid: '__proto__' }), 'unknown_key'],
    ['kid of 300 characters', rsa.token(good, { kid: 'k'.repeat(300) }), 'header'],
    ['kid of 10 KB', rsa.token(good, { kid: 'k'.repeat(10_000) }), 'too_long'],
    ['kid that is no text', rsa.token(good, { kid: { $ne: '' } }), 'header'],
    ['64 KB', rsa.token({ ...good, pad: 'x'.repeat(65_536) }), 'too_long'],
    ['no token at all', '', 'malformed'],
    ['four parts', `${rsa.token(good)}.x`, 'malformed'],
    ['claims that are a list', `${part({ alg: 'RS256', kid: 'rsa-1' })}.${part([1])}.AA`, 'malformed'],
    [
      'deep claims',
      rsa.token({ ...good, x: JSON.parse(`${'['.repeat(100)}${']'.repeat(100)}`) }),
      'malformed',
    ],
  ]
  it.each(refused)('%s: refused, and counted by reason', async (_, token, reason) => {
    const { tokens, reasons } = await byJwks(rsa, ec, ed)
    const code = reason === 'expired' ? 'token_expired' : 'token_invalid'
    expect(await tokens.verify(token)).toEqual({ ok: false, code })
    expect(reasons).toEqual([reason])
  })

  it('claims named twice are refused, though the signature is right', async () => {
    const reasons: TokenRefusal[] = []
    const tokens = createVerifier({
      keys: secretSource(secret),
      issuer: 'longwire',
      audience: 'longwire',
      clock,
      onRefused: (reason) => void reasons.push(reason),
    })
    expect(await tokens.verify(forge(hs256, twice.replace(',"sub":"bob"', '')))).toMatchObject({ ok: true })
    expect(await tokens.verify(forge(hs256, twice))).toEqual({ ok: false, code: 'token_invalid' })
    expect(reasons).toEqual(['malformed'])
  })
})

describe('a revocation', () => {
  it('refuses what was issued before, and beats what is remembered', async () => {
    let notBefore = 0
    const reasons: TokenRefusal[] = []
    const { source, time } = await byJwks(rsa)
    const tokens = createVerifier({
      keys: source,
      issuer: 'longwire',
      audience: 'longwire',
      clock: time,
      revokedBefore: (user) => (user === 'alice' ? notBefore : 0),
      onRefused: (reason) => void reasons.push(reason),
    })
    const old = rsa.token(good)
    const timeless = rsa.token({ ...good, iat: undefined })
    const others = rsa.token({ ...good, sub: 'bob' })
    for (const token of [old, timeless, others])
      expect(await tokens.verify(token)).toMatchObject({ ok: true })
    notBefore = now + 1
    for (const token of [old, timeless])
      expect(await tokens.verify(token)).toEqual({ ok: false, code: 'token_revoked' })
    expect(await tokens.verify(others)).toMatchObject({ ok: true })
    const fresh = rsa.token({ ...good, iat: nowSec + 1 })
    expect(await tokens.verify(fresh)).toMatchObject({ ok: true, userId: 'alice' })
    expect(reasons).toEqual(['revoked', 'revoked'])
  })
})
