/** Development tokens (JWT, HS256). */
import { createSecretKey, type KeyObject } from 'node:crypto'
import { SignJWT } from 'jose'
import { isId } from '../../schemas/ids.ts'
import type { Right } from './verdict.ts'

export const ISSUER = 'longwire'
export const AUDIENCE = 'longwire'
const SECRET_BYTES_MIN = 32

export function secretKey(secret: Uint8Array): KeyObject {
  if (secret.byteLength < SECRET_BYTES_MIN)
    throw new RangeError(`the token secret must have at least ${SECRET_BYTES_MIN} bytes`)
  return createSecretKey(secret)
}

export interface MintOptions {
  readonly rights?: readonly Right[]
  /** When it is issued. Default: now. */
  readonly nowMs?: number
  readonly issuer?: string
  readonly audience?: string
}

/** A token for one user. Throws on an id that no user can have. */
export async function mintToken(
  secret: Uint8Array,
  userId: string,
  ttlSec: number,
  { rights = [], nowMs = Date.now(), issuer = ISSUER, audience = AUDIENCE }: MintOptions = {},
): Promise<string> {
  if (!isId(userId)) throw new RangeError('a user id is 1 to 64 of A-Z a-z 0-9 _ . -')
  const now = Math.floor(nowMs / 1000)
  return new SignJWT(rights.length === 0 ? {} : { rights: [...rights] })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(userId)
    .setIssuer(issuer)
    .setAudience(audience)
    .setIssuedAt(now)
    .setExpirationTime(now + ttlSec)
    .sign(secretKey(secret))
}
