/** Which users' earlier tokens are worth nothing, folded from im.revocations. Pure. */
import { open } from '../../schemas/avro.ts'
import { history } from '../../schemas/codec.ts'
import { records } from '../../schemas/records.ts'

export interface Revoked {
  readonly userId: string
  /** Tokens that were issued before are refused, in ms. */
  readonly notBefore: number
}

export interface Revocations {
  /** Null where it changes nothing: an earlier or a repeated one. Throws on a record that cannot be read. */
  apply(value: Buffer): Revoked | null
  /** 0: all tokens of this user count. */
  before(userId: string): number
  size(): number
}

/** The greatest per user counts, in whatever order they come: an operator's clock that steps back takes nothing back. */
export function createRevocations(): Revocations {
  const byUser = new Map<string, number>()
  return {
    apply(value) {
      const { user: userId, notBefore } = open(records.Revocation, value, history)
      if (notBefore <= (byUser.get(userId) ?? 0)) return null
      byUser.set(userId, notBefore)
      return { userId, notBefore }
    },
    before: (userId) => byUser.get(userId) ?? 0,
    size: () => byUser.size,
  }
}
