/** Development tokens (JWT, HS256) and their verification. The only importer of jose. */
import { createSecretKey } from 'node:crypto'
import { errors, jwtVerify, SignJWT } from 'jose'
import { isId } from '../schemas/ids.ts'
import { limits } from '../schemas/limits.ts'
import type { Clock } from '../schemas/ports.ts'

const ISSUER = 'longwire'
const AUDIENCE = 'longwire'
const ALGORITHM = 'HS256'
const SECRET_BYTES_MIN = 32
const TOLERANCE_SEC = 30
/** A login storm brings the same tokens back within seconds; more than this many are not worth their memory. */
const CACHE_ENTRIES_MAX = 20_000

export type Verdict =
  | { readonly ok: true; readonly userId: string /** Past tolerance, in ms. */; readonly expiresAt: number }
  | { readonly ok: false; readonly code: 'token_invalid' | 'token_expired' }

/** `verify` never throws; what is wrong with a refused token is not told beyond the code. */
export interface TokenVerifier {
  verify(token: string): Promise<Verdict>
}

function keyOf(secret: Uint8Array) {
  if (secret.byteLength < SECRET_BYTES_MIN)
    throw new RangeError(`the token secret must have at least ${SECRET_BYTES_MIN} bytes`)
  return createSecretKey(secret)
}

/** A token for one user. `nowMs` is the time it is issued at. Throws on an id that no user can have. */
export async function mintToken(
  secret: Uint8Array,
  userId: string,
  ttlSec: number,
  nowMs: number = Date.now(),
): Promise<string> {
  if (!isId(userId)) throw new RangeError('a user id is 1 to 64 of A-Z a-z 0-9 _ . -')
  const now = Math.floor(nowMs / 1000)
  return new SignJWT({})
    .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT' })
    .setSubject(userId)
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setIssuedAt(now)
    .setExpirationTime(now + ttlSec)
    .sign(keyOf(secret))
}

/** The algorithm comes from the key, never from the token (RFC 8725, 3.1); exp and sub are required. */
export function verifier(secret: Uint8Array, clock: Pick<Clock, 'now'>): TokenVerifier {
  const key = keyOf(secret)
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
      if (!isId(payload.sub) || payload.exp === undefined) return { ok: false, code: 'token_invalid' }
      return { ok: true, userId: payload.sub, expiresAt: (payload.exp + TOLERANCE_SEC) * 1000 }
    } catch (error) {
      return { ok: false, code: error instanceof errors.JWTExpired ? 'token_expired' : 'token_invalid' }
    }
  }

  return {
    async verify(token) {
      if (token.length > limits.tokenBytesMax) return { ok: false, code: 'token_invalid' }
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
