import { describe, expect, it } from 'vitest'
import { silentLog } from '../../../../infra/log.ts'
import { createMemoryLog } from '../../../../infra/memory/log.ts'
import { createMemoryOnlineMap } from '../../../../infra/memory/online-map.ts'
import { createVirtualClock } from '../../../../infra/memory/virtual-clock.ts'
import { startFanout } from '../../../../processors/fanout/fanout.ts'
import { open, seal } from '../../../../schemas/avro.ts'
import { encodeEventPayload, history, sealEnvelope } from '../../../../schemas/codec.ts'
import { limits } from '../../../../schemas/limits.ts'
import { type Delivery, type EventPayload, records } from '../../../../schemas/records.ts'
import { deliveriesTopic, sharedTopics, topics } from '../../../../schemas/topics.ts'
import { claimBytes } from '../../../support/events.ts'
import { happening, names } from '../../../support/fanout-given.ts'

const GATEWAYS = ['g1', 'g2', 'g3']
const GROUP = 'g:team'

/** Fan-out on the log and the map in memory, between a log that is written by hand and gateways that only live. */
async function fanOut() {
  const clock = createVirtualClock()
  const log = createMemoryLog(clock)
  const { broker } = log
  for (const { name, partitions } of sharedTopics(1)) broker.createTopic(name, partitions)
  for (const gateway of GATEWAYS) broker.createTopic(deliveriesTopic(gateway).name, 1)
  const map = createMemoryOnlineMap()
  const append = async (topic: string, key: string, value: Buffer) => {
    const appender = await log.appender('test')
    void appender.append(topic, 0, { key, value })
    await clock.advance(20)
  }
  const live = async () => {
    for (const gateway of GATEWAYS)
      await append(
        topics.gateways,
        gateway,
        seal(records.GatewayAlive, { gateway, boot: gateway, draining: false }),
      )
  }
  await append(topics.events, '', claimBytes(0, 0))
  await live()
  for (const gateway of GATEWAYS) await map.announce(gateway, gateway)
  const started = startFanout({
    store: log,
    map,
    clock,
    logger: silentLog,
    name: 'f',
    failed(fault) {
      throw fault
    },
  })
  await clock.advance(1_000)
  const fanout = await started
  let source = 0
  const seqs = new Map<string, number>()
  const happen = async (stream: string, payload: EventPayload, agoMs = 0) => {
    const seq = (seqs.get(stream) ?? 0) + 1
    seqs.set(stream, seq)
    const envelope = { kind: 'event', generation: 0, epoch: 0, source: source++, stream, seq } as const
    const rest = { ordinal: seq, time: clock.now() - agoMs, trace: null, reply: null }
    await append(
      topics.events,
      stream,
      sealEnvelope({ ...envelope, ...rest, ...encodeEventPayload(payload) }),
    )
  }
  /** What each gateway was told since the last time, as `gateway: #,names or signal`. */
  const read = new Map<string, number>()
  const told = (): string[] =>
    GATEWAYS.flatMap((gateway) => {
      const topic = topics.deliveries(gateway)
      const from = read.get(gateway) ?? 0
      const fresh = broker.read(topic, 0, from, 1e9)
      read.set(gateway, from + fresh.length)
      return fresh.map(({ value }) => textOf(gateway, open(records.Delivery, value as Buffer, history)))
    })
  const entry = (user: string, gateway: string) =>
    map.register({
      user,
      entry: {
        gateway,
        boot: gateway,
        connection: `${user}@${gateway}`,
        deviceId: 'd',
        deviceType: 'test',
        loginAt: 0,
        expiresAt: Number.MAX_SAFE_INTEGER,
      },
    })
  const interest = (gateway: string) =>
    map.registerInterest({ gateway, boot: gateway, expiresAt: Number.MAX_SAFE_INTEGER }, [GROUP])
  return { clock, map, fanout, happen, told, entry, interest, live }
}

const textOf = (gateway: string, { channel, signal, recipients, headSeq }: Delivery): string =>
  `${gateway}: ${[...(headSeq > 0 ? [`head ${headSeq}`] : []), ...(channel ? ['#'] : []), ...(signal ? [signal.kind] : []), ...recipients].join()}`

