import type { LogRecord } from '../../schemas/ports.ts'

/**
 * Hands the records of one (topic, partition) to its reader, one call at a time, and remembers which offset is next. A
 * reader that is slow holds back its own partition only: what is fetched meanwhile waits here, up to a limit at which
 * `wantsRecords` turns false.
 */
export interface PartitionFeed {
  /** The next offset to take; null until a start was sought. */
  next(): number | null
  seek(offset: number): void
  /** Forgets position and queue, for a partition that was lost. A call that still runs is waited for by the next one. */
  reset(): void
  pause(): void
  resume(): void
  paused(): boolean
  /** Records in offset order that begin at or after `next`; `end` is the high watermark seen with them. */
  take(records: readonly LogRecord[], end: number): void
  wantsRecords(): boolean
  /** Delivers what waits, after `mayDeliver` turned true. */
  kick(): void
  /** Nothing waits and nobody works: what is not there was not fetched. */
  idle(): boolean
}

export interface FeedOptions {
  deliver(records: readonly LogRecord[], end: number): void | Promise<void>
  /** `wantsRecords` may have changed. */
  onChange(): void
  /** The reader threw: a bug, not an event. */
  onError(error: unknown): void
  /** False holds everything back, as a stopped process does; absent = always. */
  mayDeliver?(): boolean
  readonly queueBytesMax: number
  readonly queueRecordsMax: number
}

export function createPartitionFeed(options: FeedOptions): PartitionFeed {
  let next: number | null = null
  let end = 0
  let queue: LogRecord[] = []
  let queueBytes = 0
  let pausedByReader = false
  let busy = false

  const pump = () => {
    while (!busy && !pausedByReader && queue.length > 0 && (options.mayDeliver?.() ?? true)) {
      const records = queue
      clear()
      let result: void | Promise<void>
      try {
        result = options.deliver(records, end)
      } catch (error) {
        options.onError(error)
        return
      }
      if (result === undefined) continue
      busy = true
      result.then(finished, (error: unknown) => {
        busy = false
        options.onError(error)
      })
    }
  }

  const finished = () => {
    busy = false
    pump()
    options.onChange()
  }

  const clear = () => {
    queue = []
    queueBytes = 0
  }

  return {
    next: () => next,
    seek(offset) {
      clear()
      next = offset
      options.onChange()
    },
    reset() {
      clear()
      next = null
      pausedByReader = false
    },
    pause() {
      pausedByReader = true
      options.onChange()
    },
    resume() {
      pausedByReader = false
      pump()
      options.onChange()
    },
    paused: () => pausedByReader,
    take(records, highWatermark) {
      const last = records.at(-1)
      if (last === undefined) return
      end = highWatermark
      next = last.offset + 1
      if (queue.length > 0 || busy || pausedByReader) {
        for (const record of records) {
          queue.push(record)
          queueBytes += bytesOf(record)
        }
        if (!wantsRecords()) options.onChange()
      } else {
        queue = records as LogRecord[]
      }
      pump()
    },
    wantsRecords: () => wantsRecords(),
    kick: pump,
    idle: () => !busy && queue.length === 0,
  }

  function wantsRecords(): boolean {
    return (
      next !== null &&
      !pausedByReader &&
      queueBytes < options.queueBytesMax &&
      queue.length < options.queueRecordsMax
    )
  }
}

function bytesOf(record: LogRecord): number {
  return 64 + (record.key?.length ?? 0) + (record.value?.length ?? 0)
}
