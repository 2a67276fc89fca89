/** SCHEDULES=n runs n/20 schedules; LONGWIRE_SEED=s SCHEDULES=1 replays one. */
import { describe, expect, test } from 'vitest'
import { createRandom } from '../../support/random.ts'
import { type Broken, type Outcome, runSchedule } from '../../support/registration-schedule.ts'

const SCHEDULES = Math.ceil(Number(process.env.SCHEDULES ?? 10_000) / 20)
const SEED = Number(process.env.LONGWIRE_SEED ?? 1)

test(`whatever is slow, lost or killed, in the end the online map holds the connections there are and no others, and one login where one may be (${SCHEDULES} schedules from seed ${SEED})`, async () => {
  const sum: Record<string, number> = {}
  for (let seed = SEED; seed < SEED + SCHEDULES; seed++) {
    const { counts, recordsAhead, ...found } = await runSchedule(createRandom(seed))
    const nothing = { strays: [], missing: [], users: [], beaten: [] }
    expect({ seed, ...found }).toEqual({ seed, ...nothing })
    expect({ seed, recordsAhead }).toEqual({ seed, recordsAhead: recordsAhead.map(() => 0) })
    for (const [name, count] of Object.entries(counts)) sum[name] = (sum[name] ?? 0) + count
  }
  console.info(`registration: ${JSON.stringify({ from: SEED, schedules: SCHEDULES, ...sum })}`)
  if (SCHEDULES >= 50) for (const [name, count] of Object.entries(sum)) expect(count, name).toBeGreaterThan(0)
})

describe('a rule taken away is caught', () => {
  async function caught(broken: Broken, wrong: (outcome: Outcome) => boolean, within = 300) {
    for (let seed = SEED; seed < SEED + within; seed++)
      if (wrong(await runSchedule(createRandom(seed), broken))) {
        console.info(`caught after ${seed - SEED + 1} schedules`)
        return
      }
    throw new Error(`nothing went wrong in ${within} schedules`)
  }

  test('what was left behind not looked for: records of nobody stay', () =>
    caught({ noSweep: true }, ({ strays, users }) => strays.length + users.length > 0))
  test('signals lost and newer logins not looked for: two are online where one may be', () =>
    caught({ blind: true }, ({ beaten }) => beaten.length > 0))
})
