import { type Clock, Fault, type LogRange } from '../../schemas/ports.ts'
import type { AssignedPartition } from './consumer.ts'

/**
 * kafkajs answers "offset out of range" by starting over at the oldest record, without a word to its user. Whenever a
 * position looks suspicious the log's real range decides: retention that overtook the reader, or a log that
 * ends below it, stops the consumer; anything else was a passing thing and the position is sought again.
 */
export interface OffsetGuard {
  check(one: AssignedPartition): void
}

export interface OffsetGuardOptions {
  range(topic: string, partition: number): Promise<LogRange>
  readonly clock: Clock
  fail(fault: Fault): void
  reseek(one: AssignedPartition): void
}

/** After a change of leader the end may stand below the reader's position for a moment. */
const endBelowChecksMax = 5
const recheckMs = 1_000

export function createOffsetGuard({ range, clock, fail, reseek }: OffsetGuardOptions): OffsetGuard {
  const running = new Set<AssignedPartition>()

  const check = async (one: AssignedPartition): Promise<void> => {
    for (let attempt = 1; one.assigned; attempt += 1) {
      const next = one.feed.next()
      if (next === null) return
      const { begin, end } = await range(one.topic, one.partition)
      // Sought elsewhere, or delivery went on, while we asked.
      if (one.feed.next() !== next) return
      const where = `${one.topic}/${one.partition}: next is ${next}, the log holds ${begin} to ${end}`
      if (begin > next) return fail(new Fault('offset_out_of_range', where, { retriable: false }))
      if (end >= next) return reseek(one)
      if (attempt === endBelowChecksMax) {
        return fail(new Fault('offset_out_of_range', where, { retriable: false }))
      }
      await new Promise<void>((resolve) => {
        clock.after(recheckMs, resolve)
      })
    }
  }

  return {
    check(one) {
      if (running.has(one)) return
      running.add(one)
      check(one)
        // The brokers do not answer: whoever noticed first will notice again.
        .catch(() => undefined)
        .finally(() => running.delete(one))
    },
  }
}
