/**
 * Schemas travel with the log. Before a process writes anything, every schema that it may write stands on im.schemas; a record that
 * names one that a reader does not know is held back until the reader has it from there. So releases run side by side in any order.
 */
import { scan } from '../projections/scan.ts'
import { knowsSchema, learnSchema, ownSchemas } from '../schemas/codec.ts'
import { fingerprintOf } from '../schemas/fingerprint.ts'
import { schemasNamed } from '../schemas/named.ts'
import {
  type Clock,
  Fault,
  type GroupConsumer,
  type Logger,
  type LogRecord,
  type LogStore,
  sleepOf,
} from '../schemas/ports.ts'
import { topics } from '../schemas/topics.ts'

export interface SchemaBook {
  /** Writes down what this release may write and is not there yet; learns what is. To be called before anything else is written. */
  publish(): Promise<void>
  /** Resolves when they are known, or when it is certain that the topic does not have them. */
  learn(keys: readonly string[]): Promise<void>
  readonly stats: { learned: number; unknown: number }
}

const PARTITION = 0
const RETRY_MS = 500
const PUBLISH_TRIES_MAX = 20
/** Of rubbish that looks like a record: it is not asked for again. */
const UNKNOWN_MAX = 10_000

const hex = (key: string): string => Buffer.from(key, 'latin1').toString('hex')

export function createSchemaBook(store: LogStore, clock: Clock, logger: Logger): SchemaBook {
  const stats = { learned: 0, unknown: 0 }
  const written = new Set<string>()
  const unknown = new Set<string>()
  let atStart = true
  let running: Promise<void> | null = null
  let following: Promise<void> | null = null

  function take(records: readonly LogRecord[]): void {
    for (const { value } of records) {
      if (!value) continue
      const canonical = value.toString('utf8')
      written.add(canonical)
      const name = learnSchema(canonical)
      if (name === null) continue
      stats.learned++
      const fingerprint = fingerprintOf(canonical).toString('hex')
      logger.info({ schema: name, fingerprint, atStart }, 'learned a schema of another release')
    }
  }

  async function readAll(): Promise<void> {
    await scan({
      store,
      topic: topics.schemas,
      partitions: 1,
      compacted: true,
      take: (_, some) => take(some),
    })
  }

  /** To the end that the topic has now: a reading that began before the call may have begun before the schema stood there. */
  function read(): Promise<void> {
    if (running === null) {
      running = readAll().finally(() => {
        running = null
      })
      return running
    }
    following ??= running
      .catch(() => {})
      .then(() => {
        following = null
        return read()
      })
    return following
  }

  async function writeDown(): Promise<void> {
    const admin = await store.admin()
    const { end } = await admin.range(topics.schemas, PARTITION).finally(() => admin.close())
    if (end > 0) await read()
    const records = ownSchemas
      .filter(({ canonical }) => !written.has(canonical))
      .map(({ key, canonical }) => ({ key: hex(key), value: Buffer.from(canonical) }))
    if (records.length === 0) return
    const appender = await store.appender('schemas')
    await appender.appendBatch(topics.schemas, PARTITION, records).finally(() => appender.close())
  }

  return {
    stats,
    async publish() {
      await patiently(clock, writeDown)
      atStart = false
    },
    async learn(keys) {
      for (let tries = 1; keys.some((key) => !knowsSchema(key) && !unknown.has(key)); tries++) {
        try {
          await read()
          break
        } catch (err) {
          if (!(err instanceof Fault)) throw err
          // Logs of before there was such a topic.
          if (err.code === 'unknown_topic') break
          if (tries % 10 === 1)
            logger.warn({ code: err.code, err }, 'im.schemas could not be read; trying on')
          await sleepOf(clock)(RETRY_MS)
        }
      }
      for (const key of keys) {
        if (knowsSchema(key) || unknown.has(key)) continue
        stats.unknown++
        if (unknown.size < UNKNOWN_MAX) unknown.add(key)
        logger.warn({ fingerprint: hex(key) }, 'a record names a schema that nobody has written down')
      }
    },
  }
}

/** A topic that was just created may have no leader for a moment. */
async function patiently(clock: Clock, work: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (err) {
      if (!(err instanceof Fault && err.retriable) || tries === PUBLISH_TRIES_MAX) throw err
      await sleepOf(clock)(RETRY_MS)
    }
  }
}

/** The same log, whose consumers hand out no record before its schemas are known or known to be nobody's. */
export function knowingSchemas(store: LogStore, book: Pick<SchemaBook, 'learn'>): LogStore {
  return { ...store, consumer: (options) => knowing(store.consumer(options), options.topics, book) }
}

function knowing(
  consumer: GroupConsumer,
  topicsRead: readonly string[],
  book: Pick<SchemaBook, 'learn'>,
): GroupConsumer {
  /** Changes whenever what was read before may no longer be wanted. */
  const lives = new Map<string, number>()
  const keyOf = (topic: string, partition: number): string => `${topic}/${partition}`
  const lifeOf = (key: string): number => lives.get(key) ?? 0
  const anew = (topic: string, partition: number): void => {
    lives.set(keyOf(topic, partition), lifeOf(keyOf(topic, partition)) + 1)
  }

  return {
    ...consumer,
    seek(topic, partition, offset) {
      anew(topic, partition)
      consumer.seek(topic, partition, offset)
    },
    start: (handlers) =>
      consumer.start({
        ...handlers,
        assigned(added, removed) {
          for (const partition of removed) for (const topic of topicsRead) anew(topic, partition)
          handlers.assigned(added, removed)
        },
        records(topic, partition, records, end) {
          const unknown = unknownIn(records)
          if (unknown.length === 0) return handlers.records(topic, partition, records, end)
          const key = keyOf(topic, partition)
          const life = lifeOf(key)
          return book.learn(unknown).then(() => {
            if (lifeOf(key) === life) return handlers.records(topic, partition, records, end)
          })
        },
      }),
  }
}

function unknownIn(records: readonly LogRecord[]): string[] {
  const unknown = new Set<string>()
  for (const { value } of records)
    if (value) for (const key of schemasNamed(value)) if (!knowsSchema(key)) unknown.add(key)
  return [...unknown]
}
