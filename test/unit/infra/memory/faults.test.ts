import { expect, test } from 'vitest'
import { createMemoryLog } from '../../../../infra/memory/log.ts'
import { createVirtualClock } from '../../../../infra/memory/virtual-clock.ts'
import type { Fault } from '../../../../schemas/ports.ts'

const topic = 't'

async function setUp(partitions = 2) {
  const clock = createVirtualClock()
  const log = createMemoryLog(clock)
  log.broker.createTopic(topic, partitions)
  const values = (partition = 0) =>
    log.broker.read(topic, partition, 0, 1_000).map(({ value }) => value?.toString())
  return { clock, log, values }
}

const record = (text: string) => ({ key: null, value: Buffer.from(text) })

test('a dropped response: the record is in the log, the writer does not know', async () => {
  const { clock, log, values } = await setUp()
  const appender = await log.process('p').appender('w')
  log.faults.dropResponse({ topic })
  const outcome = appender.append(topic, 0, record('a')).catch((fault: Fault) => fault.code)
  await clock.runUntilIdle()
  expect(await outcome).toBe('append_unknown')
  expect(values()).toEqual(['a'])
  expect(log.faults.hits()).toBe(1)
})

test('a failed append: the record is not in the log, and what waits behind it goes out', async () => {
  const { clock, log, values } = await setUp()
  const appender = await log.process('p').appender('w')
  log.faults.failAppend()
  const first = appender.append(topic, 0, record('a')).catch((fault: Fault) => fault.code)
  await clock.runUntil(() => log.faults.hits() === 1, 100)
  const second = appender.append(topic, 0, record('b'))
  await clock.runUntilIdle()
  expect([await first, await second]).toEqual(['append_unknown', 0])
  expect(values()).toEqual(['b'])
})

test('with failQueuedOnError a failure takes everything queued behind it along', async () => {
  const { clock, log, values } = await setUp()
  const appender = await log.process('p').appender('w', { failQueuedOnError: true })
  log.faults.failAppend()
  const first = appender.append(topic, 0, record('a')).catch((fault: Fault) => fault.code)
  await clock.runUntil(() => log.faults.hits() === 1, 100)
  const second = appender.append(topic, 0, record('b')).catch((fault: Fault) => fault.code)
  await clock.runUntilIdle()
  expect([await first, await second]).toEqual(['append_unknown', 'append_not_sent'])
  expect(values()).toEqual([])
  const third = appender.append(topic, 0, record('c'))
  await clock.runUntilIdle()
  expect(await third).toBe(0)
})

test('a delayed append lands after its writer gave up and wrote on', async () => {
  const { clock, log, values } = await setUp()
  const appender = await log.process('p').appender('w', { timeoutMs: 100 })
  log.faults.delayAppend(500)
  const first = appender.append(topic, 0, record('late')).catch((fault: Fault) => fault.code)
  await clock.advance(150)
  expect(await first).toBe('append_unknown')
  const second = appender.append(topic, 0, record('next'))
  await clock.runUntilIdle()
  expect(await second).toBe(0)
  expect(values()).toEqual(['next', 'late'])
})

test('a killed process hears nothing, but its request under way lands', async () => {
  const { clock, log, values } = await setUp()
  const victim = log.process('victim')
  const appender = await victim.appender('w')
  let settled = false
  void appender.append(topic, 0, record('a')).finally(() => {
    settled = true
  })
  await clock.advance(0)
  victim.kill()
  await clock.runUntilIdle()
  expect(values()).toEqual(['a'])
  expect(settled).toBe(false)
})

test('a stopped member is evicted after its session timeout and, woken, joins as a new one', async () => {
  const { clock, log } = await setUp()
  const zombie = await member('zombie')
  const heir = await member('heir')
  await clock.runUntil(() => zombie.held.size === 1 && heir.held.size === 1, 1_000)
  const lost = [...zombie.held]
  zombie.process.stop()
  await clock.advance(9_000)
  expect(heir.held.size).toBe(1)
  await clock.advance(2_000)
  expect(heir.held.size).toBe(2)
  zombie.process.wake()
  const before = zombie.calls.length
  await clock.advance(1_000)
  expect(zombie.calls[before]?.removed).toEqual(lost)
  expect(zombie.held.size).toBe(1)
  expect(heir.held.size).toBe(1)

  async function member(name: string) {
    const process = log.process(name)
    const held = new Set<number>()
    const calls: { added: readonly number[]; removed: readonly number[] }[] = []
    const consumer = process.consumer({ group: 'g', topics: [topic] })
    void consumer.start({
      assigned(added, removed) {
        calls.push({ added, removed })
        for (const partition of removed) held.delete(partition)
        for (const partition of added) held.add(partition)
      },
      records() {},
      failed() {},
    })
    await clock.advance(10)
    return { process, held, calls }
  }
})

test('a zombie delivers what it had fetched, and its commit is refused', async () => {
  const { clock, log } = await setUp(1)
  const process = log.process('zombie')
  const seen: number[] = []
  let gate = () => {}
  const consumer = process.consumer({ group: 'g', topics: [topic] })
  void consumer.start({
    assigned: (added) => added.forEach((partition) => void consumer.seek(topic, partition, 0)),
    records: (_topic, _partition, records) => {
      for (const { offset } of records) seen.push(offset)
      return new Promise((resolve) => {
        gate = resolve
      })
    },
    failed() {},
  })
  await clock.advance(10)
  for (const text of ['a', 'b']) {
    log.broker.append(topic, 0, [record(text)], clock.now())
    await clock.advance(10)
  }
  expect(seen).toEqual([0])
  process.stop()
  gate()
  await clock.advance(20_000)
  expect(seen).toEqual([0])
  process.wake()
  expect(seen).toEqual([0, 1])
  const commit = consumer.commit(topic, 0, { offset: 2, metadata: '' }).catch((fault: Fault) => fault.code)
  await clock.advance(1_000)
  expect(await commit).toBe('commit_failed')
})

test('the same schedule gives the same log', async () => {
  const run = async () => {
    const { clock, log } = await setUp()
    const writers = await Promise.all(['a', 'b', 'c'].map((name) => log.process(name).appender('w')))
    log.faults.delayAppend(3, { client: 'b/w' }, 5)
    for (let round = 0; round < 20; round += 1) {
      for (const [index, writer] of writers.entries()) {
        void writer.append(topic, round % 2, record(`${index}:${round}`))
      }
      await clock.advance(round % 3)
    }
    await clock.runUntilIdle()
    return [0, 1].map((partition) => log.broker.read(topic, partition, 0, 1_000))
  }
  expect(await run()).toEqual(await run())
})
