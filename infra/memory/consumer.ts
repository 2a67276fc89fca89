import {
  type Clock,
  type ConsumerHandlers,
  type ConsumerOptions,
  Fault,
  type GroupConsumer,
} from '../../schemas/ports.ts'
import { createPartitionFeed, type PartitionFeed } from '../logstore/partition-feed.ts'
import type { MemoryBroker } from './broker.ts'
import type { MemoryGroup } from './group.ts'

/** A consumer and what its process's fate does to it. */
export interface MemoryConsumer extends GroupConsumer {
  /** Its process stops or dies: nothing reaches it, and its membership runs out after the session timeout. */
  freeze(): void
  /** Goes on where it stood, a zombie until its next heartbeat tells it that it was evicted. */
  thaw(): void
}

export interface MemoryConsumerDependencies {
  readonly broker: MemoryBroker
  readonly group: MemoryGroup
  /** The clock of the consumer's process: it stands still while the process is stopped. */
  readonly clock: Clock
  latencyMs(kind: 'fetch' | 'query' | 'heartbeat'): number
}

interface Assigned {
  readonly topic: string
  readonly partition: number
  readonly feed: PartitionFeed
  assigned: boolean
  fetching: boolean
}

const fetchRecordsMax = 500

export function createMemoryConsumer(
  { broker, group, clock, latencyMs }: MemoryConsumerDependencies,
  options: ConsumerOptions,
): MemoryConsumer {
  const { topics } = options
  const sessionTimeoutMs = options.sessionTimeoutMs ?? 10_000
  const all = new Map<string, Assigned>()
  let handlers: ConsumerHandlers | null = null
  let memberId: string | null = null
  let owned: readonly number[] = []
  let state: 'running' | 'frozen' | 'ended' = 'running'
  let unlisten: (() => void)[] = []
  let firstJoin: (() => void) | null = null

  const find = (topic: string, partition: number) => all.get(`${topic}/${partition}`)

  const fail = (fault: Fault) => {
    if (state === 'ended') return
    state = 'ended'
    handlers?.failed(fault)
  }

  const create = (topic: string, partition: number): Assigned => {
    const one: Assigned = {
      topic,
      partition,
      assigned: false,
      fetching: false,
      feed: createPartitionFeed({
        deliver: (records, end) => handlers?.records(topic, partition, records, end),
        onChange: () => fetchSoon(one),
        mayDeliver: () => state === 'running',
        onError: (cause) =>
          fail(new Fault('handler_failed', `reader of ${topic} threw`, { retriable: false, cause })),
        queueBytesMax: 4_194_304,
        queueRecordsMax: 10_000,
      }),
    }
    all.set(`${topic}/${partition}`, one)
    return one
  }

  const fetchSoon = (one: Assigned) => {
    if (one.fetching || !one.assigned || state !== 'running' || !one.feed.wantsRecords()) return
    one.fetching = true
    clock.after(latencyMs('fetch'), () => {
      one.fetching = false
      fetch(one)
    })
  }

  const fetch = (one: Assigned) => {
    const next = one.feed.next()
    if (next === null || !one.assigned || state !== 'running' || !one.feed.wantsRecords()) return
    if (one.partition >= broker.partitionCount(one.topic)) return
    const { begin, end } = broker.range(one.topic, one.partition)
    if (next < begin || next > end) {
      const text = `${one.topic}/${one.partition}: next is ${next}, the log holds ${begin} to ${end}`
      return fail(new Fault('offset_out_of_range', text, { retriable: false }))
    }
    if (next === end) return
    one.feed.take(broker.read(one.topic, one.partition, next, fetchRecordsMax), end)
    fetchSoon(one)
  }

  const onAssigned = (now: readonly number[], fresh: boolean) => {
    if (state !== 'running') return
    const added = fresh ? [...now] : now.filter((partition) => !owned.includes(partition))
    const removed = fresh ? [...owned] : owned.filter((partition) => !now.includes(partition))
    owned = now
    for (const partition of removed) {
      for (const topic of topics) {
        const one = find(topic, partition)
        if (one === undefined) continue
        one.assigned = false
        one.feed.reset()
      }
    }
    for (const stop of unlisten) stop()
    unlisten = []
    for (const topic of topics) for (const partition of now) adopt(topic, partition)
    try {
      handlers?.assigned(added, removed)
    } catch (cause) {
      fail(new Fault('handler_failed', 'assigned() threw', { retriable: false, cause }))
    }
    firstJoin?.()
  }

  const adopt = (topic: string, partition: number) => {
    if (partition >= broker.partitionCount(topic)) return
    const one = find(topic, partition) ?? create(topic, partition)
    one.assigned = true
    unlisten.push(broker.onAppend(topic, partition, () => fetchSoon(one)))
    fetchSoon(one)
  }

  const join = () => {
    let fresh = true
    const count = Math.max(...topics.map((topic) => broker.partitionCount(topic)))
    const claims = owned
    memberId = group.join(count, claims, (partitions) => {
      onAssigned(partitions, fresh)
      fresh = false
    })
  }

  const query = <T>(ask: () => T): Promise<T> =>
    new Promise((resolve, reject) => {
      clock.after(latencyMs('query'), () => {
        try {
          resolve(ask())
        } catch (error) {
          reject(error)
        }
      })
    })

  const assignedOf = (topic: string, partition: number): Assigned => {
    const one = find(topic, partition)
    if (one?.assigned) return one
    throw new Fault('not_assigned', `${topic}/${partition} is not assigned to this member`, {
      retriable: false,
    })
  }

  return {
    async start(given) {
      const missing = topics.filter((topic) => broker.partitionCount(topic) === 0)
      if (missing.length > 0) {
        throw new Fault('unknown_topic', `no such topic: ${missing.join(', ')}`, { retriable: true })
      }
      handlers = given
      await new Promise<void>((resolve) => {
        firstJoin = resolve
        join()
      })
    },
    seek(topic, partition, offset) {
      assignedOf(topic, partition).feed.seek(offset)
    },
    pause: (topic, partition) => find(topic, partition)?.feed.pause(),
    resume: (topic, partition) => find(topic, partition)?.feed.resume(),
    async commit(topic, partition, position) {
      assignedOf(topic, partition)
      await query(() => {
        if (memberId === null || !group.isMember(memberId) || !owned.includes(partition)) {
          throw new Fault('commit_failed', 'the group has moved on', { retriable: true })
        }
        broker.commit(options.group, topic, partition, position)
      })
    },
    committed: (topic, partition) => query(() => broker.committed(options.group, topic, partition)),
    range: (topic, partition) => query(() => broker.range(topic, partition)),
    async stop() {
      if (state === 'running' && memberId !== null) group.leave(memberId)
      state = 'ended'
      for (const stop of unlisten) stop()
    },
    freeze() {
      if (state !== 'running') return
      state = 'frozen'
      if (memberId !== null) group.silence(memberId, sessionTimeoutMs)
    },
    thaw() {
      if (state !== 'frozen') return
      state = 'running'
      if (memberId !== null) group.wake(memberId)
      for (const one of all.values()) {
        one.feed.kick()
        fetchSoon(one)
      }
      clock.after(latencyMs('heartbeat'), () => {
        if (state === 'running' && memberId !== null && !group.isMember(memberId)) join()
      })
    },
  }
}
