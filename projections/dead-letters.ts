/** Copies of records that could not be decoded, with reason and coordinates. */
import { seal } from '../schemas/avro.ts'
import type { Appender, LogRecord } from '../schemas/ports.ts'
import { records } from '../schemas/records.ts'
import { topics } from '../schemas/topics.ts'

/** Room for the envelope around a copy; a longer record is cut to its beginning. */
const VALUE_BYTES_MAX = 900_000
const DETAIL_CHARS_MAX = 500

export function deadLetters(appender: Appender) {
  return async (partition: number, record: LogRecord, reason: string, detail: string): Promise<void> => {
    const letter = seal(records.DeadLetter, {
      topic: topics.events,
      partition,
      offset: record.offset,
      reason,
      detail: detail.slice(0, DETAIL_CHARS_MAX),
      value: record.value?.subarray(0, VALUE_BYTES_MAX) ?? null,
    })
    await appender.append(topics.deadLetters, 0, { key: `${topics.events}/${partition}`, value: letter })
  }
}
