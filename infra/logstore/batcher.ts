import type { NewRecord } from '../../schemas/ports.ts'

/**
 * The queue of one partition, without time or network: while one request is in flight, entries wait; then as many as
 * fit go out together, in call order. An entry (one call) is never split over two requests, so a batch stays atomic.
 */
export interface Entry {
  readonly records: readonly NewRecord[]
  readonly bytes: number
  readonly queuedAtMs: number
  resolve(offset: number): void
  reject(error: Error): void
}

export interface RequestLimits {
  readonly bytes: number
  readonly records: number
}

export interface PartitionQueue {
  waiting: Entry[]
  /** Index of the first entry that still waits: shifting a long array for every request would be quadratic. */
  head: number
  inFlight: readonly Entry[] | null
}

export function emptyQueue(): PartitionQueue {
  return { waiting: [], head: 0, inFlight: null }
}

export function isIdle(queue: PartitionQueue): boolean {
  return queue.inFlight === null && queue.head === queue.waiting.length
}

/** True if `takeRequest` would give something. */
export function hasRequest(queue: PartitionQueue): boolean {
  return queue.inFlight === null && queue.head < queue.waiting.length
}

export function enqueue(queue: PartitionQueue, entry: Entry): void {
  queue.waiting.push(entry)
}

/** The entries of the next request, now in flight; null while one is in flight or nothing waits. */
export function takeRequest(queue: PartitionQueue, limits: RequestLimits): readonly Entry[] | null {
  if (queue.inFlight !== null) return null
  const taken: Entry[] = []
  let bytes = 0
  let records = 0
  while (queue.head < queue.waiting.length) {
    const entry = queue.waiting[queue.head]
    if (entry === undefined) break
    const fits = bytes + entry.bytes <= limits.bytes && records + entry.records.length <= limits.records
    // The first always goes: it was measured when it was accepted.
    if (taken.length > 0 && !fits) break
    taken.push(entry)
    bytes += entry.bytes
    records += entry.records.length
    queue.head += 1
  }
  if (taken.length === 0) return null
  compact(queue)
  queue.inFlight = taken
  return taken
}

/** The request in flight has ended, one way or the other. */
export function settle(queue: PartitionQueue): void {
  queue.inFlight = null
}

/** Takes out everything that waits. */
export function drain(queue: PartitionQueue): readonly Entry[] {
  const left = queue.waiting.slice(queue.head)
  queue.waiting = []
  queue.head = 0
  return left
}

/** Takes out what has waited since before `deadlineMs`. */
export function expire(queue: PartitionQueue, deadlineMs: number): readonly Entry[] {
  const expired: Entry[] = []
  while (queue.head < queue.waiting.length) {
    const entry = queue.waiting[queue.head]
    if (entry === undefined || entry.queuedAtMs >= deadlineMs) break
    expired.push(entry)
    queue.head += 1
  }
  compact(queue)
  return expired
}

function compact(queue: PartitionQueue): void {
  if (queue.head < 1024 && queue.head < queue.waiting.length) return
  queue.waiting = queue.waiting.slice(queue.head)
  queue.head = 0
}

/** A little more than what the record takes in a request, headers included. */
export function recordBytes(record: NewRecord): number {
  const { key, value } = record
  const keyBytes = key === null ? 0 : typeof key === 'string' ? Buffer.byteLength(key) : key.length
  return 32 + keyBytes + (value === null ? 0 : value.length)
}
