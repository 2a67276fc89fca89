/**
 * Of how many messages one is to be written to the delivery ledger, by how many rows a second all of them would be. It rises at once
 * and falls slowly. What a message is one of never depends on its packId, by which it is chosen: rows that are counted as often
 * as that are right on average, whatever the rate did meanwhile. Pure; time is passed in.
 */
import { limits } from '../schemas/limits.ts'
import { createRecentCount } from './recent-count.ts'

export type LedgerSetting =
  /** 0: none. */
  { readonly oneOf: number } | { readonly rowsPerSecMax: number }

/** Told of rows that a message would be, were it written; answers of how many messages one is. Of no rows it only answers. */
export type Sampling = (rows: number, now: number) => number

export const SAMPLING_WINDOW_MS = 1_000
/** As long a rate stays after it was needed last. */
export const SAMPLING_HOLD_MS = 10_000

export function createSampling(setting: LedgerSetting): Sampling {
  if ('oneOf' in setting) return () => setting.oneOf
  const { rowsPerSecMax } = setting
  const recent = createRecentCount(SAMPLING_WINDOW_MS)
  let oneOf = 1
  let fallsAt = 0

  return (rows, now) => {
    const needed = oneOfFor((recent(rows, now) * 1_000) / SAMPLING_WINDOW_MS, rowsPerSecMax)
    if (needed >= oneOf) {
      oneOf = needed
      fallsAt = now + SAMPLING_HOLD_MS
    }
    // By one step a window.
    while (oneOf > needed && now >= fallsAt) {
      oneOf /= 2
      fallsAt += SAMPLING_WINDOW_MS
    }
    return oneOf
  }
}

/** The least power of two that brings so many rows below the most there may be. */
export function oneOfFor(rowsPerSec: number, rowsPerSecMax: number): number {
  let oneOf = 1
  while (oneOf < limits.ledgerOneOfMax && rowsPerSec > oneOf * rowsPerSecMax) oneOf *= 2
  return oneOf
}
