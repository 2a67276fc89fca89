/** What was said is looked for in the archive's copy of the log: it has to hold all that was sealed by then. */
import { type Clock, sleepOf } from '../../schemas/ports.ts'
import type { ArchivePort } from '../ports.ts'
import { archivedEnds } from '../verify/archive.ts'

export interface ArchivedOptions {
  readonly log: Pick<ArchivePort, 'query'>
  readonly clock: Clock
  readonly generation: number
  /** Partition → end of im.commands: what is sealed is there before it is anywhere else. */
  readonly commandEnds: () => Promise<readonly number[]>
  readonly signal?: AbortSignal
}

const LOOK_MS = 250
const ARCHIVED_MS_MAX = 60_000

/** Every command of now has its record in the archive. False: not within a minute. */
export async function untilArchived(options: ArchivedOptions): Promise<boolean> {
  const { log, clock, generation } = options
  const ends = await options.commandEnds()
  for (const until = clock.now() + ARCHIVED_MS_MAX; ; ) {
    options.signal?.throwIfAborted()
    const archived = await archivedEnds(log)
    const lastOf = (partition: number): number => {
      const ofOthers = [...archived].flatMap(([at, last]) => (at.endsWith(`/${partition}`) ? [last] : []))
      return archived.get(`${generation}/${partition}`) ?? Math.max(-1, ...ofOthers)
    }
    if (ends.every((end, partition) => lastOf(partition) >= end - 1)) return true
    if (clock.now() >= until) return false
    await sleepOf(clock)(LOOK_MS)
  }
}
