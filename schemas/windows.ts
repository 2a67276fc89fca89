import { limits } from './limits.ts'

/**
 * For how long an author may recall and edit, in ms. Configuration: another value decides otherwise from then on and changes
 * nothing before, since what was decided stands in im.events and a replay decides nothing anew.
 */
export interface Windows {
  readonly recallMs: number
  readonly editMs: number
}

/** Where nobody has set them. */
export const defaultWindows: Windows = { recallMs: limits.recallWindowMs, editMs: limits.editWindowMs }
