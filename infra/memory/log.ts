import {
  type Clock,
  Fault,
  type LogAdmin,
  type Logger,
  type LogStore,
  type TopicSpec,
} from '../../schemas/ports.ts'
import { createAppender, type Lane } from '../logstore/appender.ts'
import { createMemoryBroker, type MemoryBroker } from './broker.ts'
import { createMemoryConsumer, type MemoryConsumer } from './consumer.ts'
import { type AppendFate, type AppendFaults, createAppendFaults } from './faults.ts'
import { createMemoryGroup, type MemoryGroup } from './group.ts'
import { createProcessClock } from './virtual-clock.ts'

export type MemoryLatency = 'append' | 'fetch' | 'query' | 'heartbeat' | 'rebalance'

/** A log in memory with the semantics of the one on Kafka, driven by the given clock alone. */
export interface MemoryLog extends LogStore {
  /** What one process sees of the log; its fate is decided separately. */
  process(name: string): MemoryProcess
  readonly faults: AppendFaults
  /** The state itself, for tests that look at the log or cut it. */
  readonly broker: MemoryBroker
}

export interface MemoryProcess extends LogStore {
  /** For everything else in the process: its timers stand still when it is stopped and never fire once it is dead. */
  readonly clock: Clock
  /** SIGKILL: no promise settles and no handler is called any more. Requests under way still reach the log. */
  kill(): void
  /** SIGSTOP. */
  stop(): void
  /** SIGCONT: what was fetched is still delivered until the consumer learns that it was evicted. */
  wake(): void
}

export interface MemoryLogOptions {
  /** Milliseconds of one step; a seeded function makes other schedules. Default 1, heartbeats 100. */
  latencyMs?(kind: MemoryLatency): number
  readonly logger?: Logger
}

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} }

export function createMemoryLog(clock: Clock, options: MemoryLogOptions = {}): MemoryLog {
  const latencyMs = options.latencyMs ?? ((kind) => (kind === 'heartbeat' ? 100 : 1))
  const logger = options.logger ?? silent
  const broker = createMemoryBroker()
  const faults = createAppendFaults()
  const groups = new Map<string, MemoryGroup>()

  const groupOf = (name: string): MemoryGroup => {
    const group = groups.get(name) ?? createMemoryGroup(name, clock, () => latencyMs('rebalance'))
    groups.set(name, group)
    return group
  }

  const process = (name: string): MemoryProcess => {
    const own = createProcessClock(clock)
    const consumers: MemoryConsumer[] = []
    let dead = false
    const freeze = () => {
      for (const consumer of consumers) consumer.freeze()
    }
    return {
      clock: own,
      appender: async (appenderName, appenderOptions) =>
        createAppender(
          {
            logger,
            clock: own,
            defer: queueMicrotask,
            createLane: ({ timeoutMs }) => {
              const fateOf = (topic: string, partition: number) =>
                faults.fateOf(`${name}/${appenderName}`, topic, partition)
              return createMemoryLane({ broker, clock, own, latencyMs, fateOf, timeoutMs })
            },
          },
          appenderOptions,
        ),
      consumer: (consumerOptions) => {
        const group = groupOf(consumerOptions.group)
        const consumer = createMemoryConsumer({ broker, group, clock: own, latencyMs }, consumerOptions)
        consumers.push(consumer)
        return consumer
      },
      admin: async () => createMemoryAdmin(broker, groups, own, () => latencyMs('query')),
      kill() {
        dead = true
        freeze()
        own.kill()
      },
      stop() {
        if (dead) return
        freeze()
        own.stop()
      },
      wake() {
        if (dead) return
        own.wake()
        for (const consumer of consumers) consumer.thaw()
      },
    }
  }

  return { ...process('main'), process, faults, broker }
}

interface LaneDependencies {
  readonly broker: MemoryBroker
  /** The brokers' time: a request that has left arrives whatever becomes of its sender. */
  readonly clock: Clock
  readonly own: Clock
  latencyMs(kind: MemoryLatency): number
  fateOf(topic: string, partition: number): AppendFate
  readonly timeoutMs: number
}

function createMemoryLane({ broker, clock, own, latencyMs, fateOf, timeoutMs }: LaneDependencies): Lane {
  let usable = true
  return {
    usable: () => usable,
    close: async () => undefined,
    send: ({ topic, partition, records }) =>
      new Promise((resolve, reject) => {
        const cancel = own.after(timeoutMs, () => give(`no answer within ${timeoutMs} ms`))
        const give = (reason: string) => {
          usable = false
          cancel()
          reject(new Fault('append_unknown', `${topic}/${partition}: ${reason}`, { retriable: true }))
        }
        const fate = fateOf(topic, partition)
        const answer = (fn: () => void) => void own.after(latencyMs('append') / 2, fn)
        clock.after(latencyMs('append') / 2 + (fate.kind === 'delay' ? fate.ms : 0), () => {
          if (partition >= broker.partitionCount(topic)) return answer(() => give('unknown topic'))
          if (fate.kind === 'fail') return answer(() => give('failed on purpose'))
          const offset = broker.append(topic, partition, records, clock.now())
          if (fate.kind === 'drop-response') return answer(() => give('response dropped on purpose'))
          answer(() => {
            cancel()
            resolve(offset)
          })
        })
      }),
  }
}

function createMemoryAdmin(
  broker: MemoryBroker,
  groups: ReadonlyMap<string, MemoryGroup>,
  clock: Clock,
  latencyMs: () => number,
): LogAdmin {
  const later = <T>(work: () => T): Promise<T> =>
    new Promise((resolve, reject) => {
      clock.after(latencyMs(), () => {
        try {
          resolve(work())
        } catch (error) {
          reject(error)
        }
      })
    })
  return {
    ensureTopics: (topics) =>
      later(() => {
        for (const topic of topics) ensureTopic(broker, topic)
      }),
    deleteTopic: (name) => later(() => broker.deleteTopic(name)),
    listTopics: () => later(() => broker.topics()),
    partitionCount: (topic) => later(() => broker.partitionCount(topic)),
    range: (topic, partition) => later(() => broker.range(topic, partition)),
    deleteGroup: (group) =>
      later(() => {
        if ((groups.get(group)?.size() ?? 0) > 0) {
          throw new Fault('group_not_deleted', `${group} has members`, { retriable: true })
        }
        broker.deleteGroup(group)
      }),
    listGroups: (prefix) =>
      later(() => {
        const alive = [...groups].filter(([, group]) => group.size() > 0).map(([name]) => name)
        return [...new Set([...broker.groups(), ...alive])].filter((name) => name.startsWith(prefix))
      }),
    close: async () => undefined,
  }
}

function ensureTopic(broker: MemoryBroker, { name, partitions }: TopicSpec): void {
  const count = broker.partitionCount(name)
  if (count === 0) broker.createTopic(name, partitions)
  if (count === 0 || count === partitions) return
  const text = `${name} has ${count} partitions, ${partitions} are expected`
  throw new Fault('partition_count_mismatch', text, { retriable: false })
}
