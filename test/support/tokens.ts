/** Tokens as an issuer makes them, and as those who mean harm do: every part is written out by hand. */
import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

export const claimsOf = (userId: string, nowSec: number) => ({
  sub: userId,
  iss: 'longwire',
  aud: 'longwire',
  iat: nowSec,
  exp: nowSec + 3600,
})

export const partText = (text: string): string => Buffer.from(text).toString('base64url')
export const part = (value: object): string => partText(JSON.stringify(value))

/** `claims` as text: written as it stands. */
export function hmacToken(header: object, claims: object | string, key: Buffer | string): string {
  const input = `${part(header)}.${typeof claims === 'string' ? partText(claims) : part(claims)}`
  return `${input}.${createHmac('sha256', key).update(input).digest('base64url')}`
}

export type KeyKind = 'RS256' | 'ES256' | 'EdDSA'

export interface IssuerKey {
  readonly kid: string
  readonly kind: KeyKind
  readonly publicKey: KeyObject
  /** As it stands in a JWKS. */
  readonly jwk: object
  token(claims: object, header?: object): string
}

export function issuerKey(kid: string, kind: KeyKind): IssuerKey {
  const { publicKey, privateKey } = pairOf(kind)
  return {
    kid,
    kind,
    publicKey,
    jwk: { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: kind },
    token(claims, header = {}) {
      const input = `${part({ alg: kind, typ: 'JWT', kid, ...header })}.${part(claims)}`
      const signature = sign(kind === 'EdDSA' ? null : 'sha256', Buffer.from(input), {
        key: privateKey,
        dsaEncoding: 'ieee-p1363',
      })
      return `${input}.${signature.toString('base64url')}`
    },
  }
}

function pairOf(kind: KeyKind): { publicKey: KeyObject; privateKey: KeyObject } {
  if (kind === 'RS256') return generateKeyPairSync('rsa', { modulusLength: 2048 })
  if (kind === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return generateKeyPairSync('ed25519')
}

export const jwksOf = (...keys: readonly IssuerKey[]): string =>
  JSON.stringify({ keys: keys.map(({ jwk }) => jwk) })
