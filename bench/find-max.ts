/** The highest rate that holds: up in steps until one fails, between the two by halves, then confirmed by a longer run. */
import type { Measurement } from './measure.ts'

const STEP_FACTOR = 1.4
const HALVINGS = 2
const STEP_SECONDS = 5
/** Short runs flatter: the long ones begin below the best of them. */
const FIRST_CONFIRMED = 0.88
const LOWER_BY = 0.93
const CONFIRMATIONS_MAX = 6
const PAUSE_MS = 1_500

const round = (perSec: number): number => Math.round(perSec / 50) * 50

/** Null: not even the first rate holds. `rest` waits between runs so that each begins with empty queues. */
export async function findMax(
  fromPerSec: number,
  confirmSeconds: number,
  run: (perSec: number, seconds: number, purpose: string) => Promise<Measurement>,
  rest: (ms: number) => Promise<void>,
): Promise<Measurement | null> {
  let good = 0
  let bad = Number.POSITIVE_INFINITY
  const step = async (perSec: number): Promise<void> => {
    const { ok } = await run(perSec, STEP_SECONDS, 'search')
    if (ok) good = perSec
    else bad = perSec
    await rest(ok ? PAUSE_MS : PAUSE_MS * 3)
  }
  for (let perSec = fromPerSec; bad === Number.POSITIVE_INFINITY; perSec = round(perSec * STEP_FACTOR))
    await step(perSec)
  if (good === 0) return null
  for (let i = 0; i < HALVINGS && bad - good > 100; i++) await step(round((good + bad) / 2))
  for (
    let i = 0, perSec = round(good * FIRST_CONFIRMED);
    i < CONFIRMATIONS_MAX;
    i++, perSec = round(perSec * LOWER_BY)
  ) {
    const confirmed = await run(perSec, confirmSeconds, 'confirm')
    if (confirmed.ok) return confirmed
    await rest(PAUSE_MS * 3)
  }
  return null
}
