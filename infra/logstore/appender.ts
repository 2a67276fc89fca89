import { limits } from '../../schemas/limits.ts'
import {
  type Appender,
  type AppenderOptions,
  type Clock,
  Fault,
  type Logger,
  type NewRecord,
} from '../../schemas/ports.ts'
import {
  drain,
  type Entry,
  emptyQueue,
  enqueue,
  expire,
  isIdle,
  type PartitionQueue,
  recordBytes,
  settle,
  takeRequest,
} from './batcher.ts'

/** Below the broker's default of 1 MiB per batch. kafkajs's grouping is quadratic in records, hence the second limit. */
const requestLimits = { bytes: 900_000, records: 2_000 }
const batchRecordsMax = 5_000

/** One request: what goes to one partition in one go. */
export interface LaneRequest {
  readonly topic: string
  readonly partition: number
  readonly records: readonly NewRecord[]
}

/** The way of one topic's requests to the brokers. */
export interface Lane {
  /** Resolves to the first offset; rejects with a Fault, after which nothing of the request is sent again. */
  send(request: LaneRequest): Promise<number>
  /** False once a request failed: the next one needs a new lane. */
  usable(): boolean
  close(): Promise<void>
}

export interface AppenderDependencies {
  readonly logger: Logger
  readonly clock: Clock
  createLane(options: { timeoutMs: number }): Lane
  /** Runs `fn` soon: what is appended until then leaves as one request. */
  defer(fn: () => void): void
}

/** Appends by natural batching: what arrives while a partition's request is in flight goes out with the next one. */
export function createAppender(
  { logger, clock, createLane, defer }: AppenderDependencies,
  options: AppenderOptions = {},
): Appender {
  const timeoutMs = options.timeoutMs ?? limits.appendTimeoutMs
  const queues = new Map<string, Map<number, PartitionQueue>>()
  // A producer per topic: kafkajs refreshes the metadata of all topics it ever sent to, and one deleted topic fails them all.
  const lanes = new Map<string, Lane>()
  const ready: { topic: string; partition: number; queue: PartitionQueue }[] = []
  let bufferedBytes = 0
  let flushScheduled = false
  let closed = false

  const queueOf = (topic: string, partition: number): PartitionQueue => {
    let byPartition = queues.get(topic)
    if (byPartition === undefined) {
      byPartition = new Map()
      queues.set(topic, byPartition)
    }
    let queue = byPartition.get(partition)
    if (queue === undefined) {
      queue = emptyQueue()
      byPartition.set(partition, queue)
    }
    return queue
  }

  const laneOf = (topic: string): Lane => {
    let lane = lanes.get(topic)
    if (lane === undefined || !lane.usable()) {
      if (lane !== undefined) logger.warn({ topic }, 'producer replaced after a failed request')
      lane = createLane({ timeoutMs })
      lanes.set(topic, lane)
    }
    return lane
  }

  const add = (topic: string, partition: number, records: readonly NewRecord[]): Promise<number> =>
    new Promise((resolve, reject) => {
      const bytes = sumBytes(records)
      const refusal = refuse(records, bytes)
      if (refusal !== null) {
        reject(refusal)
        return
      }
      bufferedBytes += bytes
      const queue = queueOf(topic, partition)
      const idle = isIdle(queue)
      enqueue(queue, { records, bytes, queuedAtMs: clock.now(), resolve, reject })
      if (idle) scheduleFlush(topic, partition, queue)
    })

  const refuse = (records: readonly NewRecord[], bytes: number): Fault | null => {
    if (closed) return new Fault('closed', 'the appender is closed', { retriable: false })
    if (records.length === 0) return new Fault('empty_batch', 'nothing to append', { retriable: false })
    if (records.length > batchRecordsMax || bytes > limits.recordBytesMax) {
      const size = `${records.length} records, ${bytes} bytes`
      return new Fault('record_too_large', `over the limit of one request: ${size}`, { retriable: false })
    }
    if (bufferedBytes + bytes > limits.appendBufferBytesMax) {
      return new Fault('overloaded', 'too much waits to be written', { retriable: true })
    }
    return null
  }

  const scheduleFlush = (topic: string, partition: number, queue: PartitionQueue) => {
    ready.push({ topic, partition, queue })
    if (flushScheduled) return
    flushScheduled = true
    defer(() => {
      flushScheduled = false
      for (const one of ready.splice(0)) next(one.topic, one.partition, one.queue)
    })
  }

  const next = (topic: string, partition: number, queue: PartitionQueue): void => {
    const entries = takeRequest(queue, requestLimits)
    if (entries === null) return
    const records = entries.length === 1 ? (entries[0]?.records ?? []) : entries.flatMap((one) => one.records)
    laneOf(topic)
      .send({ topic, partition, records })
      .then(
        (offset) => {
          settle(queue)
          next(topic, partition, queue)
          resolveAll(entries, offset)
        },
        (fault: Fault) => {
          settle(queue)
          rejectAll(entries, fault)
          rejectAll(options.failQueuedOnError ? drain(queue) : expired(queue), behindFailed(fault))
          next(topic, partition, queue)
        },
      )
  }

  const expired = (queue: PartitionQueue) => expire(queue, clock.now() - timeoutMs)

  const resolveAll = (entries: readonly Entry[], firstOffset: number) => {
    let offset = firstOffset
    for (const entry of entries) {
      bufferedBytes -= entry.bytes
      entry.resolve(offset)
      offset += entry.records.length
    }
  }

  const rejectAll = (entries: readonly Entry[], fault: Fault) => {
    for (const entry of entries) {
      bufferedBytes -= entry.bytes
      entry.reject(fault)
    }
  }

  const close = async (): Promise<void> => {
    closed = true
    const deadline = clock.now() + timeoutMs
    while (bufferedBytes > 0 && clock.now() < deadline) {
      await new Promise<void>((resolve) => {
        clock.after(10, resolve)
      })
    }
    await Promise.all([...lanes.values()].map((lane) => lane.close()))
  }

  return {
    append: (topic, partition, record) => add(topic, partition, [record]),
    appendBatch: add,
    close,
  }
}

function behindFailed(fault: Fault): Fault {
  return new Fault('append_not_sent', 'not sent: the request before it failed', {
    retriable: true,
    cause: fault,
  })
}

function sumBytes(records: readonly NewRecord[]): number {
  let bytes = 0
  for (const record of records) bytes += recordBytes(record)
  return bytes
}
