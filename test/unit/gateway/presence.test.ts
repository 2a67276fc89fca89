import { describe, expect, it } from 'vitest'
import { type Connection, createConnections } from '../../../gateway/connections.ts'
import { newCounters } from '../../../gateway/counters.ts'
import { createPresence } from '../../../gateway/presence.ts'
import { silentLog } from '../../../infra/log.ts'
import { createMemoryOnlineMap } from '../../../infra/memory/online-map.ts'
import { createVirtualClock } from '../../../infra/memory/virtual-clock.ts'
import type { ServerFrame } from '../../../schemas/frames.ts'
import { limits } from '../../../schemas/limits.ts'
import { Fault } from '../../../schemas/ports.ts'
import { connect, session } from '../../support/fake-connection.ts'
import { names } from '../../support/fanout-given.ts'

/** A gateway with ann, who is friends with bob and cid. */
function gateway(buffered: () => number = () => 0) {
  const clock = createVirtualClock()
  const map = createMemoryOnlineMap()
  const connections = createConnections(8)
  const counters = newCounters()
  const friends = new Set(['bob', 'cid'])
  const unknown = { down: false }
  const told: string[] = []
  const say = (frame: ServerFrame): string => {
    const states =
      frame.type === 'presenceResult' ? frame.states : frame.type === 'presenceChanges' ? frame.changes : []
    const texts = states.map(({ userId, devices }) => `${userId}:${devices.map((d) => d.deviceId).join('+')}`)
    return frame.type === 'error' ? `${frame.id} ${frame.code}` : `${frame.type} ${texts.join()}`
  }
  const presence = createPresence({
    lives: ({ expiresAt }) => expiresAt > clock.now(),
    gatewayId: 'g1',
    reads: {
      async openFriends(_user, others) {
        if (unknown.down) throw new Fault('unavailable', 'it trails', { retriable: true })
        return others.filter((other) => friends.has(other))
      },
    },
    online: map,
    connections,
    counters,
    clock,
    log: silentLog,
    send: (_connection, frame) => void told.push(say(frame)),
  })
  presence.start()
  const ann = connect(connections, 'ann', { socket: { buffered } })
  const elsewhere = (user: string, deviceId: string, more: object = {}) =>
    map.register({
      user,
      entry: {
        gateway: 'g2',
        boot: 'b2',
        connection: `${user}/${deviceId}`,
        deviceId,
        deviceType: 'test',
        loginAt: 0,
        expiresAt: Number.MAX_SAFE_INTEGER,
        ...more,
      },
    })
  const gone = (user: string, deviceId: string) =>
    map.unregister({ user, gateway: 'g2', boot: 'b2', connection: `${user}/${deviceId}`, lastOfUser: false })
  const subscribe = (subscribe: readonly string[], unsubscribe: readonly string[] = [], connection = ann) =>
    presence.change(connection, 1, { subscribe, unsubscribe })
  const here = (user: string, deviceId: string): Connection => {
    const connection = connect(connections, user, { entry: { deviceId } })
    presence.changed(user)
    return connection
  }
  const left = (connection: Connection) => {
    connection.session = session('closed')
    connection.socket = null
    connections.remove(connection)
    presence.left(connection)
    presence.changed(connection.user as string)
  }
  const heard = () => told.splice(0)
  const parts = { clock, map, connections, counters, friends, presence, unknown }
  return { ...parts, elsewhere, gone, subscribe, here, left, heard }
}

