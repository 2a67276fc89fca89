/** Waits until the read models have come to where the fold is. */
import { type Clock, sleepOf } from '../../schemas/ports.ts'
import { parseStored, readPositions } from '../live/positions.ts'
import type { ArchivePort, RedisPort } from '../ports.ts'
import { pairs } from '../reads/live.ts'
import { archivedEnds } from './archive.ts'
import type { Find } from './findings.ts'
import type { PartitionFold } from './fold.ts'

export interface BehindOptions {
  readonly redis: RedisPort
  readonly clickhouse: Pick<ArchivePort, 'query'>
  readonly clock: Clock
  readonly waitMs: number
}

const LOOK_MS = 200

/** Partitions that each store has come to the end of; of the others it is found that they are behind. */
export async function caughtUp(
  { redis, clickhouse, clock, waitMs }: BehindOptions,
  folds: ReadonlyMap<number, PartitionFold>,
  find: Find,
): Promise<{ readonly live: ReadonlySet<number>; readonly archived: ReadonlySet<number> }> {
  const sleep = sleepOf(clock)
  const until = clock.now() + waitMs
  const wanted = [...folds].map(([partition, { position, generations }]) => {
    const of = generations.at(-1)
    return {
      partition,
      position,
      generation: of?.generation ?? -1,
      last: of?.last ?? -1,
      first: of?.first ?? 0,
    }
  })
  const live = new Set<number>()
  const archived = new Set<number>()
  for (;;) {
    const [reply] = await redis.batch([readPositions()])
    const stored = pairs(reply)
    const ends = await archivedEnds(clickhouse)
    for (const { partition, position, generation, last, first } of wanted) {
      const at = parseStored(stored.get(String(partition)))?.position
      const isThere = at !== undefined && (at.generation === position.generation || at.offset === 0)
      if (isThere && at.offset >= position.offset) live.add(partition)
      if (last < first || (ends.get(`${generation}/${partition}`) ?? -1) >= last) archived.add(partition)
    }
    if (wanted.every(({ partition }) => live.has(partition) && archived.has(partition))) break
    if (clock.now() >= until) {
      for (const { partition, position, last } of wanted) {
        const after = `after ${Math.round(waitMs / 1_000)} s; does a projections process run?`
        if (!live.has(partition))
          find('behind', `Redis has not come to offset ${position.offset} of partition ${partition} ${after}`)
        if (!archived.has(partition))
          find('behind', `the archive has not come to source ${last} of partition ${partition} ${after}`)
      }
      break
    }
    await sleep(LOOK_MS)
  }
  return { live, archived }
}
