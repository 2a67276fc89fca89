import type { CodeName } from '../schemas/codes.ts'

export interface Refusal {
  readonly code: CodeName
  /** What exactly is wrong, where the code's own text says too little. */
  readonly detail?: string
}

export const refuse = (code: CodeName, detail?: string): Refusal => ({ code, detail })
