import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../../infra/clock.ts'
import { silentLog } from '../../../infra/log.ts'
import { createRedis, type RedisClient } from '../../../infra/redis/client.ts'
import { createRedisOnlineMap, type OnlineMap } from '../../../infra/redis/online-map.ts'
import { createRedisSignalBus } from '../../../infra/redis/signal-bus.ts'
import { slotOf } from '../../../infra/redis/slot.ts'
import { callsFor } from '../../../projections/live/calls.ts'
import { liveSink } from '../../../projections/live/sink.ts'
import { KEEP_ALL } from '../../../projections/reads/policy.ts'
import { readModels } from '../../../projections/reads.ts'
import { START } from '../../../schemas/accept.ts'
import { p2pId } from '../../../schemas/ids.ts'
import { accepted, target } from '../../support/projections/accepted.ts'
import { startEngines } from '../../support/projections/engines.ts'
import { liveStore } from '../../support/projections/live-store.ts'
import { startRedisCluster } from '../../support/redis-cluster.ts'

const kinds = {
  'one node': async () => {
    const engines = await startEngines({ clickhouse: false })
    return { redis: engines.redis, urls: [engines.redisEngine.url], stop: engines.stop }
  },
  'a cluster of three nodes': async () => {
    const cluster = await startRedisCluster()
    const redis = createRedis({ urls: cluster.urls, name: 'test' }, silentLog)
    await redis.ready(10_000)
    return {
      redis,
      urls: cluster.urls,
      stop: async () => {
        await redis.close()
        cluster.stop()
      },
    }
  },
}

const entry = (gateway: string, boot: string, connection: string, expiresAt = 2_000) => ({
  gateway,
  boot,
  connection,
  deviceId: `device of ${connection}`,
  deviceType: 'test',
  loginAt: 1_000,
  expiresAt,
})

