/** F24: releases side by side. A reader of an older one meets what a newer one writes, learns its schema from the log, and loses nothing. */
import { beforeEach, expect, test } from 'vitest'
import { silentLog } from '../../../infra/log.ts'
import { createMemoryLog, type MemoryLog } from '../../../infra/memory/log.ts'
import { createSchemaBook, knowingSchemas } from '../../../infra/schemas.ts'
import { codec, fingerprintKey, Undecodable } from '../../../schemas/avro.ts'
import {
  decodeEventPayload,
  knowsSchema,
  learnSchema,
  openEnvelope,
  sealEnvelope,
} from '../../../schemas/codec.ts'
import type { ConsumerHandlers, LogStore } from '../../../schemas/ports.ts'
import { eventPayloads } from '../../../schemas/records.ts'
import { sharedTopics, topics } from '../../../schemas/topics.ts'
import { realClock } from '../../support/kafka.ts'
import { sampleOf } from '../../support/samples.ts'

let fields = 0
let log: MemoryLog

beforeEach(async () => {
  log = createMemoryLog(realClock)
  const admin = await log.admin()
  await admin.ensureTopics(sharedTopics(1))
})

/** A message as a release writes it that has one field more. */
function newerMessage(offset: number) {
  const now = JSON.parse(eventPayloads.MessageSent.canonical) as { fields: object[] }
  const newer = codec({
    ...now,
    fields: [...now.fields, { name: `more${fields++}`, type: 'string', default: '' }],
  } as never)
  const body = { ...(sampleOf(JSON.parse(newer.canonical)) as object), sender: 'ann' }
  const value = sealEnvelope({
    ...{ kind: 'event', generation: 0, epoch: 0, source: offset, stream: 'p2p:ann:bob', seq: 1, ordinal: 1 },
    ...{ time: 0, trace: null, reply: null, schema: newer.fingerprint, payload: newer.encode(body as never) },
  })
  const write = () =>
    log.broker.append(topics.schemas, 0, [{ key: null, value: Buffer.from(newer.canonical) }], 0)
  return { key: fingerprintKey(newer.fingerprint), canonical: newer.canonical, value, write }
}

const append = (value: Buffer) => log.broker.append(topics.events, 0, [{ key: null, value }], 0)

async function read(store: LogStore, more: Partial<ConsumerHandlers> = {}) {
  const seen: { offset: number; sender: string }[] = []
  const consumer = store.consumer({ group: 'g', topics: [topics.events] })
  await consumer.start({
    assigned: (added) => {
      for (const partition of added) consumer.seek(topics.events, partition, 0)
    },
    records(_topic, _partition, records) {
      for (const { offset, value } of records) seen.push({ offset, sender: senderOf(value as Buffer) })
    },
    failed: (fault) => {
      throw fault
    },
    ...more,
  })
  return { consumer, seen }
}

function senderOf(value: Buffer): string {
  try {
    return (decodeEventPayload(openEnvelope(value)) as { sender: string }).sender
  } catch (err) {
    if (err instanceof Undecodable) return 'undecodable'
    throw err
  }
}

const until = async (done: () => boolean) => {
  for (let i = 0; i < 500 && !done(); i++) await new Promise((resolve) => setTimeout(resolve, 10))
  expect(done()).toBe(true)
}

test('what a newer release writes is read by an older one, which had never heard of it', async () => {
  const { value, write } = newerMessage(0)
  append(value)
  write()
  expect(senderOf(value)).toBe('undecodable')
  const book = createSchemaBook(log, realClock, silentLog)
  const { seen, consumer } = await read(knowingSchemas(log, book))
  await until(() => seen.length === 1)
  expect(seen).toEqual([{ offset: 0, sender: 'ann' }])
  expect(book.stats).toEqual({ learned: 1, unknown: 0 })
  await consumer.stop()
})

test('what nobody wrote down is handed on as it is, and asked for once', async () => {
  const { value } = newerMessage(0)
  append(value)
  append(value)
  const book = createSchemaBook(log, realClock, silentLog)
  const { seen, consumer } = await read(knowingSchemas(log, book))
  await until(() => seen.length === 2)
  append(value)
  await until(() => seen.length === 3)
  expect(seen.map(({ sender }) => sender)).toEqual(Array(3).fill('undecodable'))
  expect(book.stats).toEqual({ learned: 0, unknown: 1 })
  await consumer.stop()
})

test('in logs of before there was such a topic nothing waits for it', async () => {
  const old = createMemoryLog(realClock)
  await (await old.admin()).ensureTopics(sharedTopics(1).filter(({ name }) => name !== topics.schemas))
  const { key } = newerMessage(0)
  const book = createSchemaBook(old, realClock, silentLog)
  await book.learn([key])
  expect(book.stats).toEqual({ learned: 0, unknown: 1 })
})

test('each process writes down what it may write, once, before anything else', async () => {
  const book = createSchemaBook(log, realClock, silentLog)
  await book.publish()
  const { end } = log.broker.range(topics.schemas, 0)
  expect(end).toBeGreaterThan(50)
  await createSchemaBook(log, realClock, silentLog).publish()
  expect(log.broker.range(topics.schemas, 0).end).toBe(end)
  const { key, write } = newerMessage(0)
  write()
  await createSchemaBook(log, realClock, silentLog).publish()
  expect(knowsSchema(key)).toBe(true)
})

test('the schemas of other releases that only an archive had are put back once, and known', async () => {
  const { key, canonical } = newerMessage(0)
  const book = createSchemaBook(log, realClock, silentLog)
  const own = await book.publish()
  expect(await book.publish([canonical])).toBe(1)
  expect(knowsSchema(key)).toBe(true)
  const [record] = log.broker.read(topics.schemas, 0, own, 10)
  expect(String(record?.value)).toBe(canonical)
  expect(String(record?.key)).toBe(Buffer.from(key, 'latin1').toString('hex'))
  expect(await createSchemaBook(log, realClock, silentLog).publish([canonical])).toBe(0)
})

test('records that wait for their schema are not handed out once they were sought anew or lost', async () => {
  const { value } = newerMessage(0)
  append(value)
  let go = () => {}
  const learning = new Promise<void>((resolve) => {
    go = resolve
  })
  let asked = 0
  const store = knowingSchemas(log, { learn: () => (asked++ === 0 ? learning : Promise.resolve()) })
  const { seen, consumer } = await read(store)
  await until(() => asked === 1)
  append(value)
  consumer.seek(topics.events, 0, 1)
  go()
  await until(() => seen.length > 0)
  expect(seen.map(({ offset }) => offset)).toEqual([1])
  await consumer.stop()
})

test('only texts of records of ours are learned', () => {
  const text = (more: object) =>
    JSON.stringify({ name: 'longwire.event.X', type: 'record', fields: [], ...more })
  for (const one of [
    '',
    '{',
    'null',
    '"x"',
    text({ type: 'fixed' }),
    text({ name: 'x' }),
    text({ name: 'longwire.a b' }),
  ])
    expect(learnSchema(one)).toBe(null)
  expect(learnSchema(text({}))).toBe('longwire.event.X')
  expect(learnSchema(text({}))).toBe(null)
})
