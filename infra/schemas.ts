/**
 * Schemas travel with the log. Before a process writes anything, every schema that it may write stands on im.schemas; a record that
 * names one that a reader does not know is held back until the reader has it from there. So releases run side by side in any order.
 */
import { scan } from '../projections/scan.ts'
import { fingerprintHex } from '../schemas/avro.ts'
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
  /**
   * Writes down what this release may write and is not there yet, and texts of `others` as well; learns what is. To be called before
   * anything else is written. Answers how many were written.
   */
  publish(others?: readonly string[]): Promise<number>
  /** Resolves when they are known, or when it is certain that the topic does not have them. */
  learn(keys: readonly string[]): Promise<void>
  readonly stats: { learned: number; unknown: number }
}

const PARTITION = 0
const RETRY_MS = 500
const PUBLISH_TRIES_MAX = 20
/** A request holds so many, however long they are. */
const TEXTS_PER_REQUEST = 15
/** Of rubbish that looks like a record: it is not asked for again. */
const UNKNOWN_MAX = 10_000

const nameOf = (canonical: string): string => fingerprintOf(canonical).toString('hex')

export function createSchemaBook(store: LogStore, clock: Clock, logger: Logger): SchemaBook {
  const stats = { learned: 0, unknown: 0 }
  const written = new Set<string>()
  const unknown = new Set<string>()
  let atStart = true
  let running: Promise<void> | null = null
  let following: Promise<void> | null = null

  function take(canonical: string): void {
    const name = learnSchema(canonical)
    if (name === null) return
    stats.learned++
    logger.info(
      { schema: name, fingerprint: nameOf(canonical), atStart },
      'learned a schema of another release',
    )
  }

  function takeAll(records: readonly LogRecord[]): void {
    for (const { value } of records) {
      if (!value) continue
      const canonical = value.toString('utf8')
      written.add(canonical)
      take(canonical)
    }
  }

  async function readAll(): Promise<void> {
    await scan({
      store,
      topic: topics.schemas,
      partitions: 1,
      compacted: true,
      take: (_, some) => takeAll(some),
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

  async function writeDown(others: readonly string[]): Promise<number> {
    const admin = await store.admin()
    const { end } = await admin.range(topics.schemas, PARTITION).finally(() => admin.close())
    if (end > 0) await read()
    const wanted = new Set([...ownSchemas.map(({ canonical }) => canonical), ...others])
    const records = [...wanted]
      .filter((canonical) => !written.has(canonical))
      .map((canonical) => ({ key: nameOf(canonical), value: Buffer.from(canonical) }))
    if (records.length === 0) return 0
    const appender = await store.appender('schemas')
    try {
      for (let at = 0; at < records.length; at += TEXTS_PER_REQUEST)
        await appender.appendBatch(topics.schemas, PARTITION, records.slice(at, at + TEXTS_PER_REQUEST))
    } finally {
      await appender.close()
    }
    return records.length
  }

  return {
    stats,
    async publish(others = []) {
      for (const canonical of others) take(canonical)
      const count = await patiently(clock, () => writeDown(others))
      atStart = false
      return count
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
        logger.warn(
          { fingerprint: fingerprintHex(key) },
          'a record names a schema that nobody has written down',
        )
      }
    },
  }
}

/** A topic that was just created may have no leader for a moment. */
async function patiently<T>(clock: Clock, work: () => Promise<T>): Promise<T> {
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
