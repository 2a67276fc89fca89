/** Writes a snapshot of the read-back fold every so many records, in slices short enough not to be felt. */
import { randomUUID } from 'node:crypto'
import { seal } from '../../schemas/avro.ts'
import type { Appender, Clock, Logger } from '../../schemas/ports.ts'
import { records } from '../../schemas/records.ts'
import { topics } from '../../schemas/topics.ts'
import type { Fold } from '../fold.ts'
import { beginSnapshot, SNAPSHOT_SLOTS, type Snapshotter, snapshotKey } from '../snapshot.ts'
import type { SequencerStats } from './stats.ts'

export interface SnapshotWriterOptions {
  readonly partition: number
  readonly appender: Appender
  readonly clock: Clock
  readonly logger: Logger
  readonly stats: SequencerStats
  readonly snapshotEvery: number
  tail(): Fold | null
}

/** Text written in one turn: some 1 ms. */
const BYTES_PER_TURN = 100_000

export function createSnapshotWriter(options: SnapshotWriterOptions) {
  const { partition, appender, clock, logger, stats } = options
  let since = 0
  let running: Snapshotter | null = null
  let slot = 0
  let stopped = false

  const slice = (): void => {
    const snapshot = running
    if (stopped || !snapshot) return
    if (!snapshot.step(BYTES_PER_TURN)) clock.after(1, slice)
    else
      write(snapshot).then(
        () => {
          running = null
        },
        (err) => {
          running = null
          logger.warn({ partition, err }, 'a snapshot was not written; the next one will be')
        },
      )
  }

  const write = async (snapshot: Snapshotter) => {
    const chunks = snapshot.finish()
    const into = slot
    slot = (slot + 1) % SNAPSHOT_SLOTS
    for (const chunk of chunks) {
      if (stopped) return
      const key = snapshotKey(partition, into, chunk.chunk)
      await appender.append(topics.snapshots, partition, { key, value: seal(records.SnapshotChunk, chunk) })
    }
    stats.snapshots++
  }

  return {
    /** One more record was accepted. */
    accepted(): void {
      const fold = options.tail()
      if (++since < options.snapshotEvery || running || !fold) return
      since = 0
      running = beginSnapshot(fold, randomUUID())
      clock.after(0, slice)
    },
    stop(): void {
      stopped = true
      running?.abandon()
    },
  }
}
