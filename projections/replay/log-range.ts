/** What a replay needs the log to hold, looked at before anything is begun. */
import { Fault, type LogStore } from '../../schemas/ports.ts'
import { topics } from '../../schemas/topics.ts'
import { scan } from '../scan.ts'
import { type Bound, boundText, type Window } from './window.ts'

export interface LogUnderReplay {
  readonly store: (name: string) => LogStore
  readonly partitions: number
  readonly signal?: AbortSignal
}

/**
 * Refuses, with Fault `truncated`, a log whose beginning is gone: a fold of what is left would be another thing, and no reader can
 * tell which of its records count.
 */
export async function requireWholeLog(
  { store, partitions }: LogUnderReplay,
  positions: ReadonlyMap<number, number> = new Map(),
): Promise<void> {
  const admin = await store('ranges').admin()
  try {
    for (let partition = 0; partition < partitions; partition++) {
      const { begin } = await admin.range(topics.events, partition)
      if ((positions.get(partition) ?? 0) < begin)
        throw new Fault(
          'truncated',
          `${topics.events}/${partition} begins at offset ${begin}: what was before is no longer kept, and nothing can be built without it. Bring the topic back from the archive first (docs/operations.md, Restore)`,
          { retriable: false },
        )
    }
  } finally {
    await admin.close()
  }
}

/** Refuses, with Fault `outside_log`, a part that begins or ends where the log is not: what the answer would lack is not in it. */
export async function requireWithinLog(log: LogUnderReplay, { from, until }: Window): Promise<void> {
  let first = Number.POSITIVE_INFINITY
  let longest = 0
  await scan({
    ...{ store: log.store('scan'), topic: topics.events, partitions: log.partitions },
    ...(log.signal ? { signal: log.signal } : {}),
    until(_partition, { begin, end }) {
      longest = Math.max(longest, end)
      return Math.min(end, begin + 1)
    },
    take(_partition, records) {
      for (const { timestamp } of records) first = Math.min(first, timestamp)
    },
  })
  for (const bound of [from, until]) {
    if (bound?.by === 'time' && bound.ms < first) throw outside(bound, `before the log, ${beginsAt(first)}`)
    if (bound?.by === 'offset' && bound.offset > longest)
      throw outside(bound, `beyond the log, which ends at offset ${longest} at the most`)
  }
}

const outside = (bound: Bound, where: string): Fault =>
  new Fault('outside_log', `${boundText(bound)} is ${where}`, { retriable: false })

const beginsAt = (first: number): string =>
  first === Number.POSITIVE_INFINITY
    ? 'which is empty'
    : `which begins at ${new Date(first).toISOString()}: name that time or a later one`
