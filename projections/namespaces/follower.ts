/**
 * Follows im.projections: which namespace each process reads from, and which it keeps up. While Kafka is away what was known last
 * goes on to hold.
 */
import type { Clock, Fault, Logger, LogStore } from '../../schemas/ports.ts'
import { topics } from '../../schemas/topics.ts'
import { followTopic } from '../follow-topic.ts'
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
  const topic = await followTopic({
    ...{ store, topic: topics.projections, name: 'namespaces', logger, failed: options.failed },
    take({ key, value, timestamp }) {
      const changed = value && registry.apply(key?.toString('utf8') ?? '', value, timestamp)
      if (changed) for (const listener of listeners.get(changed) ?? []) listener(registry.of(changed))
    },
  })
  const { promise: late, reject } = Promise.withResolvers<never>()
  const cancelLate = clock.after(START_MS_MAX, () =>
    reject(new Error(`im.projections was not read within ${START_MS_MAX / 1_000} s`)),
  )
  await Promise.race([topic.caughtUp, late]).finally(cancelLate)

  return {
    of: (projection) => registry.of(projection),
    leaseOf: (projection) => registry.leaseOf(projection),
    readTo: topic.readTo,
    onChange(projection, listener) {
      const known = listeners.get(projection) ?? new Set()
      listeners.set(projection, known.add(listener))
      return () => void known.delete(listener)
    },
    stop: topic.stop,
  }
}
