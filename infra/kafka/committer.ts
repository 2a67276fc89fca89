import { type CommittedPosition, Fault } from '../../schemas/ports.ts'

export interface CommitEntry extends CommittedPosition {
  readonly topic: string
  readonly partition: number
}

/** Commits coalesced: one request at a time, and of each partition only the newest position that waits. */
export interface Committer {
  commit(entry: CommitEntry): Promise<void>
  /** Drops what waits for a partition that was lost: its new owner's position must not be overwritten. */
  forget(partition: number): void
  /** Resolves when nothing waits any more. */
  settled(): Promise<void>
}

interface Waiting {
  entry: CommitEntry
  readonly waiters: { resolve: () => void; reject: (fault: Fault) => void }[]
}

export function createCommitter(send: (entries: readonly CommitEntry[]) => Promise<void>): Committer {
  const waiting = new Map<string, Waiting>()
  let running: Promise<void> | null = null

  const run = async (): Promise<void> => {
    // One turn later, so that the commits of all partitions made together travel together.
    await Promise.resolve()
    while (waiting.size > 0) {
      const round = [...waiting.values()]
      waiting.clear()
      try {
        await send(round.map(({ entry }) => entry))
        for (const { waiters } of round) for (const { resolve } of waiters) resolve()
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : 'unknown'
        const fault = new Fault('commit_failed', `offsets not committed: ${reason}`, {
          retriable: true,
          cause,
        })
        for (const { waiters } of round) for (const { reject } of waiters) reject(fault)
      }
    }
    running = null
  }

  return {
    commit: (entry) =>
      new Promise((resolve, reject) => {
        const key = `${entry.topic}/${entry.partition}`
        const present = waiting.get(key)
        if (present === undefined) {
          waiting.set(key, { entry, waiters: [{ resolve, reject }] })
        } else {
          present.entry = entry
          present.waiters.push({ resolve, reject })
        }
        running ??= run()
      }),
    forget(partition) {
      for (const [key, { entry, waiters }] of waiting) {
        if (entry.partition !== partition) continue
        waiting.delete(key)
        const fault = new Fault('not_assigned', `${key} belongs to another member`, { retriable: false })
        for (const { reject } of waiters) reject(fault)
      }
    },
    settled: () => running ?? Promise.resolve(),
  }
}
