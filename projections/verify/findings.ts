/** What was found wrong, by kind: how often, and the first of each. */

export const findingKinds = {
  undecodable: 'a record or payload that this release cannot read',
  hole: 'a source without a record',
  'missed-claim': 'a record of a claim that is not in the log before it',
  misplaced: 'a stream in another partition than its id names',
  time: 'broker time that goes backwards within a partition',
  gap: 'a seq or an ordinal that does not follow the one before',
  doubled: 'a packId under two seqs',
  unanswered: 'a command without its one record',
  altered: 'a record that is not of the command it names',
  behind: 'a read model that does not come to the end of the log',
  unread: 'an unread count that is not the recomputed one',
  timeline: 'a timeline that does not hold the newest of the log',
  'archive-missing': 'an accepted record that the archive does not hold',
  'archive-extra': 'a row of the archive that is not in the log',
  'archive-bytes': 'a row of the archive with other bytes than the log',
  'archive-tables': 'items or messages that do not fit the archived events',
} as const
export type FindingKind = keyof typeof findingKinds

export type Find = (kind: FindingKind, detail: string) => void

export interface Findings {
  readonly find: Find
  /** Kinds of which there are any, in the order of the table. */
  kinds(): FindingKind[]
  count(kind: FindingKind): number
  first(kind: FindingKind): readonly string[]
  total(): number
}

const KEPT_PER_KIND = 10

export function createFindings(): Findings {
  const counts = new Map<FindingKind, number>()
  const firsts = new Map<FindingKind, string[]>()
  return {
    find(kind, detail) {
      counts.set(kind, (counts.get(kind) ?? 0) + 1)
      const first = firsts.get(kind) ?? []
      firsts.set(kind, first)
      if (first.length < KEPT_PER_KIND) first.push(detail)
    },
    kinds: () => (Object.keys(findingKinds) as FindingKind[]).filter((kind) => counts.has(kind)),
    count: (kind) => counts.get(kind) ?? 0,
    first: (kind) => firsts.get(kind) ?? [],
    total: () => [...counts.values()].reduce((sum, n) => sum + n, 0),
  }
}