const message = (sender = 'ann') => happening('MessageSent', { sender })
const LONG_AGO = 2 * limits.becomingLargeMs

describe('fan-out', () => {
  it.each([10, 10_000])(
    'writes as much for a message in a group of %d members: its head, and one record per gateway concerned',
    async (size) => {
      const { fanout, happen, entry, interest, live } = await fanOut()
      const members = names('m', size)
      for (let at = 0; at < 9; at++) await entry(members[at] as string, GATEWAYS[at % 2] as string)
      await happen(GROUP, happening('GroupCreated', { members }), LONG_AGO)
      for (const gateway of ['g1', 'g2']) await interest(gateway)
      await live()
      const before = { ...fanout.stats }
      for (let n = 0; n < 20; n++) await happen(GROUP, message())
      const per = (name: keyof typeof before) => (fanout.stats[name] - before[name]) / 20
      expect(fanout.stats.accepted - before.accepted).toBe(20)
      expect({ writes: per('storeWrites'), records: per('deliveries') }).toEqual({ writes: 1, records: 2 })
      // One lookup per member and gateway, or one per large group and gateway.
      expect(per('storeReads')).toBe(size === 10 ? 10 + 3 : 1 + 3)
    },
  )

  it('tells a large group by channel, and by name those who come and go', async () => {
    const { happen, told, entry, interest, live, map } = await fanOut()
    const members = names('m', limits.groupNamedMembersMax)
    await entry('m0', 'g1')
    await entry('zed', 'g3')
    await happen(GROUP, happening('GroupCreated', { members }), LONG_AGO)
    await happen(GROUP, message())
    expect(told()).toEqual(['g1: m0', 'g1: m0'])
    await happen(GROUP, happening('MembersAdded', { members: ['zed'] }), LONG_AGO)
    expect(told()).toEqual(['g1: #,m0', 'g2: #', 'g3: #,zed'])
    await interest('g1')
    await live()
    await happen(GROUP, message())
    expect(told()).toEqual(['g1: #'])
    await happen(GROUP, happening('MembersRemoved', { members: ['zed'] }))
    expect(told()).toEqual(['g1: #', 'g3: #,zed'])
    map.down = true
    await happen(GROUP, message())
    expect(told()).toEqual(['g1: #', 'g2: #', 'g3: #'])
  })

  it('after the heads could not be written hints at them, without naming a large group', async () => {
    const { clock, happen, told, live, map } = await fanOut()
    await happen(
      GROUP,
      happening('GroupCreated', { members: names('m', limits.groupNamedMembersMax + 1) }),
      LONG_AGO,
    )
    map.down = true
    await happen(GROUP, message())
    told()
    await live()
    map.down = false
    await clock.advance(1_000)
    expect(told()).toEqual(['g1: head 2,#', 'g2: head 2,#', 'g3: head 2,#'])
  })

  it('tells the other side what was read, and online friends of a changed profile', async () => {
    const { happen, told, entry, fanout, map } = await fanOut()
    await entry('ann', 'g1')
    await entry('bob', 'g2')
    map.friendships.set('ann', ['bob', 'cid'])
    const mark = { sender: 'ann', conversationId: 'p2p:ann:bob', seq: 1, ordinal: 1 }
    await happen('u:ann', happening('ReadMarked', mark))
    expect(told()).toEqual(['g1: ann', 'g2: receipt,bob'])
    await happen('u:ann', happening('ProfileSet', { sender: 'ann', name: 'Ann' }))
    expect(told()).toEqual(['g1: ann', 'g2: profile,bob'])
    expect(fanout.stats).toMatchObject({ signals: 2, signalsDropped: 0 })
  })

  it('that cannot read who is friends with whom tells nobody else, and counts it', async () => {
    const { happen, told, fanout, map } = await fanOut()
    map.friends = () => Promise.reject(new Error('no answer'))
    await happen('u:ann', happening('ProfileSet', { sender: 'ann', name: 'Ann' }))
    expect(told()).toEqual([])
    expect(fanout.stats).toMatchObject({ signals: 0, signalsDropped: 1 })
  })
})
