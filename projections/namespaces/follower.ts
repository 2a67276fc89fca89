/**
 * Follows im.projections: which namespace each process reads from, and which it keeps up. While Kafka is away what was known last
 * goes on to hold.
 */
import { randomUUID } from 'node:crypto'
import type { Clock, Fault, Logger, LogStore } from '../../schemas/ports.ts'
import { topics } from '../../schemas/topics.ts'
import { createRegistry, FIRST, type Lease, type NamespaceList, type ProjectionName } from './registry.ts'

export interface Namespaces {
  of(projection: ProjectionName): NamespaceList
}

export interface NamespaceFollower extends Namespaces {
  leaseOf(projection: ProjectionName): Lease | null
  /** Offset behind the last record read. */
  readTo(): number
  /** Called after each change of that projection's list; the answer ends it. */
  onChange(projection: ProjectionName, listener: (list: NamespaceList) => void): () => void
  stop(): Promise<void>
}

/** Where nothing is followed: the one namespace that is always there. */
export const oneNamespace: Namespaces = { of: () => FIRST }

/** So long a process waits at its start for what the topic holds; then it fails, and is started again. */
const START_MS_MAX = 30_000
const PARTITION = 0

/** Resolves once the topic has been read to the end that it had. */
export async function followNamespaces(options: {
  readonly store: LogStore
  readonly clock: Clock
  readonly logger: Logger
  failed(fault: Fault): void
}): Promise<NamespaceFollower> {
  const { store, clock, logger } = options
  const registry = createRegistry()
  const listeners = new Map<ProjectionName, Set<(list: NamespaceList) => void>>()
  // Every follower reads everything: a group of its own, deleted at the end.
  const group = `namespaces-${randomUUID()}`
  const consumer = store.consumer({
    group,
    topics: [topics.projections],
    compacted: [topics.projections],
    maxWaitMs: 500,
  })
  const { promise: caughtUp, resolve, reject } = Promise.withResolvers<void>()
  let startEnd: number | null = null
  let next = 0

  async function begin(): Promise<void> {
    const { begin: first, end } = await consumer.range(topics.projections, PARTITION)
    startEnd ??= end
    next = Math.max(next, first)
    if (next >= startEnd) resolve()
    consumer.seek(topics.projections, PARTITION, next)
  }

  await consumer.start({
    assigned(added) {
      if (added.includes(PARTITION)) begin().catch(reject)
    },
    records(_topic, _partition, batch) {
      for (const { key, value, timestamp, offset } of batch) {
        next = offset + 1
        try {
          const changed = value && registry.apply(key?.toString('utf8') ?? '', value, timestamp)
          if (changed) for (const listener of listeners.get(changed) ?? []) listener(registry.of(changed))
        } catch (err) {
          logger.error({ err, offset }, 'a record of im.projections could not be read and does not count')
        }
      }
      if (startEnd !== null && next >= startEnd) resolve()
    },
    failed: options.failed,
  })
  const tooLate = clock.after(START_MS_MAX, () =>
    reject(new Error(`im.projections was not read within ${START_MS_MAX / 1_000} s`)),
  )
  await caughtUp.finally(tooLate)

  return {
    of: (projection) => registry.of(projection),
    leaseOf: (projection) => registry.leaseOf(projection),
    readTo: () => next,
    onChange(projection, listener) {
      const known = listeners.get(projection) ?? new Set()
      listeners.set(projection, known.add(listener))
      return () => void known.delete(listener)
    },
    async stop() {
      await consumer.stop()
      const admin = await store.admin()
      await admin.deleteGroup(group).catch((err) => logger.debug({ err, group }, 'group was not deleted'))
      await admin.close()
    },
  }
}
