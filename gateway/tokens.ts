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

/** What a token can allow beyond what every user may. */
export const tokenRights = ['observe'] as const
export type Right = (typeof tokenRights)[number]

export type Verdict =
  | {
      readonly ok: true
      readonly userId: string
      readonly rights: readonly Right[]
      /** Past tolerance, in ms. */
      readonly expiresAt: number
    }
  | { readonly ok: false; readonly code: 'token_invalid' | 'token_expired' }

/** `verify` never throws; what is wrong with a refused token is not told beyond the code. */
export interface TokenVerifier {
  verify(token: string): Promise<Verdict>
}

const refused: Verdict = { ok: false, code: 'token_invalid' }

function keyOf(secret: Uint8Array) {
  if (secret.byteLength < SECRET_BYTES_MIN)
    throw new RangeError(`the token secret must have at least ${SECRET_BYTES_MIN} bytes`)
  return createSecretKey(secret)
}

export interface MintOptions {
  readonly rights?: readonly Right[]
  /** When it is issued. Default: now. */
  readonly nowMs?: number
}

/** A token for one user. Throws on an id that no user can have. */
export async function mintToken(
  secret: Uint8Array,
  userId: string,
  ttlSec: number,
  { rights = [], nowMs = Date.now() }: MintOptions = {},
): Promise<string> {
  if (!isId(userId)) throw new RangeError('a user id is 1 to 64 of A-Z a-z 0-9 _ . -')
  const now = Math.floor(nowMs / 1000)
  return new SignJWT(rights.length === 0 ? {} : { rights: [...rights] })
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
