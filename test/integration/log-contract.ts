import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Fault, GroupConsumer, LogAdmin, LogRecord, LogStore } from '../../schemas/ports.ts'

/** What every log store promises, run against the one on Kafka and the one in memory. */
export interface ContractStore {
  readonly store: LogStore
  close(): Promise<void>
}

const partitions = 4
const config = { 'message.timestamp.type': 'LogAppendTime' }
const bigBytes = 1_100_000

interface Reader {
  readonly consumer: GroupConsumer
  readonly got: { topic: string; partition: number; record: LogRecord; end: number }[]
  readonly assignments: { added: readonly number[]; removed: readonly number[] }[]
  readonly faults: Fault[]
}

interface ReaderOptions {
  readonly group: string
  readonly topics: readonly string[]
  readonly sessionTimeoutMs?: number
  /** Where to begin; default 0. `null` = never sought. */
  readonly from?: (topic: string, partition: number) => number | null
  readonly onRecords?: (
    topic: string,
    partition: number,
    records: readonly LogRecord[],
  ) => void | Promise<void>
}

export function logContract(name: string, open: () => Promise<ContractStore>): void {
  describe(`the log on ${name}`, () => {
    let opened: ContractStore
    let store: LogStore
    let admin: LogAdmin
    let cleanups: (() => Promise<void>)[] = []
    let counter = 0

    beforeAll(async () => {
      opened = await open()
      store = opened.store
      admin = await store.admin()
    }, 120_000)

    afterEach(async () => {
      for (const cleanup of cleanups.reverse()) await cleanup()
      cleanups = []
    }, 60_000)

    afterAll(async () => {
      await admin?.close()
      await opened?.close()
    }, 60_000)

    const unique = (what: string) => `${what}-${process.pid}-${Date.now()}-${++counter}`

    const makeTopic = async (count = partitions): Promise<string> => {
      const topic = unique('contract')
      await admin.ensureTopics([{ name: topic, partitions: count, config }])
      return topic
    }

    const makeAppender = async () => {
      const appender = await store.appender(unique('writer'))
      cleanups.push(() => appender.close())
      return appender
    }

    const makeReader = async (options: ReaderOptions): Promise<Reader> => {
      const { group, topics, sessionTimeoutMs } = options
      const consumer = store.consumer({ group, topics, ...(sessionTimeoutMs ? { sessionTimeoutMs } : {}) })
      const reader: Reader = { consumer, got: [], assignments: [], faults: [] }
      cleanups.push(() => consumer.stop())
      await consumer.start({
        assigned(added, removed) {
          reader.assignments.push({ added, removed })
          for (const topic of topics) {
            for (const partition of added) {
              const offset = options.from === undefined ? 0 : options.from(topic, partition)
              if (offset !== null) consumer.seek(topic, partition, offset)
            }
          }
        },
        records(topic, partition, records, end) {
          for (const record of records) reader.got.push({ topic, partition, record, end })
          return options.onRecords?.(topic, partition, records)
        },
        failed: (fault) => void reader.faults.push(fault),
      })
      return reader
    }

    const offsetsOf = (reader: Reader, topic: string, partition: number) =>
      reader.got
        .filter((one) => one.topic === topic && one.partition === partition)
        .map(({ record }) => record.offset)

    test('appends get contiguous offsets in call order, per partition', async () => {
      const topic = await makeTopic()
      const appender = await makeAppender()
      const calls = Array.from({ length: 400 }, (_, index) =>
        appender.append(topic, index % 2, { key: `k${index}`, value: Buffer.from(String(index)) }),
      )
      const offsets = await Promise.all(calls)
      for (const partition of [0, 1]) {
        expect(offsets.filter((_, index) => index % 2 === partition)).toEqual(sequence(0, 200))
      }
      const reader = await makeReader({ group: unique('g'), topics: [topic] })
      await until(() => reader.got.length === 400)
      for (const partition of [0, 1]) {
        const values = reader.got.filter((one) => one.partition === partition)
        expect(values.map(({ record }) => Number(record.value))).toEqual(
          sequence(0, 200).map((one) => one * 2 + partition),
        )
      }
    })

    test('keys, null values and broker time arrive; the end is the high watermark', async () => {
      const topic = await makeTopic()
      const appender = await makeAppender()
      await appender.append(topic, 0, { key: 'schlüssel', value: null })
      await appender.append(topic, 0, { key: null, value: Buffer.from([0, 255]) })
      const reader = await makeReader({ group: unique('g'), topics: [topic] })
      await until(() => reader.got.length === 2)
      const [first, second] = reader.got
      expect(first?.record.key?.toString()).toBe('schlüssel')
      expect(first?.record.value).toBeNull()
      expect(second?.record.key).toBeNull()
      expect(second?.record.value).toEqual(Buffer.from([0, 255]))
      expect(second?.end).toBe(2)
      expect(first?.record.timestamp).toBeGreaterThan(1_600_000_000_000)
    })

    test('a batch is contiguous, whatever else is appended meanwhile', async () => {
      const topic = await makeTopic()
      const [one, other] = [await makeAppender(), await makeAppender()]
      const records = Array.from({ length: 50 }, (_, index) => ({ key: 'b', value: Buffer.from(`${index}`) }))
      const rounds = sequence(0, 20)
      const batches = rounds.flatMap(() => [
        one.appendBatch(topic, 0, records),
        other.appendBatch(topic, 0, records),
      ])
      const singles = rounds.map(() => other.append(topic, 0, { key: 's', value: Buffer.from('s') }))
      const firsts = await Promise.all(batches)
      await Promise.all(singles)
      const reader = await makeReader({ group: unique('g'), topics: [topic] })
      await until(() => reader.got.length === 40 * 50 + 20)
      const values = new Map(reader.got.map(({ record }) => [record.offset, record.value?.toString()]))
      for (const first of firsts) {
        expect(sequence(0, 50).map((index) => values.get(first + index))).toEqual(
          sequence(0, 50).map((index) => `${index}`),
        )
      }
    })

    test('a record over the limit is refused and the next one goes through', async () => {
      const topic = await makeTopic()
      const appender = await makeAppender()
      const big = appender.append(topic, 0, { key: null, value: Buffer.alloc(bigBytes) })
      await expect(big).rejects.toMatchObject({ code: 'record_too_large', retriable: false })
      expect(await appender.append(topic, 0, { key: null, value: Buffer.from('small') })).toBe(0)
    })

    test('a topic that does not exist: the writer hears of it within its limit, other topics go on', async () => {
      const topic = await makeTopic()
      const appender = await store.appender(unique('writer'), { timeoutMs: 1_500 })
      cleanups.push(() => appender.close())
      const lost = appender.append('no-such-topic', 0, { key: null, value: Buffer.from('x') })
      const refusal = expect(lost).rejects.toMatchObject({ name: 'Fault', retriable: true })
      expect(await appender.append(topic, 0, { key: null, value: Buffer.from('y') })).toBe(0)
      await refusal
      expect(await appender.append(topic, 0, { key: null, value: Buffer.from('z') })).toBe(1)
      await expect(
        store.consumer({ group: unique('g'), topics: ['no-such-topic'] }).start(idle),
      ).rejects.toMatchObject({ code: 'unknown_topic' })
    })

    test('nothing of an added partition is delivered before seek, then from exactly there', async () => {
      const topic = await makeTopic(2)
      const appender = await makeAppender()
      await appender.appendBatch(topic, 0, numbered(10))
      await appender.appendBatch(topic, 1, numbered(10))
      const reader = await makeReader({
        group: unique('g'),
        topics: [topic],
        from: (_, partition) => (partition === 0 ? 7 : null),
      })
      await until(() => reader.got.length === 3)
      expect(offsetsOf(reader, topic, 0)).toEqual([7, 8, 9])
      reader.consumer.seek(topic, 1, 8)
      await until(() => reader.got.length === 5)
      expect(offsetsOf(reader, topic, 1)).toEqual([8, 9])
    })

    test('seek backwards and forwards while running goes on at exactly that offset', async () => {
      const topic = await makeTopic(1)
      const appender = await makeAppender()
      await appender.appendBatch(topic, 0, numbered(10))
      const reader = await makeReader({ group: unique('g'), topics: [topic] })
      await until(() => reader.got.length === 10)
      reader.consumer.seek(topic, 0, 4)
      await until(() => reader.got.length === 16)
      await appender.append(topic, 0, { key: null, value: Buffer.from('10') })
      await until(() => reader.got.length === 17)
      reader.consumer.seek(topic, 0, 10)
      await until(() => reader.got.length === 18)
      expect(offsetsOf(reader, topic, 0)).toEqual([...sequence(0, 10), ...sequence(4, 11), 10])
    })

    test('a paused partition is silent, the others are not; after resume nothing is missing', async () => {
      const topic = await makeTopic(2)
      const appender = await makeAppender()
      const reader = await makeReader({ group: unique('g'), topics: [topic] })
      reader.consumer.pause(topic, 0)
      await appender.appendBatch(topic, 0, numbered(20))
      await appender.appendBatch(topic, 1, numbered(20))
      await until(() => offsetsOf(reader, topic, 1).length === 20)
      await appender.append(topic, 1, { key: null, value: Buffer.from('x') })
      await until(() => offsetsOf(reader, topic, 1).length === 21)
      expect(offsetsOf(reader, topic, 0)).toEqual([])
      reader.consumer.resume(topic, 0)
      await until(() => offsetsOf(reader, topic, 0).length === 20)
      expect(offsetsOf(reader, topic, 0)).toEqual(sequence(0, 20))
    })

    test('a slow handler holds back its own partition only, and its calls never overlap', async () => {
      const topic = await makeTopic(2)
      const appender = await makeAppender()
      let release = () => {}
      const gate = new Promise<void>((resolve) => {
        release = resolve
      })
      let running = 0
      let overlaps = 0
      const reader = await makeReader({
        group: unique('g'),
        topics: [topic],
        async onRecords(_, partition) {
          if (partition !== 0) return
          if (running > 0) overlaps += 1
          running += 1
          await gate
          running -= 1
        },
      })
      for (const index of sequence(0, 30)) {
        await appender.append(topic, index % 2, { key: null, value: Buffer.from(`${index}`) })
      }
      await until(() => offsetsOf(reader, topic, 1).length === 15)
      expect(running).toBe(1)
      release()
      await until(() => offsetsOf(reader, topic, 0).length === 15)
      expect(offsetsOf(reader, topic, 0)).toEqual(sequence(0, 15))
      expect(overlaps).toBe(0)
    })

    test('two members share the partitions, equal for all topics; nothing is lost or doubled per position', async () => {
      const [left, right] = [await makeTopic(), await makeTopic()]
      const appender = await makeAppender()
      const group = unique('g')
      const next = new Map<string, number>()
      const seen: { topic: string; partition: number; offset: number }[] = []
      const options: ReaderOptions = {
        group,
        topics: [left, right],
        from: (topic, partition) => next.get(`${topic}/${partition}`) ?? 0,
        onRecords(topic, partition, records) {
          for (const { offset } of records) {
            seen.push({ topic, partition, offset })
            next.set(`${topic}/${partition}`, offset + 1)
          }
        },
      }
      let stopped = false
      let appended = 0
      const writing = (async () => {
        while (!stopped || appended % (partitions * 2) !== 0) {
          const topic = appended % 2 === 0 ? left : right
          await appender.append(topic, Math.floor(appended / 2) % partitions, {
            key: null,
            value: Buffer.from(`${appended}`),
          })
          appended += 1
        }
      })()
      const first = await makeReader(options)
      expect(holdings(first)).toEqual(sequence(0, partitions))
      const second = await makeReader(options)
      await until(() => holdings(first).length === 2 && holdings(second).length === 2)
      expect([...holdings(first), ...holdings(second)].sort()).toEqual(sequence(0, partitions))
      const kept = holdings(first)
      expect(first.assignments.flatMap(({ removed }) => removed).filter((one) => kept.includes(one))).toEqual(
        [],
      )
      await until(() => second.got.length > 10)
      await second.consumer.stop()
      await until(() => holdings(first).length === partitions)
      stopped = true
      await writing
      await until(() => seen.length >= appended)
      for (const topic of [left, right]) {
        for (const partition of sequence(0, partitions)) {
          const offsets = seen.filter((one) => one.topic === topic && one.partition === partition)
          expect(offsets.map(({ offset }) => offset)).toEqual(sequence(0, offsets.length))
        }
      }
      expect(seen.length).toBe(appended)
      expect([...first.faults, ...second.faults]).toEqual([])
    })

    test('a committed position comes back with its metadata; nothing committed is null', async () => {
      const topic = await makeTopic(2)
      const appender = await makeAppender()
      await appender.appendBatch(topic, 0, numbered(5))
      const group = unique('g')
      const reader = await makeReader({ group, topics: [topic] })
      expect(await reader.consumer.committed(topic, 0)).toBeNull()
      await Promise.all([
        reader.consumer.commit(topic, 0, { offset: 2, metadata: 'older' }),
        reader.consumer.commit(topic, 0, { offset: 4, metadata: '{"epoch":7}' }),
      ])
      expect(await reader.consumer.committed(topic, 0)).toEqual({ offset: 4, metadata: '{"epoch":7}' })
      expect(await reader.consumer.committed(topic, 1)).toBeNull()
      await reader.consumer.stop()
      const heir = await makeReader({ group, topics: [topic], from: () => null })
      expect(await heir.consumer.committed(topic, 0)).toEqual({ offset: 4, metadata: '{"epoch":7}' })
    })

    test('seek and commit of a partition that is not assigned are refused', async () => {
      const topic = await makeTopic(1)
      const reader = await makeReader({ group: unique('g'), topics: [topic] })
      expect(() => reader.consumer.seek(topic, 3, 0)).toThrow(
        expect.objectContaining({ code: 'not_assigned' }),
      )
      await expect(reader.consumer.commit(topic, 3, { offset: 1, metadata: '' })).rejects.toMatchObject({
        code: 'not_assigned',
      })
    })

    test('a position the log no longer or not yet has is an error, never a jump', async () => {
      const topic = await makeTopic(1)
      const appender = await makeAppender()
      await appender.appendBatch(topic, 0, numbered(5))
      const reader = await makeReader({ group: unique('g'), topics: [topic], from: () => 100 })
      await until(() => reader.faults.length > 0)
      expect(reader.faults[0]).toMatchObject({ code: 'offset_out_of_range', retriable: false })
      expect(reader.got).toEqual([])
    })

    test('a handler that throws fails the consumer', async () => {
      const topic = await makeTopic(1)
      const appender = await makeAppender()
      await appender.appendBatch(topic, 0, numbered(1))
      const reader = await makeReader({
        group: unique('g'),
        topics: [topic],
        onRecords: () => Promise.reject(new Error('bug')),
      })
      await until(() => reader.faults.length === 1)
      expect(reader.faults[0]).toMatchObject({ code: 'handler_failed' })
    })

    test('range is what the log holds, from consumer and admin alike', async () => {
      const topic = await makeTopic(2)
      const appender = await makeAppender()
      await appender.appendBatch(topic, 1, numbered(6))
      const reader = await makeReader({ group: unique('g'), topics: [topic] })
      expect(await reader.consumer.range(topic, 1)).toEqual({ begin: 0, end: 6 })
      expect(await admin.range(topic, 0)).toEqual({ begin: 0, end: 0 })
      expect(await admin.range(topic, 1)).toEqual({ begin: 0, end: 6 })
    })

    test('topics are created once, and another partition count is refused', async () => {
      const topic = await makeTopic(2)
      await admin.ensureTopics([{ name: topic, partitions: 2, config }])
      await expect(admin.ensureTopics([{ name: topic, partitions: 3, config }])).rejects.toMatchObject({
        code: 'partition_count_mismatch',
        retriable: false,
      })
      expect(await admin.listTopics()).toContain(topic)
      expect(await admin.partitionCount(topic)).toBe(2)
      await admin.deleteTopic(topic)
      await until(async () => !(await admin.listTopics()).includes(topic))
      expect(await admin.partitionCount(topic)).toBe(0)
      await admin.deleteTopic(topic)
    })

    test('a group can be listed, is protected while it has members, and deleted after', async () => {
      const topic = await makeTopic(1)
      const group = unique('g')
      const reader = await makeReader({ group, topics: [topic] })
      await reader.consumer.commit(topic, 0, { offset: 0, metadata: '' })
      expect(await admin.listGroups(group)).toEqual([group])
      await expect(admin.deleteGroup(group)).rejects.toMatchObject({ name: 'Fault', retriable: true })
      await reader.consumer.stop()
      await admin.deleteGroup(group)
      expect(await admin.listGroups(group)).toEqual([])
      await admin.deleteGroup(group)
    })
  })
}

const idle = { assigned() {}, records() {}, failed() {} }

function numbered(count: number) {
  return sequence(0, count).map((index) => ({ key: `k${index}`, value: Buffer.from(`${index}`) }))
}

/** begin .. end-1 */
function sequence(begin: number, end: number): number[] {
  return Array.from({ length: end - begin }, (_, index) => begin + index)
}

/** What a member holds after all assignments so far. */
function holdings({ assignments }: Reader): number[] {
  const held = new Set<number>()
  for (const { added, removed } of assignments) {
    for (const partition of removed) held.delete(partition)
    for (const partition of added) held.add(partition)
  }
  return [...held].sort((a, b) => a - b)
}

/** Waits for something that must happen; the limit only ends a test that hangs. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('waited 30 s for what never happened')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
