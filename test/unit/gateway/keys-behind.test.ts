/** A gateway that is cut off from im.keys, and from nothing else, while the key of one of its users is taken. */
import { beforeEach, describe, expect, test } from 'vitest'
import { createCommandSink } from '../../../gateway/commands.ts'
import { newCounters } from '../../../gateway/counters.ts'
import { silentLog } from '../../../infra/log.ts'
import { createMemoryLog, type MemoryLog } from '../../../infra/memory/log.ts'
import { createVirtualClock, type VirtualClock } from '../../../infra/memory/virtual-clock.ts'
import { holdUser } from '../../../projections/content-keys/destroy.ts'
import { type ContentKeys, followContentKeys } from '../../../projections/content-keys/follower.ts'
import { TAKEN_MS } from '../../../projections/content-keys/freshness.ts'
import { decodeCommandPayload, openCommand } from '../../../schemas/codec.ts'
import { codes } from '../../../schemas/codes.ts'
import { parsePackId } from '../../../schemas/ids.ts'
import { limits } from '../../../schemas/limits.ts'
import { type ConsumerHandlers, Fault, type LogStore } from '../../../schemas/ports.ts'
import { sharedTopics, topics } from '../../../schemas/topics.ts'
import { send } from '../../support/commands.ts'
import { newPackId } from '../../support/gateway.ts'

const SECRET = Buffer.alloc(32, 7)
const SECOND = 1_000
let clock: VirtualClock
let log: MemoryLog

beforeEach(async () => {
  clock = createVirtualClock()
  log = createMemoryLog(clock)
  await during(log.admin().then((admin) => admin.ensureTopics(sharedTopics(1))))
})

/** Lets time pass until it is settled. */
async function during<T>(work: Promise<T>): Promise<T> {
  let settled = false
  const done = work.finally(() => {
    settled = true
  })
  done.catch(() => {})
  await clock.runUntil(() => settled, 60 * SECOND)
  return done
}

type Line = 'well' | 'cut' | 'unread'

/** The same log through a line of its own: `cut` brings nothing, `unread` answers questions and brings no records. */
function behindALine() {
  let line: Line = 'well'
  let waiting: (() => void)[] = []
  const store: LogStore = {
    ...log,
    consumer(options) {
      const consumer = log.consumer(options)
      const through = (handlers: ConsumerHandlers): ConsumerHandlers => ({
        ...handlers,
        records(...batch) {
          if (line === 'well') return handlers.records(...batch)
          waiting.push(() => void handlers.records(...batch))
        },
      })
      return {
        ...consumer,
        start: (handlers) => consumer.start(through(handlers)),
        async range(...of) {
          if (line === 'cut') throw new Fault('kafka_unreachable', 'cut', { retriable: true })
          return consumer.range(...of)
        },
      }
    },
  }
  return {
    store,
    become(now: Line) {
      line = now
      if (now !== 'well') return
      const held = waiting
      waiting = []
      for (const give of held) give()
    },
  }
}

async function gateway() {
  const line = behindALine()
  const faults: string[] = []
  const options = { secret: SECRET, clock, logger: silentLog, failed: ({ code }: Fault) => faults.push(code) }
  const keys = await during(followContentKeys({ ...options, store: line.store, by: 'g1', seals: true }))
  const office = await during(followContentKeys({ ...options, store: log, by: 'office' }))
  const appender = await during(log.appender('commands'))
  const commands = createCommandSink({
    ...{ appender, sealer: keys, partitions: 1, gatewayId: 'g1', boot: 'b1', clock, log: silentLog },
    counters: newCounters(),
    observeAppendMs() {},
  })
  /** What its sender is told, null: it was taken. */
  const say = () =>
    during(
      commands.append(
        {
          ...{ stream: 'p2p:ann:bob', packId: parsePackId(newPackId(clock.now())) as Buffer, sender: 'ann' },
          ...{ device: 'd', trace: null, payload: send('hi') },
        },
        'c1',
      ),
    )
  return { line, keys, office, say, faults }
}

/** Ids of the keys under which what is in the log was sealed. */
const keysUsed = (): (string | null)[] =>
  log.broker.read(topics.commands, 0, 0, 1e6).map(({ value }) => {
    const payload = decodeCommandPayload(openCommand(value as Buffer))
    return 'keyId' in payload ? payload.keyId : null
  })

async function take(office: ContentKeys): Promise<number> {
  const at = clock.now()
  for (const key of holdUser(office.ring, 'ann', at + 1e9, { by: 'office', at }))
    await during(office.write(key))
  return at
}

describe.each(['cut', 'unread'] as const)('a gateway whose line to im.keys is %s', (how) => {
  test('seals nothing under a key that was taken longer ago than erasing waits, and says that it passes', async () => {
    const { line, office, say } = await gateway()
    expect(await say()).toBe(null)
    const [gone] = keysUsed()
    line.become(how)
    const takenAt = await take(office)
    let answers: (string | null)[] = []
    while (clock.now() < takenAt + TAKEN_MS) {
      answers.push(await say())
      await clock.advance(SECOND)
    }
    const before = keysUsed().length
    expect(answers).toContain(null)
    expect(answers.at(-1)).toBe('unavailable')
    expect(codes.unavailable.retry).toBe('same')
    answers = []
    for (let i = 0; i < 10; i++) {
      answers.push(await say())
      await clock.advance(SECOND)
    }
    expect(new Set(answers)).toEqual(new Set(['unavailable']))
    expect(keysUsed().length).toBe(before)
    line.become('well')
    await clock.advance(4 * SECOND)
    expect(await say()).toBe(null)
    const used = keysUsed()
    expect(new Set(used.slice(0, -1))).toEqual(new Set([gone]))
    expect(used.at(-1)).not.toBe(gone)
  })

  test('is not noticed by anyone where it is well again after 20 s, as after an election', async () => {
    const { line, office, say, faults } = await gateway()
    expect(await say()).toBe(null)
    for (let round = 0; round < 4; round++) {
      line.become(how)
      await during(Promise.resolve(office.seal(`other${round}`, Buffer.alloc(16), Buffer.from('hi'))))
      for (let s = 0; s < 20; s++) {
        expect(await say()).toBe(null)
        await clock.advance(SECOND)
      }
      line.become('well')
      expect(await say()).toBe(null)
      await clock.advance(4 * SECOND)
    }
    expect(faults).toEqual([])
  })
})

test('a gateway that hears nothing for minutes, as nobody writes a key, seals on', async () => {
  const { say, faults } = await gateway()
  await clock.advance(300 * SECOND)
  expect(await say()).toBe(null)
  expect(faults).toEqual([])
})

test('one that was stopped for longer than that seals nothing until it has asked, and then goes on', async () => {
  const { line, office, say } = await gateway()
  expect(await say()).toBe(null)
  const [gone] = keysUsed()
  line.become('cut')
  await take(office)
  await clock.advance(limits.keysAgeMsMax + 4 * SECOND)
  line.become('well')
  expect(await say()).toBe('unavailable')
  await clock.advance(50)
  expect(await say()).toBe(null)
  expect(keysUsed().filter((id) => id === gone)).toHaveLength(1)
})

test('a gateway that is answered and yet reads nothing ends, to begin anew; one without answers does not', async () => {
  const { line, office, say, faults } = await gateway()
  await say()
  line.become('cut')
  await take(office)
  await clock.advance(120 * SECOND)
  expect(faults).toEqual([])
  line.become('unread')
  await clock.advance(40 * SECOND)
  expect(faults).toEqual([])
  await clock.advance(20 * SECOND)
  expect(faults).toEqual(['keys_stuck'])
})
