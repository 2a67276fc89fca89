/** Hands each record that a GroupConsumer delivers to whoever reads that topic and partition at the moment. */
import type { ConsumerHandlers, GroupConsumer, LogRecord } from '../schemas/ports.ts'

type Reader = (records: readonly LogRecord[], end: number) => void | Promise<void>

export interface Feed {
  /** Reads on from `from` until stopped or replaced. */
  read(topic: string, partition: number, from: number, reader: Reader): void
  /** Collects [from, end) and stops. Holes of compaction are fine as long as the last record stands. */
  collect(topic: string, partition: number, from: number, end: number): Promise<LogRecord[]>
  stop(topic: string, partition: number): void
  readonly deliver: ConsumerHandlers['records']
}

export function createFeed(consumer: GroupConsumer): Feed {
  const readers = new Map<string, Reader>()
  const keyOf = (topic: string, partition: number) => `${topic}/${partition}`
  const feed: Feed = {
    read(topic, partition, from, reader) {
      readers.set(keyOf(topic, partition), reader)
      consumer.seek(topic, partition, from)
      consumer.resume(topic, partition)
    },
    collect(topic, partition, from, end) {
      if (from >= end) return Promise.resolve([])
      const found: LogRecord[] = []
      return new Promise((resolve) => {
        feed.read(topic, partition, from, (records) => {
          for (const record of records) if (record.offset < end) found.push(record)
          const last = records.at(-1)
          if (last === undefined || last.offset < end - 1) return
          feed.stop(topic, partition)
          resolve(found)
        })
      })
    },
    stop(topic, partition) {
      readers.delete(keyOf(topic, partition))
      consumer.pause(topic, partition)
    },
    deliver: (topic, partition, records, end) => readers.get(keyOf(topic, partition))?.(records, end),
  }
  return feed
}
