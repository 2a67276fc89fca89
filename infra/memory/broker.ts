import {
  type CommittedPosition,
  Fault,
  type LogRange,
  type LogRecord,
  type NewRecord,
} from '../../schemas/ports.ts'

/** The topics and committed positions of the in-memory log: state only, no time of its own. */
export interface MemoryBroker {
  createTopic(name: string, partitions: number): void
  deleteTopic(name: string): void
  topics(): string[]
  /** 0 for a topic that does not exist. */
  partitionCount(topic: string): number
  /** The records get `nowMs` as their time; returns the first offset. */
  append(topic: string, partition: number, records: readonly NewRecord[], nowMs: number): number
  read(topic: string, partition: number, offset: number, recordsMax: number): readonly LogRecord[]
  range(topic: string, partition: number): LogRange
  /** Drops what lies below `begin`, as retention does. */
  trim(topic: string, partition: number, begin: number): void
  commit(group: string, topic: string, partition: number, position: CommittedPosition): void
  committed(group: string, topic: string, partition: number): CommittedPosition | null
  groups(): string[]
  deleteGroup(group: string): void
  /** Calls `listener` whenever the partition has grown; the returned function ends that. */
  onAppend(topic: string, partition: number, listener: () => void): () => void
}

interface Partition {
  begin: number
  records: LogRecord[]
  readonly listeners: Set<() => void>
}

export function createMemoryBroker(): MemoryBroker {
  const logs = new Map<string, Partition[]>()
  const commits = new Map<string, Map<string, CommittedPosition>>()

  const find = (topic: string, partition: number): Partition => {
    const found = logs.get(topic)?.[partition]
    if (found === undefined) {
      throw new Fault('unknown_partition', `${topic} has no partition ${partition}`, { retriable: true })
    }
    return found
  }

  const rangeOf = ({ begin, records }: Partition): LogRange => ({ begin, end: begin + records.length })

  return {
    createTopic(name, partitions) {
      logs.set(
        name,
        Array.from({ length: partitions }, () => ({ begin: 0, records: [], listeners: new Set() })),
      )
    },
    deleteTopic: (name) => void logs.delete(name),
    topics: () => [...logs.keys()],
    partitionCount: (topic) => logs.get(topic)?.length ?? 0,
    append(topic, partition, records, nowMs) {
      const log = find(topic, partition)
      const first = rangeOf(log).end
      for (const { key, value } of records) {
        const offset = log.begin + log.records.length
        const keyBytes = typeof key === 'string' ? Buffer.from(key) : key
        log.records.push({ offset, key: keyBytes, value, timestamp: Math.floor(nowMs) })
      }
      for (const listener of [...log.listeners]) listener()
      return first
    },
    read(topic, partition, offset, recordsMax) {
      const { begin, records } = find(topic, partition)
      return records.slice(offset - begin, offset - begin + recordsMax)
    },
    range: (topic, partition) => rangeOf(find(topic, partition)),
    trim(topic, partition, begin) {
      const log = find(topic, partition)
      log.records = log.records.slice(Math.max(0, begin - log.begin))
      log.begin = Math.max(log.begin, begin)
    },
    commit(group, topic, partition, position) {
      const positions = commits.get(group) ?? new Map<string, CommittedPosition>()
      commits.set(group, positions.set(`${topic}/${partition}`, position))
    },
    committed: (group, topic, partition) => commits.get(group)?.get(`${topic}/${partition}`) ?? null,
    groups: () => [...commits.keys()],
    deleteGroup: (group) => void commits.delete(group),
    onAppend(topic, partition, listener) {
      const { listeners } = find(topic, partition)
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
