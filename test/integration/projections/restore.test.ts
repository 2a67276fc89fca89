/** A restore from a real archive, into the log in memory. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../../infra/clock.ts'
import { silentLog } from '../../../infra/log.ts'
import { createMemoryLog, type MemoryLog } from '../../../infra/memory/log.ts'
import { createSchemaBook } from '../../../infra/schemas.ts'
import { emptyFold, foldRecord } from '../../../processors/fold.ts'
import { archivedSchemas } from '../../../projections/archive/schemas.ts'
import { archiveSink } from '../../../projections/archive/sink.ts'
import { restoreContentKeys } from '../../../projections/content-keys/mirror.ts'
import { createRegistry, followedIn } from '../../../projections/namespaces/registry.ts'
import type { Accepted } from '../../../projections/projection.ts'
import { archiveIn } from '../../../projections/restore/archive.ts'
import { namespaceOf, startAfresh } from '../../../projections/restore/fresh.ts'
import { checkGenerations, readGenerations } from '../../../projections/restore/generations.ts'
import { recordHash } from '../../../projections/restore/restamp.ts'
import { type RestoreOptions, restore } from '../../../projections/restore/restore.ts'
import { ownSchemas, sealCommand } from '../../../schemas/codec.ts'
import { p2pId } from '../../../schemas/ids.ts'
import { sharedTopics, topics } from '../../../schemas/topics.ts'
import { commandOf, packId, send, T0 } from '../../support/commands.ts'
import { startEngines } from '../../support/projections/engines.ts'
import { logWriter } from '../../support/projections/log-writer.ts'
import { plainModel } from '../../support/projections/plain-model.ts'
import { createRandom } from '../../support/random.ts'

const PARTITIONS = 3
const GENERATION = 4

let engines: Awaited<ReturnType<typeof startEngines<true>>>
let old: MemoryLog
let records: Accepted[]

/** What counts in a log. */
function accepted(log: MemoryLog, partitions: number): Accepted[] {
  return Array.from({ length: partitions }, (_, partition) => {
    const fold = emptyFold()
    return log.broker.read(topics.events, partition, 0, 1e9).flatMap((record): Accepted[] => {
      const { verdict, envelope, payload } = foldRecord(fold, record)
      return verdict === 'accept' && envelope ? [{ partition, offset: record.offset, envelope, payload }] : []
    })
  }).flat()
}

const linesOf = (some: readonly Accepted[]): string[] =>
  some
    .map(({ envelope }) => {
      const { stream, seq, ordinal, time, kind } = envelope
      return [stream, seq, ordinal, time, kind, recordHash(envelope)].join(' ')
    })
    .sort()

async function archive(some: readonly Accepted[]): Promise<void> {
  const { clickhouse } = engines
  const sink = archiveSink({ clickhouse, generation: 0, clock: systemClock, logger: silentLog, lingerMs: 1 })
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const of = some.filter((one) => one.partition === partition)
    await sink.apply(partition, of, { generation: 0, offset: 1, epoch: 0, last: 0 })
  }
  sink.close()
}

function optionsFor(log: MemoryLog, more: Partial<RestoreOptions> = {}): RestoreOptions & { said: string[] } {
  const said: string[] = []
  return {
    store: log,
    clock: systemClock,
    candidates: async () => [{ database: 'longwire', records: records.length, generation: 0 }],
    archiveIn: () => archiveIn(engines.clickhouse),
    database: null,
    generation: GENERATION - 1,
    partitions: 5,
    replace: false,
    by: 'test',
    restoreSchemas: async () => 0,
    restoreKeys: async () => 0,
    startAfresh: (generation) =>
      startAfresh({ store: log, generation, archives: ['', 'other'], by: 'test', at: T0 }),
    say: (line) => said.push(line),
    progress() {},
    said,
    ...more,
  }
}

beforeAll(async () => {
  engines = await startEngines({ clickhouse: true })
  old = createMemoryLog(systemClock)
  for (const { name, partitions } of sharedTopics(PARTITIONS)) old.broker.createTopic(name, partitions)
  const writer = logWriter(old.broker, PARTITIONS, createRandom(7), plainModel())
  for (let i = 0; i < 1_500; i++) writer.step()
  records = accepted(old, PARTITIONS)
})
afterAll(() => engines?.stop())

beforeEach(async () => {
  await engines.clickhouse.command('TRUNCATE TABLE events')
  await archive(records)
})

