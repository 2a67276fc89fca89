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
  hasRequest,
  isIdle,
  type PartitionQueue,
  recordBytes,
  settle,
  takeRequest,
} from './batcher.ts'
import type { Pacer } from './pacer.ts'

/** Below the broker's default of 1 MiB per batch. kafkajs's grouping is quadratic in records, hence the second limit. */
const requestLimits = { bytes: 900_000, records: 2_000 }
const batchRecordsMax = 5_000
/** With very many partitions the pace would make each wait long; beyond this it gives way. */
const pacedMsMax = 40

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
  /** Bounds the requests per second; absent = none waits. */
  readonly pacer?: Pacer
}

interface Ready {
  readonly topic: string
  readonly partition: number
  readonly queue: PartitionQueue
  readonly sinceMs: number
}

/** Appends by natural batching: what arrives while a partition's request is in flight goes out with the next one. */
export function createAppender(
  { logger, clock, createLane, defer, pacer }: AppenderDependencies,
  options: AppenderOptions = {},
): Appender {
  const timeoutMs = options.timeoutMs ?? limits.appendTimeoutMs
  const queues = new Map<string, Map<number, PartitionQueue>>()
  // A producer per topic: kafkajs refreshes the metadata of all topics it ever sent to, and one deleted topic fails them all.
  const lanes = new Map<string, Lane>()
  const ready: Ready[] = []
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
      if (!idle) return
      ready.push({ topic, partition, queue, sinceMs: clock.now() })
      scheduleFlush(defer)
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

  const scheduleFlush = (run: (fn: () => void) => void) => {
    if (flushScheduled) return
    flushScheduled = true
    run(() => {
      flushScheduled = false
      flush()
    })
  }

  const flush = () => {
    while (ready.length > 0) {
      const first = ready[0]
      if (first === undefined || !hasRequest(first.queue)) {
        ready.shift()
        continue
      }
      const now = clock.now()
      const waitMs = pacer?.waitMs(now) ?? 0
      if (waitMs > 0 && now - first.sinceMs < pacedMsMax) {
        scheduleFlush((fn) => clock.after(waitMs, fn))
        return
      }
      if (waitMs > 0) pacer?.force(now)
      ready.shift()
      send(first)
    }
  }

  const send = ({ topic, partition, queue }: Ready): void => {
    const entries = takeRequest(queue, requestLimits)
    if (entries === null) return
    const records = entries.length === 1 ? (entries[0]?.records ?? []) : entries.flatMap((one) => one.records)
    pacer?.carried(records.length, clock.now())
    const ended = () => {
      if (!hasRequest(queue)) return
      ready.push({ topic, partition, queue, sinceMs: clock.now() })
      if (!flushScheduled) flush()
    }
    laneOf(topic)
      .send({ topic, partition, records })
      .then(
        (offset) => {
          settle(queue)
          ended()
          resolveAll(entries, offset)
        },
        (fault: Fault) => {
          settle(queue)
          rejectAll(entries, fault)
          rejectAll(options.failQueuedOnError ? drain(queue) : expired(queue), behindFailed(fault))
          ended()
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
