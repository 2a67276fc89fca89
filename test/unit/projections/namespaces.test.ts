import { describe, expect, test } from 'vitest'
import { systemClock } from '../../../infra/clock.ts'
import { silentLog } from '../../../infra/log.ts'
import { createMemoryLog } from '../../../infra/memory/log.ts'
import { keys, onlineKinds } from '../../../projections/keys.ts'
import { followNamespaces } from '../../../projections/namespaces/follower.ts'
import { followEach } from '../../../projections/namespaces/readers.ts'
import { callsIn, inEach } from '../../../projections/namespaces/redis.ts'
import {
  createRegistry,
  FIRST,
  fedIn,
  followedIn,
  leaseKey,
  type NamespaceList,
  switchedTo,
  withNamespace,
} from '../../../projections/namespaces/registry.ts'
import type { RedisCall } from '../../../projections/ports.ts'
import { seal } from '../../../schemas/avro.ts'
import { records } from '../../../schemas/records.ts'
import { sharedTopics, topics } from '../../../schemas/topics.ts'

const listRecord = (list: NamespaceList): Buffer =>
  seal(records.ProjectionNamespaces, {
    projection: 'live',
    active: list.active,
    namespaces: [...list.namespaces],
    ...{ by: 'test', at: 0 },
  })
const lease = (holder: string, leaseMs = 10_000): Buffer =>
  seal(records.ProjectionLease, { projection: 'live', holder, what: 'a replay', leaseMs })

const building = withNamespace(FIRST, { name: 'r1', state: 'building', since: 1, note: '' })
const following = withNamespace(FIRST, { name: 'r1', state: 'following', since: 1, note: '' })

describe('the registry', () => {
  test('without a record there is the one namespace of today', () => {
    expect(createRegistry().of('live')).toEqual(FIRST)
    expect(followedIn(FIRST)).toEqual([''])
    expect(fedIn(FIRST)).toEqual([''])
  })

  test('what a command builds is fed and not followed; what is retired is followed on', () => {
    expect(followedIn(building)).toEqual([''])
    expect(fedIn(building)).toEqual(['', 'r1'])
    const after = switchedTo(following, 'r1', 2)
    expect(after.active).toBe('r1')
    expect(after.namespaces.find(({ name }) => name === '')?.state).toBe('retired')
    expect(followedIn(after).sort()).toEqual(['', 'r1'])
    expect(fedIn(after)).toEqual(['r1', ''])
  })

  test('a lease is given to whoever comes first while it is free, and until it has run out', () => {
    const registry = createRegistry()
    const key = leaseKey('live')
    registry.apply(key, lease('a'), 1_000)
    registry.apply(key, lease('b'), 2_000)
    expect(registry.leaseOf('live')?.holder).toBe('a')
    registry.apply(key, lease('a'), 9_000)
    registry.apply(key, lease('b'), 18_999)
    expect(registry.leaseOf('live')).toMatchObject({ holder: 'a', until: 19_000 })
    registry.apply(key, lease('b'), 19_000)
    expect(registry.leaseOf('live')?.holder).toBe('b')
    registry.apply(key, lease('b', 0), 20_000)
    registry.apply(key, lease('a'), 20_000)
    expect(registry.leaseOf('live')?.holder).toBe('a')
    expect(registry.leaseOf('archive')).toBeNull()
  })

  test('a projection of a later release is passed over', () => {
    expect(createRegistry().apply('search', Buffer.from('?'), 0)).toBeNull()
  })
})

describe('keys in a namespace', () => {
  const calls: RedisCall[] = [
    ['HGET', keys.head('g:a'), 'seq'],
    { script: { name: 's', text: '' }, keys: [keys.own('ann', 'p2p:ann:bob'), keys.reads('ann')], args: [1] },
  ]

  test('keep their hash tags, so that a Cluster keeps them where they were', () => {
    expect(callsIn('', calls)).toBe(calls)
    expect(callsIn('r1', calls)).toEqual([
      ['HGET', 'lw@r1:head:{g:a}', 'seq'],
      {
        script: { name: 's', text: '' },
        keys: ['lw@r1:mine:{ann}:p2p:ann:bob', 'lw@r1:read:{ann}'],
        args: [1],
      },
    ])
  })

  test('what must reach each namespace is answered by the active one', async () => {
    const sent: string[] = []
    const redis = {
      batch: async (some: readonly RedisCall[]) => {
        sent.push(...some.map((call) => String((call as readonly unknown[])[1])))
        return some.map((_, i) => i)
      },
    }
    const list = switchedTo(following, 'r1', 2)
    const replies = await inEach(redis, { of: () => list }).batch([['HGET', keys.head('g:a'), 'seq']])
    expect(sent).toEqual(['lw@r1:head:{g:a}', 'lw:head:{g:a}'])
    expect(replies).toEqual([0])
  })

  test('the kinds of keys that are in no namespace are all there are beside the projections’', () => {
    const kindOf = (key: string): string => key.split(':')[1] ?? ''
    const every = Object.values(keys).map((of) => kindOf((of as (...ids: string[]) => string)('a', 'b')))
    for (const kind of onlineKinds) expect(every).toContain(kind)
  })
})

describe('a follower', () => {
  async function setUp() {
    const store = createMemoryLog(systemClock)
    const admin = await store.admin()
    await admin.ensureTopics(sharedTopics(1))
    const appender = await store.appender('test')
    const append = (list: NamespaceList) =>
      appender.append(topics.projections, 0, { key: 'live', value: listRecord(list) })
    const failed = (fault: unknown) => {
      throw fault
    }
    const follow = () => followNamespaces({ store, clock: systemClock, logger: silentLog, failed })
    return { append, follow, failed }
  }

  test('has read what stood there when it resolves, and hears of what comes', async () => {
    const { append, follow } = await setUp()
    await append(following)
    const follower = await follow()
    expect(follower.of('live')).toEqual(following)
    const heard = new Promise<NamespaceList>((resolve) => follower.onChange('live', resolve))
    await append(switchedTo(following, 'r1', 2))
    expect((await heard).active).toBe('r1')
    await follower.stop()
  })

  test('each followed namespace has a reader, from the record that names it to the one that does not', async () => {
    const { append, follow, failed } = await setUp()
    const follower = await follow()
    const log: string[] = []
    const readers = await followEach({
      projection: 'live',
      namespaces: follower,
      logger: silentLog,
      failed,
      async start(name) {
        log.push(`start ${name || 'original'}`)
        return {
          stats: () => ({ beginning: 0 }),
          stop: async () => void log.push(`stop ${name || 'original'}`),
        }
      },
    })
    expect(log).toEqual(['start original'])
    await append(building)
    await append(following)
    await expect.poll(() => log).toEqual(['start original', 'start r1'])
    expect([...readers.running().keys()]).toEqual(['live', 'live_r1'])
    await append(switchedTo(following, 'r1', 2))
    await expect.poll(() => [...readers.running().keys()]).toEqual(['live_original', 'live'])
    await append({ active: 'r1', namespaces: [{ name: 'r1', state: 'following', since: 2, note: '' }] })
    await expect.poll(() => log.at(-1)).toBe('stop original')
    await readers.stop()
    expect(log.at(-1)).toBe('stop r1')
    await follower.stop()
  })
})