describe('from an archive that is whole', () => {
  test('an empty Kafka gets the same records as a new generation, and nothing runs on it with the old one', async () => {
    const log = createMemoryLog(systemClock)
    const options = optionsFor(log)
    const done = await restore(options)
    expect(done).toMatchObject({ generation: GENERATION, partitions: 5, records: records.length, found: 0 })
    const again = accepted(log, 5)
    expect(linesOf(again)).toEqual(linesOf(records))
    expect(new Set(again.map(({ envelope }) => envelope.generation))).toEqual(new Set([GENERATION]))
    expect(await readGenerations(log)).toMatchObject([
      { generation: GENERATION, state: 'complete', partitions: 5 },
    ])
    const settings = { generation: GENERATION, partitions: 5 }
    await expect(checkGenerations(log, settings)).rejects.toThrow(/set LONGWIRE_GENERATION=5/)
    await expect(checkGenerations(log, { generation: 5, partitions: 3 })).rejects.toThrow(
      /LONGWIRE_PARTITIONS=5/,
    )
    await checkGenerations(log, { generation: 5, partitions: 5 })
    await expect(restore(options)).rejects.toThrow(/restored as generation 4 already/)
  })

  test('the read models of the new generation are built apart, and those of the old one are not followed', async () => {
    const log = createMemoryLog(systemClock)
    await restore(optionsFor(log))
    const registry = createRegistry()
    for (const { key, value } of log.broker.read(topics.projections, 0, 0, 10))
      registry.apply(String(key), value as Buffer, 0)
    for (const projection of ['live', 'archive'] as const)
      expect(followedIn(registry.of(projection))).toEqual([namespaceOf(GENERATION)])
    expect(registry.of('archive').namespaces.map(({ name }) => name)).toEqual(['g4', '', 'other'])
  })

  test('a restore that was begun goes on, and until then nothing runs', async () => {
    const log = createMemoryLog(systemClock)
    const abort = new AbortController()
    let cut = 0
    const progress: RestoreOptions['progress'] = (phase) => {
      if (phase === 'write' && ++cut === 1) abort.abort()
    }
    await expect(restore(optionsFor(log, { progress, signal: abort.signal }))).rejects.toMatchObject({
      code: 'aborted',
    })
    await expect(checkGenerations(log, { generation: 9, partitions: 5 })).rejects.toThrow(/is not complete/)
    await expect(restore(optionsFor(log, { partitions: 6 }))).rejects.toThrow(/go on with it/)
    await restore(optionsFor(log))
    expect(linesOf(accepted(log, 5))).toEqual(linesOf(records))
  })

  test('logs that stand are given up only when told so, when nobody writes and no command waits', async () => {
    const admin = await old.admin()
    const options = optionsFor(old, { partitions: 4 })
    await expect(restore(options)).rejects.toThrow(/--replace/)
    for (const one of records)
      while (old.broker.range(topics.commands, one.partition).end <= one.envelope.source)
        old.broker.append(topics.commands, one.partition, [{ key: 'k', value: Buffer.from('c') }], T0)
    const stream = p2pId('ann', 'bob')
    const command = sealCommand(commandOf(stream, 'ann', packId(T0, 1), send('waits')))
    old.broker.append(topics.commands, 1, [{ key: stream, value: command }], T0)
    await expect(restore({ ...options, replace: true })).rejects.toThrow(
      /1 commands in im.commands have no record/,
    )
    const { end } = old.broker.range(topics.commands, 1)
    const kept = old.broker.read(topics.commands, 1, 0, end - 1)
    await admin.deleteTopic(topics.commands)
    old.broker.createTopic(topics.commands, PARTITIONS)
    for (const one of records)
      while (old.broker.range(topics.commands, one.partition).end <= one.envelope.source)
        old.broker.append(topics.commands, one.partition, [{ key: 'k', value: kept[0]?.value ?? null }], T0)
    await engines.clickhouse.command(
      'ALTER TABLE events DELETE WHERE partition = 2 AND source = (SELECT max(source) FROM events WHERE partition = 2) SETTINGS mutations_sync = 1',
    )
    await expect(restore({ ...options, replace: true })).rejects.toThrow(/archive has not all of im.events/)
    await engines.clickhouse.command('TRUNCATE TABLE events')
    await archive(records)
    await restore({ ...options, replace: true })
    expect(linesOf(accepted(old, 4))).toEqual(linesOf(records))
    expect(await admin.partitionCount(topics.commands)).toBe(4)
    expect(old.broker.range(topics.commands, 1)).toEqual({ begin: 0, end: 0 })
  })
})

