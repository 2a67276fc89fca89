/** A real Redis filled by the live sink from records that a test names, and the reads over it; there is no archive. */
import { systemClock } from '../../../infra/clock.ts'
import { silentLog } from '../../../infra/log.ts'
import { keys } from '../../../projections/keys.ts'
import { liveSink } from '../../../projections/live/sink.ts'
import type { RedisCall, RedisPort } from '../../../projections/ports.ts'
import type { Accepted } from '../../../projections/projection.ts'
import { readModels } from '../../../projections/reads.ts'
import { raiseHead } from '../../../projections/timeline/scripts.ts'
import type { Position } from '../../../schemas/accept.ts'
import { Fault } from '../../../schemas/ports.ts'
import type { EventPayload } from '../../../schemas/records.ts'
import { accepted } from './accepted.ts'

const RECORDS_PER_BATCH = 200

export async function liveStore(redis: RedisPort) {
  const calls: RedisCall[] = []
  const asked: RedisCall[] = []
  const counting = (into: RedisCall[]): RedisPort => ({
    batch(some) {
      into.push(...some)
      return redis.batch(some)
    },
  })
  const sink = liveSink({ redis: counting(calls), generation: 0, logger: silentLog, clock: systemClock })
  await redis.batch([['EVAL', 'return redis.call("FLUSHALL")', 0] as never])
  await sink.begin(0, { begin: 0, end: 0 }, false)
  const noArchive = {
    query: async () => {
      throw new Fault('clickhouse_unavailable', 'there is none', { retriable: true })
    },
  }
  const heads = new Map<string, { seq: number; ordinal: number }>()
  let offset = 0

  return {
    reads: readModels({
      redis: counting(asked),
      clickhouse: noArchive,
      partitions: 1,
      generation: 0,
      clock: systemClock,
    }),
    /** All calls that the sink made so far. */
    calls,
    /** All calls that the reads made so far. */
    asked,
    /** The next event of a stream. */
    event<T extends EventPayload['type']>(
      stream: string,
      sender: string,
      type: T,
      fields: Partial<Omit<Extract<EventPayload, { type: T }>, 'type'>> = {},
    ): Accepted {
      const head = heads.get(stream) ?? { seq: 0, ordinal: 0 }
      head.seq++
      if (type === 'MessageSent') head.ordinal++
      heads.set(stream, head)
      offset++
      return accepted({ stream, sender, ...head, offset }, type, fields)
    },
    async put(...records: Accepted[]): Promise<void> {
      for (let at = 0; at < records.length; at += RECORDS_PER_BATCH) {
        const some = records.slice(at, at + RECORDS_PER_BATCH)
        const next: Position = { generation: 0, offset: offset + 1, epoch: 0, last: offset - 1 }
        if ((await sink.apply(0, some, next)) !== 'applied') throw new Error('lost')
      }
      await sink.tick()
    },
    /** Fan-out has told of events up to here; the read models have not come to them. */
    async raise(stream: string, seq: number): Promise<void> {
      await redis.batch([{ script: raiseHead, keys: [keys.head(stream)], args: [seq, seq, 0] }])
    },
  }
}

export type LiveStore = Awaited<ReturnType<typeof liveStore>>
