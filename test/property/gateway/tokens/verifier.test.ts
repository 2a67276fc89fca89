import fc from 'fast-check'
import { expect, it } from 'vitest'
import { keySetOf } from '../../../../gateway/tokens/keys.ts'
import { createVerifier } from '../../../../gateway/tokens/verifier.ts'
import { claimsOf, issuerKey, jwksOf, part, partText } from '../../../support/tokens.ts'

const now = 1_800_000_000_000
const key = issuerKey('k1', 'ES256')
const set = keySetOf(jwksOf(key))
const tokens = createVerifier({
  keys: {
    find: (kid) => set?.byKid.get(kid ?? '') ?? 'unknown',
    version: () => 0,
    ageMs: () => 0,
    stop() {},
  },
  issuer: 'longwire',
  audience: 'longwire',
  clock: { now: () => now },
})
const token = key.token(claimsOf('alice', now / 1000))

it('a token that was changed on the way names nobody else, and nothing makes the verifier throw', async () => {
  expect(await tokens.verify(token)).toMatchObject({ ok: true, userId: 'alice' })
  const change = fc.record({
    at: fc.nat(token.length),
    cut: fc.nat(3),
    text: fc.oneof(fc.constantFrom('', '.', 'A', '-', '=', '%'), fc.string({ maxLength: 3 })),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
      let changed = token
      for (const { at, cut, text } of changes) changed = changed.slice(0, at) + text + changed.slice(at + cut)
      const verdict = await tokens.verify(changed)
      if (verdict.ok) expect(verdict.userId).toBe('alice')
    }),
    { numRuns: 2_000 },
  )
})

it('whatever stands in header and claims, without the signature nobody gets in', async () => {
  const json = fc.oneof(fc.json(), fc.constant('{"alg":"ES256","kid":"k1"}'), fc.string())
  await fc.assert(
    fc.asyncProperty(json, json, fc.string(), async (header, claims, signature) => {
      const made = `${partText(header)}.${partText(claims)}.${partText(signature)}`
      expect(await tokens.verify(made)).toEqual({ ok: false, code: 'token_invalid' })
      const ours = `${part({ alg: 'ES256', kid: 'k1' })}.${part(claimsOf('bob', now / 1000))}`
      expect((await tokens.verify(`${ours}.${partText(signature)}`)).ok).toBe(false)
    }),
    { numRuns: 1_000 },
  )
})

it('whatever an issuer publishes, it is a set of usable keys or none', () => {
  const jwk = fc.record(
    {
      kty: fc.constantFrom('RSA', 'EC', 'OKP', 'oct', 7),
      kid: fc.oneof(fc.string(), fc.integer()),
      n: fc.string(),
      e: fc.constantFrom('AQAB', '', 1),
      crv: fc.constantFrom('P-256', 'Ed25519', 'P-521', null),
      x: fc.string(),
      y: fc.string(),
      use: fc.constantFrom('sig', 'enc'),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.json(),
        fc.array(jwk).map((keys) => JSON.stringify({ keys })),
      ),
      (text) => {
        const found = keySetOf(text)
        for (const { algorithms } of found?.byKid.values() ?? []) expect(algorithms.length).toBeGreaterThan(0)
      },
    ),
  )
})