describe.each(Object.entries(kinds))('on %s', (_name, start) => {
  let redis: RedisClient
  let map: OnlineMap
  let urls: readonly string[]
  let stop: () => Promise<void>

  beforeAll(async () => {
    const started = await start()
    redis = started.redis
    urls = started.urls
    stop = started.stop
    map = createRedisOnlineMap(redis)
  })
  afterAll(() => stop?.())

  test('a batch over many slots answers in the order of its calls', async () => {
    const names = Array.from({ length: 200 }, (_, i) => `k${i}`)
    await redis.batch(names.map((name) => ['SET', name, `value of ${name}`]))
    expect(await redis.batch(names.map((name) => ['GET', name]))).toEqual(
      names.map((name) => `value of ${name}`),
    )
  })

  test('a call that is refused fails the batch with a fault that names no key', async () => {
    await redis.batch([['SET', 'text', 'x']])
    await expect(redis.batch([['HGET', 'text', 'f']])).rejects.toMatchObject({
      code: 'redis_unavailable',
      message: 'Redis did not answer',
    })
  })

  test('users are found with all their connections, and only their own boot may remove one', async () => {
    await map.register({ user: 'ann', entry: entry('g1', 'b1', 'c1') })
    await map.register({ user: 'ann', entry: entry('g2', 'b9', 'c2') })
    await map.register({ user: 'bob', entry: entry('g1', 'b1', 'c3') })
    const found = await map.locate(['ann', 'bob', 'nobody'])
    expect(
      found
        .get('ann')
        ?.map(({ connection }) => connection)
        .sort(),
    ).toEqual(['c1', 'c2'])
    expect(found.get('bob')).toEqual([entry('g1', 'b1', 'c3')])
    expect(found.has('nobody')).toBe(false)
    expect(await map.connection('bob', 'c3')).toEqual(entry('g1', 'b1', 'c3'))
    const leave = { user: 'bob', gateway: 'g1', connection: 'c3', lastOfUser: true }
    await map.unregister({ ...leave, boot: 'another', lastOfUser: false })
    expect(await map.connectionsOf('bob')).toHaveLength(1)
    await map.unregister({ ...leave, boot: 'b1' })
    expect(await map.connectionsOf('bob')).toEqual([])
    expect(await map.usersOf('g1')).toEqual(['ann'])
  })

  test('a refresh says which connections had been lost', async () => {
    const records = ['c1', 'c2'].map((connection) => ({ user: 'cid', entry: entry('g1', 'b1', connection) }))
    await map.register(records[0] as (typeof records)[0])
    expect(await map.refresh(records)).toEqual(['c2'])
    expect(await map.refresh(records)).toEqual([])
  })

  test('what earlier boots left is cleared, what lives stays', async () => {
    await map.register({ user: 'dee', entry: entry('g3', 'old', 'c1') })
    await map.register({ user: 'eve', entry: entry('g3', 'old', 'c2') })
    await map.register({ user: 'eve', entry: entry('g3', 'new', 'c3') })
    await map.register({ user: 'eve', entry: entry('g4', 'old', 'c4') })
    expect(await map.clearGateway('g3', 'new')).toBe(2)
    expect(await map.usersOf('g3')).toEqual(['eve'])
    expect((await map.connectionsOf('eve')).map(({ connection }) => connection).sort()).toEqual(['c3', 'c4'])
    expect(await map.sweep('g3', 1_999)).toBe(0)
    expect(await map.sweep('g3', 2_000)).toBe(1)
    expect(await map.usersOf('g3')).toEqual([])
  })

  test('who is registered later has the later time, and is told who was there', async () => {
    const first = entry('g1', 'b1', 'c1')
    expect(await map.register({ user: 'kim', entry: first })).toEqual({ loginAt: 1_000, others: [] })
    const late = { ...entry('g2', 'b2', 'c2'), loginAt: 400 }
    expect(await map.register({ user: 'kim', entry: late })).toEqual({ loginAt: 1_001, others: [first] })
    expect(await map.connection('kim', 'c2')).toEqual({ ...late, loginAt: 1_001 })
    const again = await map.register({ user: 'kim', entry: first })
    expect(again).toMatchObject({ loginAt: 1_002, others: [{ connection: 'c2' }] })
  })

  test('users are forgotten by gateway, and gateways that announced themselves are known until forgotten', async () => {
    for (const user of ['lea', 'lou']) await map.register({ user, entry: entry('g8', 'b1', `${user}1`) })
    await map.forget('g8', ['lea'])
    expect(await map.usersOf('g8')).toEqual(['lou'])
    await map.announce('g8', 'b1')
    expect(await map.gateways()).toContain('g8')
    await map.forgetGateway('g8')
    expect(await map.gateways()).not.toContain('g8')
  })

  test('an announcement holds until its own boot takes it back', async () => {
    await map.announce('g1', 'b2')
    await map.retract('g1', 'b1')
    expect(await map.announced(['g1', 'g2'])).toEqual(new Map([['g1', 'b2']]))
    await map.retract('g1', 'b2')
    expect(await map.announced(['g1'])).toEqual(new Map())
  })

  test('interest in large groups is found by group, renewed, and taken back only by its own boot', async () => {
    const groups = ['g:hall', 'g:arena', 'g:dome']
    const of = (gateway: string, boot: string, expiresAt = 2_000) => ({ gateway, boot, expiresAt })
    expect(await map.registerInterest(of('g1', 'b1'), groups)).toEqual(groups)
    expect(await map.registerInterest(of('g2', 'b2'), ['g:hall'])).toEqual(['g:hall'])
    expect(await map.registerInterest(of('g1', 'b1', 3_000), ['g:hall', 'g:new'])).toEqual(['g:new'])
    const found = await map.interested(['g:hall', 'g:arena', 'g:nowhere'])
    expect(found.get('g:hall')?.toSorted((a, b) => (a.gateway < b.gateway ? -1 : 1))).toEqual([
      of('g1', 'b1', 3_000),
      of('g2', 'b2'),
    ])
    expect(found.get('g:arena')).toEqual([of('g1', 'b1')])
    expect(found.has('g:nowhere')).toBe(false)
    await map.dropInterest('g1', 'b', groups)
    await map.dropInterest('g1', 'another', groups)
    expect((await map.interested(['g:dome'])).get('g:dome')).toHaveLength(1)
    await map.dropInterest('g1', 'b1', groups)
    expect((await map.interested(groups)).get('g:hall')).toEqual([of('g2', 'b2')])
    expect((await map.interested(groups)).has('g:dome')).toBe(false)
  })

  test('interest that something else wrote is nobody’s', async () => {
    await redis.batch([['HSET', 'lw:interest:{g:odd}', 'g1', 'nonsense', 'g2', 'b2;2000']])
    expect((await map.interested(['g:odd'])).get('g:odd')).toEqual([
      { gateway: 'g2', boot: 'b2', expiresAt: 2_000 },
    ])
  })

  test('friends are those whom the directory says are so now, at most as many as asked for', async () => {
    const pair = (other: string) =>
      accepted({ stream: p2pId('fay', other), seq: 2, sender: other }, 'FriendAnswered', { accept: true })
    const gone = accepted({ stream: p2pId('fay', 'hal'), seq: 3, sender: 'fay' }, 'FriendDeleted')
    const written = [...['gus', 'hal', 'ivy'].map(pair), gone]
    await redis.batch(callsFor(written, { force: false, policies: KEEP_ALL, now: 0 }).first)
    const friends = async (max: number) => (await map.friends(['fay', 'nobody'], max)).get('fay')?.toSorted()
    expect(await friends(10)).toEqual(['gus', 'ivy'])
    expect(await friends(1)).toHaveLength(1)
    expect((await map.friends(['nobody'], 10)).get('nobody')).toEqual([])
  })

  test('what is told to a gateway reaches the one that listens for it, and nobody else', async () => {
    const buses = ['g1', 'g2'].map((name) => {
      const heard: string[] = []
      const bus = createRedisSignalBus({ urls, name }, redis, silentLog)
      bus.listen(name, (text) => void heard.push(text))
      return { bus, heard }
    })
    try {
      const [first, second] = buses as [(typeof buses)[0], (typeof buses)[0]]
      await until(async () => {
        await first.bus.publish(['g1', 'g2'].map((gateway) => ({ gateway, text: `to ${gateway} ü ☃` })))
        return first.heard.length > 0 && second.heard.length > 0
      })
      expect(new Set(first.heard)).toEqual(new Set(['to g1 ü ☃']))
      expect(new Set(second.heard)).toEqual(new Set(['to g2 ü ☃']))
      await first.bus.publish([{ gateway: 'nobody', text: 'is lost' }])
    } finally {
      for (const { bus } of buses) await bus.close()
    }
  })

  test('heads are raised and never lowered; lists only grow', async () => {
    const head = (seq: number) => ({ stream: 'p2p:h1:h2', seq, ordinal: seq, time: seq })
    await map.writeHeads([head(5)], [{ user: 'h1', conversationId: 'p2p:h1:h2' }])
    await map.writeHeads([head(3)], [])
    const [seq, listed] = await redis.batch([
      ['HGET', 'lw:head:{p2p:h1:h2}', 'seq'],
      ['SMEMBERS', 'lw:convs:{h1}'],
    ])
    expect([seq, listed]).toEqual(['5', ['p2p:h1:h2']])
  })

  test('read models answer partial until every partition is there, and a rebuild is over', async () => {
    const sink = liveSink({ redis, generation: 0, logger: silentLog, clock: systemClock })
    const unused = { query: async () => [] }
    const reads = readModels({ redis, clickhouse: unused, partitions: 1, generation: 0, clock: systemClock })
    expect((await reads.heads('ann')).partial).toBe(true)
    await sink.begin(0, { begin: 0, end: 3 }, false)
    const record = (seq: number) => accepted({ stream: 'p2p:ann:bob', seq, offset: seq }, 'MessageSent')
    const next = { ...START, generation: 0, epoch: 0 }
    expect(await sink.apply(0, [record(1)], { ...next, offset: 2, last: 0 })).toBe('applied')
    await sink.tick()
    expect((await reads.heads('ann')).partial).toBe(true)
    expect(await sink.apply(0, [record(1), record(2)], { ...next, offset: 3, last: 1 })).toBe('applied')
    expect(await sink.tick()).toEqual([])
    expect(await reads.heads('ann')).toEqual({
      partial: false,
      heads: [{ conversationId: 'p2p:ann:bob', seq: 2, ordinal: 2, fromSeq: 1, toSeq: null }],
    })
    // Seq 4 before 3: something was lost.
    expect(await sink.apply(0, [record(4)], { ...next, offset: 5, last: 3 })).toBe('lost')
    const again = await sink.begin(0, { begin: 0, end: 5 }, false)
    expect(again.offset).toBe(0)
    expect((await reads.heads('ann')).partial).toBe(true)
  })

  test('every kind of event finds all its keys in one place, and is read back', async () => {
    const store = await liveStore(redis)
    const [group, pair] = ['g:contract', 'p2p:x1:x2']
    await store.put(
      store.event(group, 'x1', 'GroupCreated', { members: ['x1', 'x2'] }),
      store.event(group, 'x1', 'MessageSent', { mentions: ['x2'] }),
      store.event(group, 'x2', 'Reacted', { target: target(2) }),
      store.event(group, 'x1', 'MessagePinned', { target: target(2) }),
      store.event(group, 'x1', 'RoleSet', { user: 'x2' }),
      store.event(group, 'x1', 'MemberMuted', { user: 'x2', until: 8e15 }),
      store.event(group, 'x1', 'GroupSet', { avatar: 'a.png' }),
      store.event(group, 'x3', 'JoinRequested'),
      store.event(group, 'x4', 'Observing'),
      store.event(pair, 'x1', 'FriendRequested'),
      store.event(pair, 'x2', 'FriendAnswered'),
      store.event(pair, 'x2', 'Blocked'),
      store.event(pair, 'x2', 'MessageSent'),
      store.event('u:x1', 'x1', 'SettingSet', { key: `pin:${pair}`, value: '1' }),
      store.event('u:x1', 'x1', 'ProfileSet', { name: 'X' }),
      store.event('u:x2', 'x2', 'ReadMarked', { conversationId: group, seq: 2, ordinal: 0 }),
    )
    const { reads } = store
    expect(await reads.group('x1', group)).toMatchObject({
      partial: false,
      group: { memberCount: 2, avatar: 'a.png', pinned: [2], requests: [{ userId: 'x3' }] },
    })
    expect(await reads.observing.members('x4', group, {})).toMatchObject({
      members: [
        { userId: 'x1', role: 'owner' },
        { userId: 'x2', role: 'admin', mutedUntil: 8e15 },
      ],
    })
    expect(await reads.readers('x1', group, { seq: 2 })).toMatchObject({ readers: ['x2'] })
    expect(await reads.observing.history('x4', group, {})).toMatchObject({ fromSeq: 9 })
    expect(await reads.history('x2', group, {})).toMatchObject({ reactions: [{ seq: 2, mine: true }] })
    expect(await reads.relations('x2')).toMatchObject({ relations: [{ state: 'friend', blocked: true }] })
    expect(await reads.openFriends('x1', ['x2', 'x9'])).toEqual([])
    expect(await reads.profiles(['x1', 'x2'])).toMatchObject({ profiles: [{ name: 'X' }, { version: 0 }] })
    expect(await reads.typingAudience('x1', pair)).toBeNull()
    expect((await reads.conversations('x1', {})).conversations).toMatchObject([
      { conversationId: pair, pinned: true, unread: 1 },
      { conversationId: group, unread: 0 },
    ])
    expect((await reads.conversations('x2', {})).conversations).toMatchObject([
      { conversationId: group, unread: 1, mentions: 1 },
      { conversationId: pair, unread: 0 },
    ])
  })
})

