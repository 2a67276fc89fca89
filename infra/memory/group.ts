import type { Clock } from '../../schemas/ports.ts'
import { assignPartitions } from '../logstore/assigner.ts'

/** The coordinator of one consumer group: who is a member, and who owns what since which generation. */
export interface MemoryGroup {
  /** A new member; `onAssigned` is called at the end of every rebalance until it leaves or is evicted. */
  join(partitionCount: number, claims: readonly number[], onAssigned: OnAssigned): string
  leave(memberId: string): void
  isMember(memberId: string): boolean
  /** The member does not answer from now on: rebalances wait for it, after `sessionTimeoutMs` it is evicted. */
  silence(memberId: string, sessionTimeoutMs: number): void
  /** It answers again, if it is still a member. */
  wake(memberId: string): void
  size(): number
}

export type OnAssigned = (partitions: readonly number[]) => void

const waitForSilentMs = 50

interface Member {
  readonly partitionCount: number
  readonly onAssigned: OnAssigned
  owned: readonly number[]
  /** False until its first assignment: what it claims stems from an earlier life. */
  current: boolean
  cancelEviction: (() => void) | null
}

export function createMemoryGroup(name: string, clock: Clock, rebalanceMs: () => number): MemoryGroup {
  const members = new Map<string, Member>()
  let nextId = 0
  let rebalancing = false

  // What happens while a rebalance is under way becomes part of it.
  const rebalance = () => {
    if (rebalancing) return
    rebalancing = true
    clock.after(rebalanceMs(), finish)
  }

  const finish = () => {
    if ([...members.values()].some(({ cancelEviction }) => cancelEviction !== null)) {
      clock.after(waitForSilentMs, finish)
      return
    }
    rebalancing = false
    const count = Math.max(0, ...[...members.values()].map(({ partitionCount }) => partitionCount))
    const claims = [...members].map(([memberId, { owned, current }]) => ({
      memberId,
      claims: owned,
      current,
    }))
    for (const [memberId, partitions] of assignPartitions(claims, count)) {
      const member = members.get(memberId)
      if (member === undefined) continue
      member.owned = partitions
      member.current = true
      member.onAssigned(partitions)
    }
  }

  const leave = (memberId: string) => {
    members.get(memberId)?.cancelEviction?.()
    if (members.delete(memberId)) rebalance()
  }

  return {
    join(partitionCount, claims, onAssigned) {
      nextId += 1
      const memberId = `${name}-${String(nextId).padStart(6, '0')}`
      members.set(memberId, {
        partitionCount,
        onAssigned,
        owned: claims,
        current: false,
        cancelEviction: null,
      })
      rebalance()
      return memberId
    },
    leave,
    silence(memberId, sessionTimeoutMs) {
      const member = members.get(memberId)
      if (member === undefined) return
      member.cancelEviction = clock.after(sessionTimeoutMs, () => leave(memberId))
    },
    wake(memberId) {
      const member = members.get(memberId)
      member?.cancelEviction?.()
      if (member !== undefined) member.cancelEviction = null
    },
    isMember: (memberId) => members.has(memberId),
    size: () => members.size,
  }
}
