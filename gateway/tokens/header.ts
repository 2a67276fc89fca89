/** The protected header of a token, as far as it is believed: it names a key, and nothing else in it decides anything. Pure. */
import { limits } from '../../schemas/limits.ts'
import { parseContent } from '../frames/frame-codec.ts'

export interface TokenHeader {
  readonly algorithm: string
  readonly kid: string | null
}

const PART = /^[A-Za-z0-9_-]+$/
/** RFC 7519, 5.1 and RFC 9068, 2.1; the prefix may be left out. */
const TYPES = ['jwt', 'at+jwt', 'application/jwt', 'application/at+jwt']

/** The object in one part of a token; null where it is none, or names something twice: of two each reader believes another. */
export function partOf(part: string): Record<string, unknown> | null {
  if (!PART.test(part)) return null
  const parsed = parseContent(Buffer.from(part, 'base64url').toString('utf8'))
  const value = parsed?.value
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null
}

/** `jwk`, `jku`, `x5u` and `x5c`, by which a token would bring its own key, are not looked at; `crit` asks for what is not known here. */
export function headerOf(token: string): TokenHeader | 'malformed' | 'header' {
  const parts = token.split('.')
  if (parts.length !== 3) return 'malformed'
  const [head = '', body = ''] = parts
  const header = partOf(head)
  if (!header || !partOf(body)) return 'malformed'
  const { alg, kid, typ, crit, b64 } = header
  if (typeof alg !== 'string' || crit !== undefined || b64 !== undefined) return 'header'
  if (typ !== undefined && (typeof typ !== 'string' || !TYPES.includes(typ.toLowerCase()))) return 'header'
  if (kid === undefined) return { algorithm: alg, kid: null }
  if (typeof kid !== 'string' || kid === '' || kid.length > limits.kidCharsMax) return 'header'
  return { algorithm: alg, kid }
}
