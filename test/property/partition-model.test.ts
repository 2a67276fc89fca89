/**
 * The model of one partition: random schedules of late, doubled, lost and swallowed appends, crashes, zombies,
 * reassignments, rolled-back snapshots and new generations, over the real owner, decide, evolve and accept().
 *
 * SCHEDULES=n runs n schedules; LONGWIRE_SEED=s begins at that seed, so that a seed that failed is replayed by
 * LONGWIRE_SEED=s SCHEDULES=1.
 */
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Position, Verdict } from '../../schemas/accept.ts'
import type { Envelope } from '../../schemas/records.ts'
import {
  asBuilt,
  snapshotOfDecided,
  usualShortcut,
  type Variant,
  withoutDedup,
  withoutFloor,
} from '../support/partition-model/rules.ts'
import { runSchedule } from '../support/partition-model/schedule.ts'

type Head = Pick<Envelope, 'kind' | 'generation' | 'epoch' | 'source'>
type Judge = (at: Position, offset: number, record: Head) => Verdict

const accept = vi.hoisted(() => ({ instead: null as null | ((real: Judge) => Judge) }))

vi.mock('../../schemas/accept.ts', async (original) => {
  const real = await original<typeof import('../../schemas/accept.ts')>()
  const verdictOf: Judge = (at, offset, record) =>
    (accept.instead ? accept.instead(real.verdictOf) : real.verdictOf)(at, offset, record)
  return { ...real, verdictOf }
})

/** Small enough that a schedule of some dozen commands reaches them. */
vi.mock('../../schemas/limits.ts', async (original) => {
  const { limits } = await original<typeof import('../../schemas/limits.ts')>()
  return { limits: { ...limits, dedupEntriesPerStreamMax: 4, recentMessagesMax: 3 } }
})

const SCHEDULES = Number(process.env.SCHEDULES ?? 20_000)
const SEED = Number(process.env.LONGWIRE_SEED ?? 1)

/** First seed of `within` that ended wrong in this way; null when none did. */
function findBad(variant: Variant, within: number, kind: RegExp): { seed: number; error: unknown } | null {
  for (let seed = SEED; seed < SEED + within; seed++) {
    try {
      runSchedule(seed, variant)
    } catch (error) {
      if (kind.test(String(error))) return { seed, error }
    }
  }
  return null
}

afterEach(() => {
  accept.instead = null
})

describe('a partition under any schedule', () => {
  test(`holds all that is promised in ${SCHEDULES} schedules from seed ${SEED}`, () => {
    const sum = {
      accepted: 0,
      repeats: 0,
      snapshots: 0,
      stale: 0,
      duplicate: 0,
      hole: 0,
      claim: 0,
      unreadable: 0,
      restores: 0,
    }
    for (let seed = SEED; seed < SEED + SCHEDULES; seed++) {
      try {
        const { dropped, ...counts } = runSchedule(seed, asBuilt)
        for (const [name, count] of Object.entries({ ...counts, ...dropped }))
          sum[name as keyof typeof sum] += count
      } catch (error) {
        throw new Error(`seed ${seed}: ${String(error)}`, { cause: error })
      }
    }
    console.info(`partition model: ${JSON.stringify({ from: SEED, schedules: SCHEDULES, ...sum })}`)
    // A fault that never struck would prove nothing.
    if (SCHEDULES >= 100)
      for (const [name, count] of Object.entries(sum)) expect(count, name).toBeGreaterThan(0)
  })
})

describe('each rule taken away is caught', () => {
  const caught = (variant: Variant, within: number, kind = /./) => {
    const bad = findBad(variant, within, kind)
    expect(bad, `nothing went wrong in ${within} schedules from seed ${SEED}`).not.toBeNull()
    console.info(`caught after ${(bad?.seed ?? 0) - SEED + 1} schedules: ${String(bad?.error)}`)
  }

  test('the epoch not compared: a zombie that decides by other rules is believed', () => {
    accept.instead = (real) => (at, offset, record) =>
      record.kind === 'claim'
        ? real(at, offset, record)
        : real(at, offset, { ...record, generation: at.generation, epoch: at.epoch })
    caught(asBuilt, 1_000, /seq|ordinal|answered/)
  })

  test('a source above the next one accepted: a lost append goes unnoticed', () => {
    accept.instead = (real) => (at, offset, record) => {
      const verdict = real(at, offset, record)
      return verdict === 'hole' ? 'accept' : verdict
    }
    caught(asBuilt, 500, /source|commands end/)
  })

  test('the generation not compared: commands numbered anew are taken for answered', () => {
    accept.instead = (real) => (at, offset, record) =>
      real(at, offset, { ...record, generation: Math.max(0, at.generation) })
    caught(asBuilt, 100)
  })

  test('no de-duplication: a retry becomes a second message', () => {
    caught(withoutDedup, 100, /answered .*committed, then .*committed/)
  })

  test('no floor: a retry of what was forgotten becomes a second message', () => {
    caught(withoutFloor, 500, /answered .*committed, then .*committed/)
  })

  test('a snapshot of what was decided, trusted instead of what was read back', () => {
    caught(snapshotOfDecided, 200, /seq|state|commands end|claim/)
  })

  test('the usual shortcut, trusting a snapshot and a committed offset, reuses a seq', () => {
    accept.instead = () => (at, offset, record) => {
      if (offset < at.offset) return 'duplicate'
      return record.source === at.last + 1 ? 'accept' : record.source <= at.last ? 'duplicate' : 'hole'
    }
    caught(usualShortcut, 50, /seq/)
  })
})
