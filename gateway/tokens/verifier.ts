/** Verification of tokens: signature first, then every claim that is pinned. */
import { createHash } from 'node:crypto'
import { errors, type JWTPayload, jwtVerify } from 'jose'
import type { CodeName } from '../../schemas/codes.ts'
import { isId } from '../../schemas/ids.ts'
import { limits } from '../../schemas/limits.ts'
import type { Clock } from '../../schemas/ports.ts'
import { headerOf } from './header.ts'
import { type KeySource, secretSource } from './key-source.ts'
import { AUDIENCE, ISSUER } from './mint.ts'
import { type TokenRefusal, type TokenVerifier, tokenRights, type Verdict } from './verdict.ts'

const TOLERANCE_SEC = 30
/** A login storm brings the same tokens back within seconds; more than this many are not worth their memory. */
const CACHE_ENTRIES_MAX = 20_000
/** The last second that a Date can hold. */
const EXPIRY_SEC_MAX = 8_640_000_000_000

export interface VerifierOptions {
  readonly keys: KeySource
  readonly issuer: string
  readonly audience: string
  readonly clock: Pick<Clock, 'now'>
  /** Tokens of this user that were issued before are worth nothing; in ms, 0 = all count. */
  readonly revokedBefore?: (userId: string) => number
  readonly onRefused?: (reason: TokenRefusal) => void
}

type Passed = Extract<Verdict, { ok: true }>

const codesOf: Partial<Record<TokenRefusal, CodeName>> = {
  expired: 'token_expired',
  revoked: 'token_revoked',
  keys_unavailable: 'unavailable',
}

/** The development secret's. Throws where it is too short. */
export const verifier = (secret: Uint8Array, clock: Pick<Clock, 'now'>): TokenVerifier =>
  createVerifier({ keys: secretSource(secret), issuer: ISSUER, audience: AUDIENCE, clock })

export function createVerifier(options: VerifierOptions): TokenVerifier {
  const { keys, issuer, audience, clock, revokedBefore = () => 0, onRefused } = options
  const cache = new Map<string, Passed>()
  let cacheVersion = keys.version()

  function refused(reason: TokenRefusal): Verdict {
    onRefused?.(reason)
    return { ok: false, code: codesOf[reason] ?? 'token_invalid' }
  }

  async function check(token: string): Promise<Passed | TokenRefusal> {
    const header = headerOf(token)
    if (typeof header === 'string') return header
    const found = await keys.find(header.kid)
    if (found === 'unavailable') return 'keys_unavailable'
    if (found === 'unknown') return 'unknown_key'
    const { key, algorithms } = found
    if (!algorithms.includes(header.algorithm)) return 'algorithm'
    try {
      const { payload } = await jwtVerify(token, key, {
        algorithms: [...algorithms],
        issuer,
        audience,
        requiredClaims: ['exp', 'sub'],
        clockTolerance: TOLERANCE_SEC,
        currentDate: new Date(clock.now()),
      })
      return passed(payload, clock.now())
    } catch (error) {
      return reasonOf(error)
    }
  }

  function remember(name: string, verdict: Passed): void {
    // Insertion order is age: the oldest goes first.
    if (cache.size >= CACHE_ENTRIES_MAX) {
      const oldest = cache.keys().next()
      if (!oldest.done) cache.delete(oldest.value)
    }
    cache.set(name, verdict)
  }

  return {
    async verify(token) {
      if (token.length > limits.tokenBytesMax) return refused('too_long')
      // Not the token itself: nothing that opens a door lies about in memory.
      const name = createHash('sha256').update(token).digest('base64')
      if (cacheVersion !== keys.version()) cache.clear()
      cacheVersion = keys.version()
      const version = cacheVersion
      const known = cache.get(name)
      const verdict = known ?? (await check(token))
      if (typeof verdict === 'string') return refused(verdict)
      if (clock.now() >= verdict.expiresAt) return refused('expired')
      if (!known && version === keys.version()) remember(name, verdict)
      return verdict.issuedAt < revokedBefore(verdict.userId) ? refused('revoked') : verdict
    },
  }
}

function passed(payload: JWTPayload, now: number): Passed | TokenRefusal {
  const { sub, exp, iat, rights = [] } = payload
  if (!isId(sub) || exp === undefined || exp > EXPIRY_SEC_MAX || !Array.isArray(rights)) return 'claims'
  if (iat !== undefined && typeof iat !== 'number') return 'claims'
  const issuedAt = iat === undefined ? 0 : iat * 1000
  // From the future it would outlive every revocation until then.
  if (issuedAt > now + TOLERANCE_SEC * 1000) return 'not_yet'
  // A right that this build does not know gives nothing.
  const known = tokenRights.filter((right) => rights.includes(right))
  return { ok: true, userId: sub, rights: known, issuedAt, expiresAt: (exp + TOLERANCE_SEC) * 1000 }
}

function reasonOf(error: unknown): TokenRefusal {
  if (error instanceof errors.JWTExpired) return 'expired'
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'signature'
  if (!(error instanceof errors.JWTClaimValidationFailed)) return 'malformed'
  switch (error.claim) {
    case 'iss':
      return 'issuer'
    case 'aud':
      return 'audience'
    case 'nbf':
      return 'not_yet'
    default:
      return 'claims'
  }
}
