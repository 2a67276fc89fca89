/** Verification of tokens. */
import { errors, jwtVerify } from 'jose'
import { isId } from '../../schemas/ids.ts'
import { limits } from '../../schemas/limits.ts'
import type { Clock } from '../../schemas/ports.ts'
import { ALGORITHM, AUDIENCE, ISSUER, secretKey } from './mint.ts'
import { type TokenVerifier, tokenRights, type Verdict } from './verdict.ts'

const TOLERANCE_SEC = 30
/** A login storm brings the same tokens back within seconds; more than this many are not worth their memory. */
const CACHE_ENTRIES_MAX = 20_000

const refused: Verdict = { ok: false, code: 'token_invalid' }

/** The algorithm comes from the key, never from the token (RFC 8725, 3.1); exp and sub are required. */
export function verifier(secret: Uint8Array, clock: Pick<Clock, 'now'>): TokenVerifier {
  const key = secretKey(secret)
  const cache = new Map<string, Extract<Verdict, { ok: true }>>()

  async function check(token: string): Promise<Verdict> {
    try {
      const { payload } = await jwtVerify(token, key, {
        algorithms: [ALGORITHM],
        issuer: ISSUER,
        audience: AUDIENCE,
        requiredClaims: ['exp', 'sub'],
        clockTolerance: TOLERANCE_SEC,
        currentDate: new Date(clock.now()),
      })
      const { sub, exp, rights = [] } = payload
      if (!isId(sub) || exp === undefined || !Array.isArray(rights)) return refused
      // A right that this build does not know gives nothing.
      const known = tokenRights.filter((right) => rights.includes(right))
      return { ok: true, userId: sub, rights: known, expiresAt: (exp + TOLERANCE_SEC) * 1000 }
    } catch (error) {
      return { ok: false, code: error instanceof errors.JWTExpired ? 'token_expired' : 'token_invalid' }
    }
  }

  return {
    async verify(token) {
      if (token.length > limits.tokenBytesMax) return refused
      const known = cache.get(token)
      if (known) return clock.now() < known.expiresAt ? known : { ok: false, code: 'token_expired' }
      const verdict = await check(token)
      if (verdict.ok) {
        // Insertion order is age: the oldest goes first.
        if (cache.size >= CACHE_ENTRIES_MAX) {
          const oldest = cache.keys().next()
          if (!oldest.done) cache.delete(oldest.value)
        }
        cache.set(token, verdict)
      }
      return verdict
    },
  }
}