test('a gateway that listens hears again after Redis hung, and after its connection was cut', async () => {
  const engines = await startEngines({ clickhouse: false })
  const bus = createRedisSignalBus({ urls: [engines.redisEngine.url], name: 'g1' }, engines.redis, silentLog)
  let heard = 0
  bus.listen('g1', () => {
    heard += 1
  })
  const hears = async () => {
    const before = heard
    await until(async () => {
      await bus.publish([{ gateway: 'g1', text: 'x' }]).catch(() => {})
      return heard > before
    })
  }
  try {
    await hears()
    engines.redisEngine.pause()
    await expect(bus.publish([{ gateway: 'g1', text: 'x' }])).rejects.toMatchObject({
      code: 'redis_unavailable',
    })
    engines.redisEngine.resume()
    await hears()
    await engines.redis.ready(10_000)
    await engines.redis.batch([['CLIENT', 'KILL', 'TYPE', 'pubsub']])
    await hears()
  } finally {
    engines.redisEngine.resume()
    await bus.close()
    await engines.stop()
  }
})

test('slots are those of the specification', () => {
  expect(slotOf('123456789')).toBe(0x31c3 % 16_384)
  expect(slotOf('lw:head:{abc}')).toBe(slotOf('abc'))
  expect(slotOf('{}a')).not.toBe(slotOf(''))
})

test('a Redis that hangs costs a caller half a second and queues nothing', async () => {
  const engines = await startEngines({ clickhouse: false })
  try {
    await engines.redis.batch([['SET', 'a', '1']])
    engines.redisEngine.pause()
    await expect(engines.redis.batch([['GET', 'a']])).rejects.toMatchObject({ code: 'redis_unavailable' })
    await expect(engines.redis.batch([['GET', 'a']])).rejects.toMatchObject({ code: 'redis_unavailable' })
    engines.redisEngine.resume()
    expect(await engines.redis.ready(10_000)).toBe(true)
    expect(await engines.redis.batch([['GET', 'a']])).toEqual(['1'])
  } finally {
    engines.redisEngine.resume()
    await engines.stop()
  }
})

async function until(done: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 20_000; !(await done()); ) {
    if (Date.now() > end) throw new Error('it did not happen in time')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
