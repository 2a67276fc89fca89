/** Where a reader of one partition may start: from a snapshot that fits this log, else from 0. */
import { open } from '../schemas/avro.ts'
import { history, openEnvelope } from '../schemas/codec.ts'
import { Fault, type GroupConsumer, type LogRange } from '../schemas/ports.ts'
import { records, type SnapshotChunk } from '../schemas/records.ts'
import { topics } from '../schemas/topics.ts'
import type { Feed } from './feed.ts'
import { completeSnapshots, positionOf } from './snapshot.ts'

export interface Restorable {
  /** Complete snapshots that are valid for this log, newest first. */
  readonly snapshots: SnapshotChunk[][]
  readonly events: LogRange
  /** Generation that record 0 names; −1 in an empty log. A position of an earlier one means nothing here. */
  readonly logGeneration: number
}

/** Reads the partition's snapshots and record 0. Slices that cannot be read are passed over: the log holds the truth. */
export async function readRestorable(
  consumer: GroupConsumer,
  feed: Feed,
  partition: number,
): Promise<Restorable> {
  const [slots, events] = await Promise.all([
    consumer.range(topics.snapshots, partition),
    consumer.range(topics.events, partition),
  ])
  if (events.begin > 0)
    throw new Fault(
      'events_truncated',
      `im.events/${partition} begins at ${events.begin}: it must be kept for ever`,
      {
        retriable: false,
      },
    )
  const logGeneration = await generationOf(feed, partition, events)
  const chunks: SnapshotChunk[] = []
  for (const record of await feed.collect(topics.snapshots, partition, slots.begin, slots.end)) {
    try {
      if (record.value) chunks.push(open(records.SnapshotChunk, record.value, history))
    } catch {
      // Another fold version's, or damage: its snapshot stays incomplete.
    }
  }
  const snapshots = completeSnapshots(chunks).filter((slices) => {
    const at = positionOf(slices)
    return at.generation >= logGeneration && at.offset <= events.end && logGeneration >= 0
  })
  return { snapshots, events, logGeneration }
}

async function generationOf(feed: Feed, partition: number, events: LogRange): Promise<number> {
  const [first] = await feed.collect(topics.events, partition, 0, Math.min(1, events.end))
  if (!first) return -1
  if (!first.value)
    throw new Fault('log_without_claim', `im.events/${partition} has no claim at 0`, { retriable: false })
  return openEnvelope(first.value).generation
}
