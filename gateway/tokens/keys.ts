/** The keys of a JWKS that tokens may be signed with. The algorithm is the key's, never the token's (RFC 8725, 3.1). Pure. */
import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { limits } from '../../schemas/limits.ts'
import { parseContent } from '../frames/frame-codec.ts'

export interface VerifyKey {
  readonly key: KeyObject
  /** What a token signed with it may name. */
  readonly algorithms: readonly string[]
}

export interface KeySet {
  readonly byKid: ReadonlyMap<string, VerifyKey>
  /** The only key there is: tokens need not name it. */
  readonly only: VerifyKey | null
  /** Keys that were passed over: of other kinds, for other uses, too weak, or not well formed. */
  readonly unusable: number
}

const RSA_BITS_MIN = 2_048
const RSA_BITS_MAX = 8_192

/** Null: this is no JWKS. One without a usable key is one all the same: the issuer wants nobody in. */
export function keySetOf(text: string): KeySet | null {
  const set = parseContent(text)?.value as { keys?: unknown } | null | undefined
  const listed = typeof set === 'object' ? set?.keys : undefined
  if (!Array.isArray(listed) || listed.length > limits.jwksKeysMax) return null
  const byKid = new Map<string, VerifyKey>()
  const usable: VerifyKey[] = []
  for (const jwk of listed as unknown[]) {
    const key = keyOf(jwk)
    const { kid } = (jwk ?? {}) as { kid?: unknown }
    const named = typeof kid === 'string' && kid !== '' && kid.length <= limits.kidCharsMax
    // Of two keys under one name nobody knows which is meant: the first stays.
    if (!key || (kid !== undefined && !named) || (named && byKid.has(kid))) continue
    if (named) byKid.set(kid, key)
    usable.push(key)
  }
  const [only = null] = usable
  return { byKid, only: usable.length === 1 ? only : null, unusable: listed.length - usable.length }
}

function keyOf(jwk: unknown): VerifyKey | null {
  if (typeof jwk !== 'object' || jwk === null) return null
  const { kty, use, key_ops: operations, alg, d } = jwk as Record<string, unknown>
  if (use !== undefined && use !== 'sig') return null
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) return null
  // A private key has no business in a published set, and a symmetric one would sign as well as verify.
  if (d !== undefined || (kty !== 'RSA' && kty !== 'EC' && kty !== 'OKP')) return null
  let key: KeyObject
  try {
    key = createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' })
  } catch {
    return null
  }
  const algorithms = algorithmsOf(key)
  return algorithms && (alg === undefined || algorithms.includes(alg as string)) ? { key, algorithms } : null
}

function algorithmsOf({ asymmetricKeyType, asymmetricKeyDetails = {} }: KeyObject): readonly string[] | null {
  const { modulusLength = 0, namedCurve } = asymmetricKeyDetails
  switch (asymmetricKeyType) {
    case 'rsa':
      return modulusLength >= RSA_BITS_MIN && modulusLength <= RSA_BITS_MAX ? ['RS256'] : null
    case 'ec':
      return namedCurve === 'prime256v1' ? ['ES256'] : null
    case 'ed25519':
      return ['EdDSA', 'Ed25519']
    default:
      return null
  }
}
