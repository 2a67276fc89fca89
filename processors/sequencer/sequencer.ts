/**
 * The sequencer role: one consumer group over commands, events and snapshots, co-partitioned, so that the owner of a
 * partition also tails its own output.
 */
import type { Clock, Fault, Logger, LogStore } from '../../schemas/ports.ts'
import { topics } from '../../schemas/topics.ts'
import { decide as currentRules } from '../decide.ts'
import { createFeed } from '../feed.ts'
import type { Decide } from '../processor.ts'
import { type OwnedPartition, startPartition } from './partition.ts'
import { newSequencerStats, type SequencerStats } from './stats.ts'

export interface SequencerOptions {
  readonly store: LogStore
  readonly clock: Clock
  readonly logger: Logger
  readonly generation: number
  /** Name of this process. */
  readonly name: string
  readonly decide?: Decide
  readonly snapshotEvery?: number
  readonly sessionTimeoutMs?: number
  /** The role cannot go on; the process should exit. */
  failed(fault: Fault): void
}

export interface Sequencer {
  readonly stats: SequencerStats
  /** Partitions given to this process, and those it decides for now. */
  owned(): { assigned: number; owning: number }
  stop(): Promise<void>
}

const COMMIT_MS = 5_000

export async function startSequencer(options: SequencerOptions): Promise<Sequencer> {
  const { store, clock, logger } = options
  const stats = newSequencerStats()
  const partitions = new Map<number, OwnedPartition>()
  const appender = await store.appender(`sequencer-${options.name}`, { failQueuedOnError: true })
  const consumer = store.consumer({
    group: 'sequencer',
    topics: [topics.commands, topics.events, topics.snapshots],
    compacted: [topics.snapshots],
    maxWaitMs: 100,
    sessionTimeoutMs: options.sessionTimeoutMs,
  })
  const feed = createFeed(consumer)
  let stopped = false

  const commit = () => {
    if (stopped) return
    // Only for people's lag tools: the output log is the checkpoint.
    for (const [partition, owned] of partitions) {
      if (owned.owning())
        consumer
          .commit(topics.commands, partition, { offset: owned.nextSource(), metadata: '' })
          .catch((err) => logger.debug({ err, partition }, 'lag was not committed'))
    }
    clock.after(COMMIT_MS, commit)
  }

  await consumer.start({
    assigned(added, removed) {
      logger.info({ added, removed }, 'assignment')
      for (const partition of removed) {
        void partitions.get(partition)?.stop()
        partitions.delete(partition)
      }
      for (const partition of added) {
        const owned = startPartition({
          partition,
          generation: options.generation,
          owner: options.name,
          decide: options.decide ?? currentRules,
          consumer,
          feed,
          appender,
          clock,
          logger,
          stats,
          snapshotEvery: options.snapshotEvery ?? 20_000,
          failed: options.failed,
        })
        partitions.set(partition, owned)
      }
    },
    records: feed.deliver,
    failed: options.failed,
  })
  commit()

  return {
    stats,
    owned: () => ({
      assigned: partitions.size,
      owning: [...partitions.values()].filter((partition) => partition.owning()).length,
    }),
    async stop() {
      stopped = true
      await Promise.all([...partitions.values()].map((partition) => partition.stop()))
      await consumer.stop()
      await appender.close()
    },
  }
}
