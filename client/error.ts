import { type CodeName, codes } from '../schemas/codes.ts'

/** Codes that only the client itself gives, beside the server's table. */
const localCodes = {
  closed: { retry: 'never', text: 'The client was closed before this was settled.' },
  outbox_full: { retry: 'never', text: 'Too many commands wait in the outbox.' },
  timeout: { retry: 'same', text: 'No answer in time.' },
  bad_call: { retry: 'never', text: 'The call lacks something or contradicts itself.' },
} as const

export type ErrorCode = CodeName | keyof typeof localCodes
export type RetryAdvice = 'never' | 'same' | 'anew' | 'login' | 'reconnect'

/** Why a call failed. `retry` says what a caller may do: 'never' means the answer is final. */
export class LongwireError extends Error {
  /** From the table of codes; a string, since a newer server may know more of them. */
  readonly code: ErrorCode | (string & {})
  readonly retry: RetryAdvice
  readonly retryAfterMs: number | null
  constructor(code: ErrorCode | (string & {}), message?: string, retryAfterMs: number | null = null) {
    super(message || textOf(code))
    this.name = 'LongwireError'
    this.code = code
    this.retry = retryOf(code)
    this.retryAfterMs = retryAfterMs
  }
}

const table: Readonly<Record<string, { retry: RetryAdvice; text: string }>> = { ...localCodes, ...codes }
/** A code this client does not know is final: guessing at a retry could double an effect. */
export const retryOf = (code: string): RetryAdvice =>
  Object.hasOwn(table, code) ? (table[code]?.retry ?? 'never') : 'never'
const textOf = (code: string): string =>
  Object.hasOwn(table, code) ? (table[code]?.text ?? code) : `Refused: ${code}.`
