import type { Verdict } from '../../schemas/accept.ts'

/** Running counts of one sequencer process, for metrics and summaries. */
export interface SequencerStats {
  decided: number
  accepted: number
  claims: number
  lostClaims: number
  snapshots: number
  deadLetters: number
  /** Records read back that do not count, by verdict; `stale` are a zombie's. */
  readonly dropped: Record<Exclude<Verdict, 'accept' | 'claim'>, number>
}

export const newSequencerStats = (): SequencerStats => ({
  decided: 0,
  accepted: 0,
  claims: 0,
  lostClaims: 0,
  snapshots: 0,
  deadLetters: 0,
  dropped: { stale: 0, duplicate: 0, hole: 0, 'missed-claim': 0 },
})
