/** What a token says, once it was verified. */
import type { CodeName } from '../../schemas/codes.ts'

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
  | { readonly ok: false; readonly code: CodeName }

/** `verify` never throws; what is wrong with a refused token is not told beyond the code. */
export interface TokenVerifier {
  verify(token: string): Promise<Verdict>
}
