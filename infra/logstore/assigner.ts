/**
 * Who reads which partition: co-partitioned (one number stands for that partition of every topic of the group) and
 * sticky (a member keeps what it has as far as balance allows). The same input gives the same answer, whoever leads.
 */
export interface GroupMember {
  readonly memberId: string
  /** Partitions the member says it holds. */
  readonly claims: readonly number[]
  /** False when the claim stems from an earlier membership: others may have owned the partitions since. */
  readonly current: boolean
}

/** Each of the partitions 0..count-1 exactly once; members differ by at most one. */
export function assignPartitions(
  members: readonly GroupMember[],
  partitionCount: number,
): Map<string, number[]> {
  const sorted = [...members].sort((a, b) => compare(a.memberId, b.memberId))
  const kept = settleClaims(sorted, partitionCount)
  const quotas = quotasOf(sorted, kept, partitionCount)
  const result = new Map<string, number[]>()
  const taken = new Set<number>()
  for (const { memberId } of sorted) {
    const mine = (kept.get(memberId) ?? []).slice(0, quotas.get(memberId) ?? 0)
    for (const partition of mine) taken.add(partition)
    result.set(memberId, mine)
  }
  const free = range(partitionCount).filter((partition) => !taken.has(partition))
  for (const { memberId } of sorted) {
    const mine = result.get(memberId) ?? []
    while (mine.length < (quotas.get(memberId) ?? 0)) {
      const partition = free.shift()
      if (partition === undefined) break
      mine.push(partition)
    }
    mine.sort((a, b) => a - b)
  }
  return result
}

/** One claimant for each partition: current claims go before outdated ones, then the lower member id. */
function settleClaims(sorted: readonly GroupMember[], partitionCount: number): Map<string, number[]> {
  const owner = new Map<number, string>()
  for (const current of [true, false]) {
    for (const member of sorted) {
      if (member.current !== current) continue
      for (const partition of member.claims) {
        const valid = Number.isInteger(partition) && partition >= 0 && partition < partitionCount
        if (valid && !owner.has(partition)) owner.set(partition, member.memberId)
      }
    }
  }
  const kept = new Map<string, number[]>()
  for (const partition of range(partitionCount)) {
    const memberId = owner.get(partition)
    if (memberId === undefined) continue
    const mine = kept.get(memberId)
    if (mine === undefined) kept.set(memberId, [partition])
    else mine.push(partition)
  }
  return kept
}

/** The places left over by an even split go to those who hold most: that moves least. */
function quotasOf(
  sorted: readonly GroupMember[],
  kept: ReadonlyMap<string, readonly number[]>,
  partitionCount: number,
): Map<string, number> {
  if (sorted.length === 0) return new Map()
  const even = Math.floor(partitionCount / sorted.length)
  const extra = partitionCount % sorted.length
  const heldBy = (memberId: string) => kept.get(memberId)?.length ?? 0
  const byHeld = [...sorted].sort(
    (a, b) => heldBy(b.memberId) - heldBy(a.memberId) || compare(a.memberId, b.memberId),
  )
  return new Map(byHeld.map(({ memberId }, index) => [memberId, index < extra ? even + 1 : even]))
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}