describe('presence', () => {
  it('is answered with the devices of friends, on whatever gateways, each once', async () => {
    const { elsewhere, here, subscribe, heard } = gateway()
    here('bob', 'phone')
    await elsewhere('bob', 'laptop')
    await elsewhere('bob', 'phone')
    await elsewhere('cid', 'old', { expiresAt: 0 })
    await subscribe(['bob', 'cid'])
    expect(heard()).toEqual(['presenceResult bob:laptop+phone,cid:'])
  })

  it('of whoever is no friend is offline, whether or not there is such a user', async () => {
    const { clock, elsewhere, subscribe, heard, presence } = gateway()
    await elsewhere('eve', 'phone')
    await subscribe(['eve', 'nobody'])
    expect(heard()).toEqual(['presenceResult eve:,nobody:'])
    await elsewhere('eve', 'laptop')
    await clock.advance(10_000)
    expect(heard()).toEqual([])
    expect(presence.watched()).toBe(0)
  })

  it('is told when it changes elsewhere, once, and not when it does not', async () => {
    const { clock, elsewhere, gone, subscribe, heard } = gateway()
    await subscribe(['bob', 'cid'])
    heard()
    await elsewhere('bob', 'phone')
    await elsewhere('cid', 'laptop')
    await clock.advance(3_000)
    expect(heard()).toEqual(['presenceChanges bob:phone,cid:laptop'])
    await clock.advance(20_000)
    expect(heard()).toEqual([])
    await gone('bob', 'phone')
    await clock.advance(3_000)
    expect(heard()).toEqual(['presenceChanges bob:'])
  })

  it('is told within a second when it changes here, and at most once a second', async () => {
    const { clock, here, left, subscribe, heard } = gateway()
    await subscribe(['bob'])
    heard()
    await clock.advance(950)
    const bob = here('bob', 'phone')
    await clock.advance(1_000)
    expect(heard()).toEqual(['presenceChanges bob:phone'])
    // Gone and back within one second is no news.
    left(bob)
    here('bob', 'phone')
    await clock.advance(3_000)
    expect(heard()).toEqual([])
  })

  it('is told no more after unsubscribing, and no more to a connection that is gone', async () => {
    const { clock, connections, here, left, subscribe, heard, presence } = gateway()
    await subscribe(['bob', 'cid'])
    await subscribe([], ['bob'])
    heard()
    here('bob', 'phone')
    await clock.advance(3_000)
    expect(heard()).toEqual([])
    left((connections.byUser('ann') ?? [])[0] as Connection)
    expect(presence.watched()).toBe(0)
    here('cid', 'phone')
    await clock.advance(3_000)
    expect(heard()).toEqual([])
  })

  it('is told no more after unsubscribing while the subscription was still being read', async () => {
    const { clock, here, subscribe, heard, presence } = gateway()
    const reading = subscribe(['bob'])
    await subscribe([], ['bob'])
    await reading
    heard()
    here('bob', 'phone')
    await clock.advance(3_000)
    expect([heard(), presence.watched()]).toEqual([[], 0])
  })

  it('ends with a friendship and begins with one', async () => {
    const { clock, elsewhere, friends, subscribe, heard, presence } = gateway()
    await elsewhere('bob', 'phone')
    await elsewhere('eve', 'phone')
    await subscribe(['bob', 'eve'])
    heard()
    friends.delete('bob')
    friends.add('eve')
    presence.relationsChanged(['ann'])
    await clock.advance(6_000)
    expect(heard().sort()).toEqual(['presenceChanges bob:', 'presenceChanges eve:phone'])
  })

  it('ends with a friendship whose end was among what was lost', async () => {
    const { clock, elsewhere, friends, subscribe, heard, presence } = gateway()
    await elsewhere('bob', 'phone')
    await elsewhere('cid', 'phone')
    await subscribe(['bob', 'cid'])
    heard()
    friends.delete('bob')
    await clock.advance(5_000)
    expect(heard()).toEqual([])
    presence.relationsLost()
    await clock.advance(1_000)
    expect(heard()).toEqual(['presenceChanges bob:'])
  })

  it('of one who ended the friendship unseen is told no more after a minute', async () => {
    const { clock, elsewhere, friends, subscribe, heard } = gateway()
    await subscribe(['bob'])
    heard()
    friends.delete('bob')
    await clock.advance(60_000)
    await elsewhere('bob', 'phone')
    await clock.advance(5_000)
    expect(heard()).toEqual([])
  })

  it('is told of nobody whom it is not certain that he is a friend and not blocked, and later where it is', async () => {
    const { clock, elsewhere, subscribe, heard, presence, unknown } = gateway()
    await subscribe(['bob'])
    heard()
    unknown.down = true
    presence.relationsChanged(['ann'])
    await elsewhere('bob', 'phone')
    await subscribe(['cid'])
    await clock.advance(5_000)
    expect(heard()).toEqual(['1 unavailable'])
    unknown.down = false
    await clock.advance(1_000)
    expect(heard()).toEqual(['presenceChanges bob:phone'])
  })

  it('waits while the map is away, and nothing else suffers', async () => {
    const { clock, map, elsewhere, subscribe, heard } = gateway()
    await subscribe(['bob'])
    heard()
    await elsewhere('bob', 'phone')
    map.down = true
    await subscribe(['cid'])
    await clock.advance(10_000)
    expect(heard()).toEqual(['1 unavailable'])
    map.down = false
    await clock.advance(3_000)
    expect(heard()).toEqual(['presenceChanges bob:phone'])
    await subscribe(['cid'])
    expect(heard()).toEqual(['presenceResult cid:'])
  })

  it('is told later, as it is then, to a connection that takes no more now', async () => {
    let buffered = 1
    const { clock, here, subscribe, heard, counters } = gateway(() => buffered)
    await subscribe(['bob', 'cid'])
    heard()
    here('bob', 'phone')
    await clock.advance(3_000)
    expect(heard()).toEqual([])
    expect(counters.presenceDropped).toBeGreaterThan(0)
    here('bob', 'laptop')
    buffered = 0
    await clock.advance(1_000)
    expect(heard()).toEqual(['presenceChanges bob:laptop+phone'])
  })

  it('is subscribed to by a connection for a bounded number of users', async () => {
    const { subscribe, heard } = gateway()
    const max = limits.presenceSubscriptionsPerConnectionMax
    await subscribe(names('u', max))
    heard()
    await subscribe(['one-more'])
    expect(heard()).toEqual(['1 too_many'])
    await subscribe(['another'], ['u0'])
    expect(heard()).toEqual(['presenceResult another:'])
  })

  it('is read for a bounded number of users in a round; all get their turn', async () => {
    const { clock, connections, friends, map, subscribe, heard } = gateway()
    const many = names('f', limits.presencePerRoundMax + 500)
    for (const user of many) friends.add(user)
    const max = limits.presenceSubscriptionsPerConnectionMax
    for (let at = 0; at < many.length; at += max)
      await subscribe(many.slice(at, at + max), [], connect(connections, 'ann'))
    heard()
    const locate = map.locate
    const sizes: number[] = []
    map.locate = (users) => {
      sizes.push(users.length)
      return locate(users)
    }
    const last = many.at(-1) as string
    const entry = { gateway: 'g2', boot: 'b2', connection: 'c', deviceId: 'phone', deviceType: 'test' }
    await map.register({ user: last, entry: { ...entry, loginAt: 0, expiresAt: Number.MAX_SAFE_INTEGER } })
    await clock.advance(5_500)
    expect(Math.max(...sizes)).toBe(limits.presencePerRoundMax)
    expect(heard()).toEqual([`presenceChanges ${last}:phone`])
  })
})
