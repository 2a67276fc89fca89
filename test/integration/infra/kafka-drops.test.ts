import { afterAll, beforeAll, expect, test } from 'vitest'
import { kafkaStore } from '../../../infra/kafka/store.ts'
import type { LogStore } from '../../../schemas/ports.ts'
import { realClock, silentLogger, startTestKafka, type TestKafka } from '../../support/kafka.ts'
import { type KafkaProxy, startKafkaProxy } from '../../support/kafka-proxy.ts'

let kafka: TestKafka
let proxy: KafkaProxy
let direct: LogStore
let proxied: LogStore

beforeAll(async () => {
  kafka = await startTestKafka()
  proxy = await startKafkaProxy(kafka.brokers)
  direct = kafkaStore({ brokers: kafka.brokers, clientId: 'direct' }, silentLogger, realClock)
  proxied = kafkaStore({ brokers: proxy.brokers, clientId: 'proxied' }, silentLogger, realClock)
})

afterAll(async () => {
  await proxy.close()
  await kafka.stop()
})

const partitions = 4
const dropsCount = 30

test('30 lost produce answers lose nothing, double nothing and keep the order', async () => {
  const topic = `drops-${process.pid}-${Date.now()}`
  const admin = await direct.admin()
  await admin.ensureTopics([{ name: topic, partitions, config: {} }])
  const appender = await proxied.appender('writer')
  const acked = new Map<string, string>()
  let sent = 0
  let unknown = 0
  const calls: Promise<void>[] = []
  const send = () => {
    const text = `${sent}`
    const partition = sent % partitions
    sent += 1
    calls.push(
      appender.append(topic, partition, { key: null, value: Buffer.from(text) }).then(
        (offset) => void acked.set(`${partition}/${offset}`, text),
        () => {
          unknown += 1
        },
      ),
    )
  }
  for (let round = 0; round < dropsCount; round += 1) {
    proxy.dropProduceResponses(/^proxied-writer$/, 1)
    while (proxy.remaining() > 0) {
      for (let i = 0; i < 7; i += 1) send()
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }
  await Promise.all(calls)
  expect(proxy.hits()).toBe(dropsCount)

  const log = await readAll(topic)
  const values = [...log.values()].flat()
  expect(unknown).toBe(0)
  expect(acked.size).toBe(sent)
  expect(new Set(values).size).toBe(values.length)
  expect(values.length).toBe(sent)
  for (const [place, text] of acked) {
    const [partition, offset] = place.split('/').map(Number)
    expect(log.get(partition ?? -1)?.[offset ?? -1]).toBe(text)
  }
  for (const texts of log.values()) {
    const numbers = texts.map(Number)
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
  }
  await appender.close()
  await admin.close()
})

async function readAll(topic: string): Promise<Map<number, string[]>> {
  const log = new Map<number, string[]>()
  const consumer = direct.consumer({ group: `read-${topic}`, topics: [topic] })
  await consumer.start({
    assigned: (added) => {
      for (const partition of added) consumer.seek(topic, partition, 0)
    },
    records(_, partition, records) {
      const list = log.get(partition) ?? []
      log.set(partition, list)
      for (const { value } of records) list.push(value?.toString() ?? '')
    },
    failed: (fault) => {
      throw fault
    },
  })
  for (let partition = 0; partition < partitions; partition += 1) {
    const { end } = await consumer.range(topic, partition)
    while ((log.get(partition)?.length ?? 0) < end) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await consumer.stop()
  return log
}
