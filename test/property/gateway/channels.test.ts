/** SCHEDULES=n runs n schedules; LONGWIRE_SEED=s SCHEDULES=1 replays one. */
import { describe, expect, test } from 'vitest'
import { type Broken, type Outcome, runSchedule } from '../../support/channel-schedule.ts'
import { createRandom } from '../../support/random.ts'

const SCHEDULES = Math.ceil(Number(process.env.SCHEDULES ?? 10_000) / 20)
const SEED = Number(process.env.LONGWIRE_SEED ?? 1)

test(`whatever the order of logins, removals, messages and losses, a large group's members learn of every message, and nobody else is shown one (${SCHEDULES} schedules from seed ${SEED})`, async () => {
  const sum = { gaps: 0, held: 0, asks: 0 }
  for (let seed = SEED; seed < SEED + SCHEDULES; seed++) {
    const { lost, leaked, gaps, held, asks } = await runSchedule(createRandom(seed))
    expect({ seed, lost, leaked }).toEqual({ seed, lost: [], leaked: [] })
    sum.gaps += gaps
    sum.held += held
    sum.asks += asks
  }
  console.info(`channels: ${JSON.stringify({ from: SEED, schedules: SCHEDULES, ...sum })}`)
  if (SCHEDULES >= 100)
    for (const [name, count] of Object.entries(sum)) expect(count, name).toBeGreaterThan(0)
})

describe('a rule taken away is caught', () => {
  async function caught(broken: Broken, wrong: (outcome: Outcome) => boolean, within = 3_000) {
    for (let seed = SEED; seed < SEED + within; seed++)
      if (wrong(await runSchedule(createRandom(seed), broken))) {
        console.info(`caught after ${seed - SEED + 1} schedules`)
        return
      }
    throw new Error(`nothing went wrong in ${within} schedules`)
  }
  const lost = (outcome: Outcome) => outcome.lost.length > 0
  const leaked = (outcome: Outcome) => outcome.leaked.length > 0

  test('a directory that answers with whatever it has: someone is shown what is not for him', () =>
    caught({ anyAge: true }, leaked))
  test('holes not looked at: a removal that was lost on the way does not hold', () =>
    caught({ noHoles: true }, leaked))
  test('the directory asked before the interest stands: what happens between the two is missed', () =>
    caught({ interestLate: true }, lost))
  test('an emptied map not noticed: someone misses a message', () => caught({ lossUnseen: true }, lost))
})
