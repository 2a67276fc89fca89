/** Ids for people whose nicks hold brackets, braces and carets. Pure. */
import { createHash } from 'node:crypto'
import { limits } from '../../schemas/limits.ts'

/**
 * The id of the `holder`-th person (from 1) that goes by this nick: what an id may not hold, and the dot, becomes a dot and two
 * hex digits per byte. So different nicks never share an id; an id that gets too long ends in a hash instead.
 */
export function userIdOf(nick: string, holder = 1): string {
  const escaped = nick.replace(/[^A-Za-z0-9_-]/gu, (char) =>
    [...Buffer.from(char, 'utf8')].map((byte) => `.${byte.toString(16).padStart(2, '0')}`).join(''),
  )
  const id = holder === 1 ? escaped : `${escaped}..${holder}`
  if (id.length <= limits.idCharsMax) return id
  // `.h` is no escape, so this form meets no other.
  const hash = createHash('sha256').update(id).digest('hex').slice(0, 24)
  return `${id.slice(0, limits.idCharsMax - hash.length - 2)}.h${hash}`
}
