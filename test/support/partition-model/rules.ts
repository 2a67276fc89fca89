/**
 * Two versions of `decide`, as during a rolling upgrade: the fence only matters because they may differ. And the
 * variants of the model, each with one rule taken away.
 */
import { emptyAnswers } from '../../../processors/answers.ts'
import { decide as released } from '../../../processors/decide.ts'
import { type Decide, reject } from '../../../processors/processor.ts'

/** Refuses some messages that the released rules take, and throws at others. */
const next: Decide = (state, command, payload, now) => {
  const decision = released(state, command, payload, now)
  if (decision.kind !== 'event' || decision.event.type !== 'MessageSent') return decision
  const last = decision.event.content.at(-3) ?? 0
  if (last % 5 === 0) throw new Error('a defect of this version')
  return last % 2 === 0 ? reject('not_allowed') : decision
}

export interface Variant {
  /** Versions of decide that the workers run. */
  readonly versions: readonly Decide[]
  /** Snapshots are taken of what a worker decided, not of what it read back. */
  readonly snapshotDecided: boolean
  /** Workers trust a snapshot and a committed offset, claim nothing, and never read their output. */
  readonly shortcut: boolean
}

export const asBuilt: Variant = { versions: [released, next], snapshotDecided: false, shortcut: false }

const forgetful =
  (rules: Decide): Decide =>
  (state, command, payload, now) =>
    rules({ ...state, answers: emptyAnswers() }, command, payload, now)

export const withoutDedup: Variant = { ...asBuilt, versions: asBuilt.versions.map(forgetful) }

const floorless =
  (rules: Decide): Decide =>
  (state, command, payload, now) =>
    rules({ ...state, answers: { ...state.answers, floor: -1 } }, command, payload, now)

export const withoutFloor: Variant = { ...asBuilt, versions: asBuilt.versions.map(floorless) }
export const snapshotOfDecided: Variant = { ...asBuilt, snapshotDecided: true }
export const usualShortcut: Variant = { ...asBuilt, shortcut: true }
