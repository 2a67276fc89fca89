/**
 * What the processors, projections and gateway need from the outside, as small interfaces. infra/kafka and infra/memory
 * implement the log with one contract suite for both, so that the same shells run on a cluster, in one process, and in
 * virtual time.
 */

export interface Clock {
  /** Milliseconds since the epoch. Never used to order anything. */
  now(): number
  /** Runs `fn` once after `ms`; the returned function cancels it. */
  after(ms: number, fn: () => void): () => void
}

export const sleepOf =
  (clock: Pick<Clock, 'after'>) =>
  (ms: number): Promise<void> =>
    new Promise((resolve) => void clock.after(ms, resolve))

export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** An operational failure: the outcome of the call is unknown unless `retriable` is false. */
export class Fault extends Error {
  readonly code: string
  readonly retriable: boolean
  constructor(code: string, message: string, options: { retriable: boolean; cause?: unknown }) {
    super(message, { cause: options.cause })
    this.name = 'Fault'
    this.code = code
    this.retriable = options.retriable
  }
}

export interface LogRecord {
  readonly offset: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** Broker time in ms for topics with LogAppendTime. */
  readonly timestamp: number
}

export interface NewRecord {
  readonly key: Buffer | string | null
  readonly value: Buffer | null
}

/**
 * Appends with the producer's discipline: one partition per request, one request in flight per partition; while it is
 * in flight, later appends to that partition collect into the next request, in call order.
 */
export interface Appender {
  /** Resolves to the record's offset once every in-sync replica has it. Rejects with a Fault: the record may or may not be in the log. */
  append(topic: string, partition: number, record: NewRecord): Promise<number>
  /** All records in one atomic request, contiguous; resolves to the first offset. */
  appendBatch(topic: string, partition: number, records: readonly NewRecord[]): Promise<number>
  close(): Promise<void>
}

export interface AppenderOptions {
  /** Longest time a call may take before it is given up with its outcome unknown. Default 10,000. */
  readonly timeoutMs?: number
  /** After a failed request also fail what had queued up behind it: for writers that build on what they wrote before. */
  readonly failQueuedOnError?: boolean
}

export interface LogRange {
  /** First offset still kept. */
  readonly begin: number
  /** Offset that the next record will get (the high watermark). */
  readonly end: number
}

export interface CommittedPosition {
  readonly offset: number
  readonly metadata: string
}

export interface ConsumerHandlers {
  /**
   * Called on every (re)join with what came and what went. A partition number covers all of the consumer's topics
   * (they are co-partitioned). Nothing of an added partition is delivered until `seek` names a start for that topic.
   * Kept partitions go on at the next offset, with nothing skipped or doubled.
   */
  assigned(added: readonly number[], removed: readonly number[]): void
  /**
   * Records of one partition in offset order, beginning at the offset sought, with no hole except in compacted topics. Calls for
   * one (topic, partition) never overlap; a returned promise holds back only that partition.
   * `end` is the high watermark seen by the fetch.
   */
  records(topic: string, partition: number, records: readonly LogRecord[], end: number): void | Promise<void>
  /** The consumer cannot go on (crash, watchdog, offset out of range). The process should exit: the log makes a restart free. */
  failed(fault: Fault): void
}

/** A member of a consumer group over co-partitioned topics, with sticky assignment. */
export interface GroupConsumer {
  start(handlers: ConsumerHandlers): Promise<void>
  seek(topic: string, partition: number, offset: number): void
  pause(topic: string, partition: number): void
  resume(topic: string, partition: number): void
  /** Remembers `offset` (next to read) with metadata. Takes effect in order; failures are reported, not thrown away. */
  commit(topic: string, partition: number, position: CommittedPosition): Promise<void>
  committed(topic: string, partition: number): Promise<CommittedPosition | null>
  range(topic: string, partition: number): Promise<LogRange>
  stop(): Promise<void>
}

export interface ConsumerOptions {
  readonly group: string
  readonly topics: readonly string[]
  /** Longest wait of one fetch at the broker in ms; lower is lower latency, higher is fewer requests. Default 50. */
  readonly maxWaitMs?: number
  /** The broker answers a fetch at this size even before maxWaitMs. Default 1: at once. */
  readonly minBytes?: number
  /** Default 10,000. */
  readonly sessionTimeoutMs?: number
  /** Topics where offsets may have holes. */
  readonly compacted?: readonly string[]
}

export interface TopicSpec {
  readonly name: string
  readonly partitions: number
  readonly config: Readonly<Record<string, string>>
}

export interface LogAdmin {
  /** Creates what is missing; refuses with Fault `partition_count_mismatch` if an existing topic disagrees. */
  ensureTopics(topics: readonly TopicSpec[]): Promise<void>
  deleteTopic(name: string): Promise<void>
  listTopics(): Promise<string[]>
  /** 0 for a topic that does not exist. */
  partitionCount(topic: string): Promise<number>
  range(topic: string, partition: number): Promise<LogRange>
  deleteGroup(group: string): Promise<void>
  /** Group ids that begin with `prefix`. */
  listGroups(prefix: string): Promise<string[]>
  close(): Promise<void>
}

/** One log store: Kafka or memory. Each role makes clients of its own. */
export interface LogStore {
  appender(name: string, options?: AppenderOptions): Promise<Appender>
  consumer(options: ConsumerOptions): GroupConsumer
  admin(): Promise<LogAdmin>
}
