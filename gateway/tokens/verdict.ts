/** What a token says, once it was verified. */
import type { CodeName } from '../../schemas/codes.ts'

/** What a token can allow beyond what every user may. */
export const tokenRights = ['observe', 'audit'] as const
export type Right = (typeof tokenRights)[number]

/** Why a token was refused: for the operator's counters. A client hears the code alone. */
export type TokenRefusal =
  | 'too_long'
  | 'malformed'
  | 'header'
  | 'algorithm'
  | 'unknown_key'
  | 'keys_unavailable'
  | 'signature'
  | 'issuer'
  | 'audience'
  | 'expired'
  | 'not_yet'
  | 'claims'
  | 'revoked'

export type Verdict =
  | {
      readonly ok: true
      readonly userId: string
      readonly rights: readonly Right[]
      /** In ms; 0 where the token does not say: any revocation of its user ends it. */
      readonly issuedAt: number
      /** Past tolerance, in ms. */
      readonly expiresAt: number
    }
  | { readonly ok: false; readonly code: CodeName }

/** `verify` never throws; what is wrong with a refused token is not told beyond the code. */
export interface TokenVerifier {
  verify(token: string): Promise<Verdict>
}
