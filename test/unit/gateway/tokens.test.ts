import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { mintToken } from '../../../gateway/tokens/mint.ts'
import { verifier } from '../../../gateway/tokens/verifier.ts'

const secret = Buffer.from('0123456789abcdef0123456789abcdef')
const now = 1_800_000_000_000
const clock = { now: () => now }
const nowSec = now / 1000

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
function forge(header: object, claims: object, key: Buffer = secret): string {
  const input = `${part(header)}.${part(claims)}`
  return `${input}.${createHmac('sha256', key).update(input).digest('base64url')}`
}
const hs256 = { alg: 'HS256', typ: 'JWT' }
const good = { sub: 'alice', iss: 'longwire', aud: 'longwire', exp: nowSec + 60 }

describe('tokens', () => {
  it('a minted token names its user until it expires, 30 s of clock difference allowed', async () => {
    const token = await mintToken(secret, 'alice', 60, { nowMs: now })
    expect(await verifier(secret, clock).verify(token)).toEqual({
      ok: true,
      userId: 'alice',
      rights: [],
      expiresAt: now + 90_000,
    })
    const late = verifier(secret, { now: () => now + 89_000 })
    expect(await late.verify(token)).toMatchObject({ ok: true })
  })

  it('a right stands in the token; one that nobody knows gives nothing', async () => {
    const token = await mintToken(secret, 'carol', 60, { rights: ['observe'], nowMs: now })
    expect(await verifier(secret, clock).verify(token)).toMatchObject({ ok: true, rights: ['observe'] })
    const other = forge(hs256, { ...good, rights: ['everything', 'observe', 'observe', 7] })
    expect(await verifier(secret, clock).verify(other)).toMatchObject({ ok: true, rights: ['observe'] })
  })

  it('a remembered token still expires', async () => {
    let at = now
    const tokens = verifier(secret, { now: () => at })
    const token = await mintToken(secret, 'alice', 60, { nowMs: now })
    await tokens.verify(token)
    at = now + 90_001
    expect(await tokens.verify(token)).toEqual({ ok: false, code: 'token_expired' })
  })

  const refused: [string, string, string][] = [
    ['alg none', `${part({ alg: 'none' })}.${part(good)}.`, 'token_invalid'],
    ['another algorithm of the family', forge({ alg: 'HS512' }, good), 'token_invalid'],
    ['another key', forge(hs256, good, Buffer.alloc(32, 7)), 'token_invalid'],
    ['wrong audience', forge(hs256, { ...good, aud: 'other' }), 'token_invalid'],
    ['wrong issuer', forge(hs256, { ...good, iss: 'other' }), 'token_invalid'],
    ['no exp', forge(hs256, { ...good, exp: undefined }), 'token_invalid'],
    ['no sub', forge(hs256, { ...good, sub: undefined }), 'token_invalid'],
    ['a sub that no user can have', forge(hs256, { ...good, sub: '../x' }), 'token_invalid'],
    ['not valid yet', forge(hs256, { ...good, nbf: nowSec + 3600 }), 'token_invalid'],
    ['expired', forge(hs256, { ...good, exp: nowSec - 31 }), 'token_expired'],
    ['over 4 KiB', forge(hs256, { ...good, pad: 'x'.repeat(5000) }), 'token_invalid'],
    [
      'an embedded key',
      forge({ ...hs256, jwk: { kty: 'oct', k: 'AAAA' } }, good, Buffer.from('AAAA')),
      'token_invalid',
    ],
    ['rights that are no list', forge(hs256, { ...good, rights: 'observe' }), 'token_invalid'],
    ['no token at all', '', 'token_invalid'],
  ]
  it.each(refused)('%s is refused', async (_, token, code) => {
    expect(await verifier(secret, clock).verify(token)).toEqual({ ok: false, code })
  })

  it('a short secret is refused at start', () => {
    expect(() => verifier(Buffer.from('short'), clock)).toThrow(RangeError)
  })
})