describe('an archive is refused, and nothing is changed,', () => {
  const refusal = async (sql: string, more: Partial<RestoreOptions> = {}): Promise<string> => {
    await engines.clickhouse.command(`${sql} SETTINGS mutations_sync = 1`)
    const log = createMemoryLog(systemClock)
    const message = await restore(optionsFor(log, more)).then(
      () => 'it was restored',
      (err: Error) => err.message,
    )
    expect(log.broker.topics()).toEqual([])
    return message
  }

  test('when a stretch is missing, which is named', async () => {
    const said = await refusal('ALTER TABLE events DELETE WHERE partition = 1 AND source BETWEEN 20 AND 29')
    expect(said).toContain('generation 0, partition 1: sources 20 to 29 are missing')
  })

  test('when its beginning is missing', async () => {
    const said = await refusal('ALTER TABLE events DELETE WHERE partition = 0 AND source < 5')
    expect(said).toContain('generation 0, partition 0: sources 0 to 4 are missing')
  })

  test('when a seq is missing though no source is', async () => {
    const said = await refusal(
      "ALTER TABLE events UPDATE seq = seq + 1 WHERE stream = 'p2p:ann:bob' AND seq > 3",
    )
    expect(said).toMatch(/p2p:ann:bob: \d+ events with seqs from 1 to/)
  })

  test('when a byte has changed', async () => {
    const said = await refusal(
      "ALTER TABLE events UPDATE payload = concat(payload, 'x') WHERE partition = 2 AND source = 7",
    )
    expect(said).toMatch(/partition 2, source 7 .* bytes have changed/)
  })

  test('when it is of a later generation than the setting says, or empty', async () => {
    const update = 'ALTER TABLE events DELETE WHERE 0'
    expect(await refusal(update, { generation: -1 })).toContain('set it to 0')
    expect(await refusal('TRUNCATE TABLE events', { candidates: async () => [] })).toContain(
      'nothing to restore',
    )
    expect(await refusal('TRUNCATE TABLE events', { database: 'elsewhere' })).toContain(
      'elsewhere holds no archive',
    )
  })
})

test('schemas that the archive has are on im.schemas before the first record that may need them', async () => {
  const log = createMemoryLog(systemClock)
  const book = createSchemaBook(log, systemClock, silentLog)
  const text = JSON.stringify({ name: 'longwire.event.Restored', type: 'record', fields: [] })
  await engines.clickhouse.insert('schemas', [{ fingerprint: 'x', text }])
  let events = -1
  const options = optionsFor(log, {
    async restoreSchemas() {
      events = log.broker.range(topics.events, 0).end
      return book.publish(await archivedSchemas(engines.clickhouse))
    },
  })
  await restore(options)
  expect(events).toBe(0)
  const texts = log.broker.read(topics.schemas, 0, 0, 1e6).map(({ value }) => String(value))
  expect(texts).toContain(text)
  expect(new Set(texts).size).toBe(texts.length)
  for (const { canonical } of ownSchemas) expect(texts).toContain(canonical)
  expect(options.said.join('\n')).toContain(`${texts.length} schemas were missing in im.schemas`)
})

test('an archive of a release that sealed no contents has no keys to bring back', async () => {
  await engines.clickhouse.command('RENAME TABLE content_keys TO content_keys_away')
  try {
    expect(await restoreContentKeys(createMemoryLog(systemClock), engines.clickhouse)).toBe(0)
  } finally {
    await engines.clickhouse.command('RENAME TABLE content_keys_away TO content_keys')
  }
})

test('accepted commands that have no record are named where only im.events is lost', async () => {
  const log = createMemoryLog(systemClock)
  for (const { name, partitions } of sharedTopics(PARTITIONS)) log.broker.createTopic(name, partitions)
  const stream = p2pId('ann', 'bob')
  const command = sealCommand(commandOf(stream, 'ann', packId(T0, 1), send('lost')))
  const last = Math.max(...records.filter((one) => one.partition === 0).map((one) => one.envelope.source))
  for (let offset = 0; offset <= last + 2; offset++)
    log.broker.append(topics.commands, 0, [{ key: stream, value: command }], T0)
  await expect(restore(optionsFor(log))).rejects.toThrow(/im.commands is not empty/)
  const options = optionsFor(log, { replace: true })
  expect(await restore(options)).toMatchObject({ unanswered: 2 })
  expect(options.said.join('\n')).toContain(
    `0/${last + 1} ${'018bcfe5-6800-7000-8000-000000000001'} of ann to ${stream}`,
  )
})
