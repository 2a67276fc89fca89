/** The snapshot topic of one partition: a few slots of slices that are written one by one, get mixed up and roll back. */
import { createHash } from 'node:crypto'
import type { Fold } from '../../../processors/fold.ts'
import {
  completeSnapshots,
  positionOf,
  restoreSnapshot,
  SNAPSHOT_SLOTS,
} from '../../../processors/snapshot.ts'
import type { SnapshotChunk } from '../../../schemas/records.ts'
import type { Random } from '../random.ts'

export interface SnapshotTopic {
  /** Writes the slices into a slot; may stop half-way, as a crash does. */
  write(slot: number, chunks: readonly SnapshotChunk[]): void
  /** The newest complete snapshot that fits the log, or null. */
  newest(logGeneration: number, logEnd: number): Fold | null
  /** Every snapshot ever written whole. */
  readonly written: SnapshotChunk[][]
  /** The topic is as it was a while ago. */
  rollBack(): void
}

export function createSnapshotTopic(random: Random): SnapshotTopic {
  let slots = new Map<string, SnapshotChunk>()
  let before = new Map<string, SnapshotChunk>()
  const written: SnapshotChunk[][] = []
  return {
    written,
    write(slot, chunks) {
      const slices = sliced(chunks, 1 + random.int(3))
      const stopAt = random.chance(0.15) ? random.int(slices.length) : slices.length
      for (const slice of slices.slice(0, stopAt)) slots.set(`${slot % SNAPSHOT_SLOTS}/${slice.chunk}`, slice)
      if (stopAt === slices.length) written.push(slices)
      if (random.chance(0.3)) before = new Map(slots)
    },
    newest(logGeneration, logEnd) {
      const fits = completeSnapshots([...slots.values()]).find((slices) => {
        const at = positionOf(slices)
        return logGeneration >= 0 && at.generation >= logGeneration && at.offset <= logEnd
      })
      return fits ? restoreSnapshot(fits) : null
    },
    rollBack() {
      slots = new Map(before)
    },
  }
}

/** The same snapshot in up to `count` slices, cut anywhere: small states would otherwise always fit in one. */
function sliced(chunks: readonly SnapshotChunk[], count: number): SnapshotChunk[] {
  const first = chunks[0] as SnapshotChunk
  const whole = Buffer.concat(chunks.map((chunk) => chunk.body))
  const per = Math.max(1, Math.ceil(whole.length / count))
  const bodies: Buffer[] = []
  for (let at = 0; at < Math.max(1, whole.length); at += per) bodies.push(whole.subarray(at, at + per))
  const digest = createHash('sha256').update(whole).digest()
  return bodies.map((body, chunk) => ({ ...first, chunk, chunks: bodies.length, hash: digest, body }))
}
