/** A log in memory with commands and their records, both read models on real engines that follow it, and verify over all of them. */
import { systemClock } from '../../../infra/clock.ts'
import { silentLog } from '../../../infra/log.ts'
import { createMemoryLog } from '../../../infra/memory/log.ts'
import { decide } from '../../../processors/decide.ts'
import { emptyFold, evolveInto, streamIn } from '../../../processors/fold.ts'
import { answerCommand } from '../../../processors/write.ts'
import { archiveSink } from '../../../projections/archive/sink.ts'
import { migrations } from '../../../projections/archive/tables.ts'
import { noContentKeys } from '../../../projections/content-keys/follower.ts'
import { liveSink } from '../../../projections/live/sink.ts'
import { createReader } from '../../../projections/reader.ts'
import { createVerifier, type VerifyOptions } from '../../../projections/verify/verify.ts'
import { sealCommand, sealEnvelope } from '../../../schemas/codec.ts'
import { groupStream, newGroupId, partitionOf } from '../../../schemas/ids.ts'
import type { CommandPayload, Envelope } from '../../../schemas/records.ts'
import { topics } from '../../../schemas/topics.ts'
import { commandOf, commandRecord, create, packId, T0 } from '../commands.ts'
import { claimBytes } from '../events.ts'
import type { startEngines } from './engines.ts'

type Engines = Awaited<ReturnType<typeof startEngines<true>>>

type Change = (envelope: Envelope) => Envelope
export type VerifiedLog = ReturnType<typeof verifiedLog>

/** Written as sequencers write it, with the real rules; `change` may falsify a record on its way into the log. */
export function verifiedLog(partitions = 2) {
  const log = createMemoryLog(systemClock)
  log.broker.createTopic(topics.commands, partitions)
  log.broker.createTopic(topics.events, partitions)
  const of = Array.from({ length: partitions }, (_, partition) => {
    log.broker.append(topics.events, partition, [{ key: null, value: claimBytes(0, 0) }], T0)
    return { fold: emptyFold(), source: 0 }
  })
  let now = T0
  let n = 0
  const append = (partition: number, envelope: Envelope) =>
    log.broker.append(
      topics.events,
      partition,
      [{ key: envelope.stream, value: sealEnvelope(envelope) }],
      now,
    )

  function say(
    stream: string,
    sender: string,
    payload: CommandPayload,
    change: Change = (it) => it,
  ): Envelope {
    const partition = partitionOf(stream, partitions)
    const at = of[partition] as (typeof of)[number]
    now += 1
    n += 1
    const command = commandOf(stream, sender, packId(now, n), payload)
    log.broker.append(topics.commands, partition, [{ key: stream, value: sealCommand(command) }], now)
    const written = answerCommand(
      { generation: 0, epoch: 0, now, decide, stateOf: (name) => streamIn(at.fold.streams, name) },
      commandRecord(at.source++, now, command),
    )
    evolveInto(at.fold, written.envelope, written.payload)
    append(partition, change(written.envelope))
    return written.envelope
  }

  return {
    log,
    partitions,
    append,
    now: () => now,
    at(ms: number) {
      now = Math.max(now, T0 + ms)
    },
    say: (stream: string, sender: string, payload: CommandPayload, change?: Change) =>
      say(stream, sender, payload, change),
    /** The stream of a new group. */
    found(creator: string, ...members: string[]): string {
      const stream = groupStream(newGroupId(creator, packId(now + 1, n + 1)))
      say(stream, creator, create('the group', ...members))
      return stream
    },
  }
}

/** Redis and the archive, which follow the log until they are stopped. */
export async function following({ log }: VerifiedLog, { redis, clickhouse }: Engines) {
  await redis.batch([['EVAL', 'return redis.call("FLUSHALL")', 0] as never])
  for (const { statements } of migrations)
    for (const [, table] of statements.join(';').matchAll(/CREATE TABLE IF NOT EXISTS (\w+)/g))
      await clickhouse.command(`TRUNCATE TABLE ${table}`)
  const common = {
    clock: systemClock,
    logger: silentLog,
    recordsPerBatchMax: 500,
    bytesPerBatchMax: 1_000_000,
    deadLetter: async () => {},
    failed(fault: Error) {
      throw fault
    },
  }
  const sinks = {
    live: liveSink({ redis, generation: 0, logger: silentLog, clock: systemClock }),
    archive: archiveSink({ clickhouse, generation: 0, clock: systemClock, logger: silentLog, lingerMs: 20 }),
  }
  const readers = Object.entries(sinks).map(([name, sink]) =>
    createReader({
      ...common,
      ...{ name, sink },
      consumer: log.consumer({ group: name, topics: [topics.events] }),
    }),
  )
  for (const reader of readers) await reader.start()
  return {
    async stop() {
      sinks.archive.close()
      for (const reader of readers) await reader.stop()
    },
  }
}

export const verifierOf = (
  { log, partitions }: VerifiedLog,
  { redis, clickhouse }: Engines,
  options: Partial<VerifyOptions> = {},
) =>
  createVerifier({
    ...{
      store: log,
      redis,
      clickhouse,
      opener: noContentKeys,
      partitions,
      generation: 0,
      clock: systemClock,
      waitMs: 10_000,
      settleMs: 200,
    },
    ...options,
  })
