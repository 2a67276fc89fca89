import { beforeEach, describe, expect, it } from 'vitest'
import { type ChannelEvent, type Channels, createChannels } from '../../../gateway/channels.ts'
import { createConnections } from '../../../gateway/connections.ts'
import { newCounters } from '../../../gateway/counters.ts'
import { outgoingEvent } from '../../../gateway/outgoing.ts'
import { silentLog } from '../../../infra/log.ts'
import { createMemoryOnlineMap } from '../../../infra/memory/online-map.ts'
import { createVirtualClock } from '../../../infra/memory/virtual-clock.ts'
import type { Item } from '../../../schemas/frames.ts'
import { hiddenItem } from '../../../schemas/item.ts'
import { limits } from '../../../schemas/limits.ts'
import { Fault } from '../../../schemas/ports.ts'
import { connect } from '../../support/fake-connection.ts'

const HALL = 'g:hall'

/** The channels of a gateway, with what they push, hint and resync. */
function gateway() {
  const clock = createVirtualClock()
  const map = createMemoryOnlineMap()
  const connections = createConnections(8)
  const counters = newCounters()
  const told: string[] = []
  const shown: { user: string; seq: number; content: string | null }[] = []
  /** User → seq of joining, as the directory says, and how far it has come; null: it does not answer. */
  const directory = { members: new Map<string, number>(), at: 9 as number | null, asked: 0 }
  const channels = createChannels({
    gatewayId: 'g1',
    boot: 'b1',
    reads: {
      async headOf() {
        if (directory.at === null) throw new Fault('unavailable', 'down', { retriable: true })
        return { partial: false, head: { seq: directory.at, ordinal: 0, time: 0 } }
      },
      async membersAmong(_group, users, atLeast = 0) {
        directory.asked += 1
        if (directory.at === null || directory.at < atLeast)
          throw new Fault('unavailable', 'it trails', { retriable: true })
        return new Map([...directory.members].filter(([user]) => users.includes(user)))
      },
    },
    online: map,
    connections,
    counters,
    clock,
    log: silentLog,
    push(user, { outgoing: { item: pushed } }) {
      told.push(`${user} ${pushed.seq}`)
      shown.push({ user, seq: pushed.seq, content: pushed.content })
    },
    hint: (users, _id, seq) => {
      for (const user of users) told.push(`${user} hint ${seq}`)
    },
    resync: (users) => {
      for (const user of users) told.push(`${user} resync`)
    },
    distrust: () => void told.push('distrust'),
    onMember() {},
  })
  const happened = (): string[] => told.splice(0)
  return { clock, map, connections, counters, directory, channels, happened, shown }
}

const item = (seq: number, part: Partial<Item> = {}): ChannelEvent => ({
  outgoing: outgoingEvent({ ...hiddenItem(HALL, seq), kind: 'message', ...part }),
  sender: null,
  soon: false,
})
const added = (seq: number, ...members: string[]) => item(seq, { kind: 'added', members })
const removed = (seq: number, ...members: string[]) => item(seq, { kind: 'removed', members })

let of: ReturnType<typeof gateway>
let channels: Channels
/** ann and bob are members since event 1 and are connected here. */
beforeEach(async () => {
  of = gateway()
  channels = of.channels
  for (const user of ['ann', 'bob']) {
    of.directory.members.set(user, 1)
    connect(of.connections, user)
  }
})

/** Both have logged in. */
async function joined() {
  await Promise.all(['ann', 'bob'].map((user) => channels.join(HALL, user)))
  of.happened()
}

describe('an event of a large group', () => {
  it('is pushed to the members here, at once', async () => {
    await joined()
    channels.deliver(item(10), [])
    expect(of.happened()).toEqual(['ann 10', 'bob 10'])
    expect(of.directory.asked).toBe(1)
  })

  it('is not pushed twice to those whom fan-out named', async () => {
    await joined()
    channels.deliver(item(10), ['ann'])
    expect(of.happened()).toEqual(['bob 10'])
  })

  it('that lets someone in reaches him, and so does what follows; one that puts him out is his last', async () => {
    await joined()
    connect(of.connections, 'cid')
    channels.deliver(added(10, 'cid'), ['cid'])
    channels.deliver(item(11), [])
    channels.deliver(removed(12, 'cid', 'ann'), ['cid', 'ann'])
    channels.deliver(item(13), [])
    expect(of.happened()).toEqual(['ann 10', 'bob 10', 'ann 11', 'bob 11', 'cid 11', 'bob 12', 'bob 13'])
  })

  it('by which the group became large makes members of all whom it names, with no store to ask', async () => {
    of.directory.at = null
    channels.deliver(added(10, 'zed'), ['ann', 'bob', 'zed'])
    channels.deliver(item(11), [])
    expect(of.happened()).toEqual(['ann 11', 'bob 11'])
  })

  it('after a hole waits until it is known who is still in: a removal may have been lost', async () => {
    await joined()
    of.directory.members.delete('bob')
    of.directory.at = 10
    channels.deliver(item(12), [])
    channels.deliver(item(13), [])
    await of.clock.advance(100)
    expect(of.happened()).toEqual([])
    of.directory.at = 11
    await of.clock.advance(2_000)
    expect(of.happened()).toEqual(['ann 12', 'ann 13', 'ann hint 13'])
  })

  it('that was taken back or edited while it waits is shown as it is then', async () => {
    await joined()
    of.directory.at = 10
    const said = (content: string) => ({ contentType: 'text', content })
    channels.deliver(item(12, said('one')), [])
    channels.deliver(item(13, said('two')), [])
    channels.deliver(item(14, { kind: 'edited', targetSeq: 13, ...said('second') }), [])
    channels.deliver(item(15, { kind: 'recalled', targetSeq: 12 }), [])
    of.directory.at = 15
    await of.clock.advance(2_000)
    expect(of.shown.filter(({ user }) => user === 'ann').map(({ seq, content }) => [seq, content])).toEqual([
      [12, null],
      [13, 'second'],
      [14, 'second'],
      [15, null],
    ])
  })

  it('waits in a bounded number', async () => {
    await joined()
    of.directory.at = null
    const last = 11 + 2 * limits.channelEventsHeldMax
    for (let seq = 11; seq <= last; seq++) channels.deliver(item(seq), [])
    of.directory.at = last
    await of.clock.advance(2_000)
    const pushed = of.happened().filter((what) => what.startsWith('ann ') && !what.includes('hint'))
    expect(pushed).toHaveLength(limits.channelEventsHeldMax)
    expect(pushed.at(-1)).toBe(`ann ${last}`)
  })

  it('that cannot be read leaves it open who is in', async () => {
    await joined()
    channels.deliverUnread(HALL, 10)
    of.directory.members.delete('bob')
    of.directory.at = 10
    channels.deliver(item(11), [])
    await of.clock.advance(100)
    expect(of.happened()).toEqual(['ann 11', 'ann hint 11'])
  })

  it('of which nobody here is a member is asked about once', async () => {
    of.directory.members.clear()
    for (let seq = 10; seq < 20; seq++) channels.deliver(item(seq), [])
    await of.clock.advance(100)
    for (let seq = 20; seq < 30; seq++) channels.deliver(item(seq), [])
    await of.clock.advance(100)
    expect(of.happened()).toEqual([])
    expect(of.directory.asked).toBe(1)
    expect(of.map.interests.has(HALL)).toBe(false)
  })

  it('of a group of which the map had lost the interest finds its members, who are told what they may have missed', async () => {
    of.directory.at = 20
    channels.deliver(item(10), [])
    await of.clock.advance(100)
    expect(of.happened()).toEqual([
      'ann 10',
      'bob 10',
      'ann hint 10',
      'bob hint 10',
      'ann hint 20',
      'bob hint 20',
    ])
    expect(of.map.interests.get(HALL)?.get('g1')).toMatchObject({ boot: 'b1' })
  })
})

describe('interest in a large group', () => {
  it('stands before the directory is asked, and stays as long as it is renewed', async () => {
    await joined()
    const until = () => of.map.interests.get(HALL)?.get('g1')?.expiresAt ?? 0
    const first = until()
    await of.clock.advance(limits.onlineRefreshMs)
    await channels.refresh()
    expect(until()).toBe(first + limits.onlineRefreshMs)
    expect(of.happened()).toEqual([])
  })

  it('that could not be registered makes fan-out distrust the map, and its members sync when it stands', async () => {
    of.map.down = true
    await joined()
    of.map.down = false
    await channels.refresh()
    await of.clock.advance(0)
    expect(of.happened().slice(0, 2)).toEqual(['ann resync', 'bob resync'])
  })

  it('that the map lost, or let expire, makes the members sync', async () => {
    await joined()
    of.map.empty()
    await channels.refresh()
    await of.clock.advance(0)
    expect(of.happened()).toEqual(['ann resync', 'bob resync', 'ann hint 9', 'bob hint 9'])
    await of.clock.advance(limits.onlineExpiryMs)
    await channels.refresh()
    expect(of.happened().slice(0, 2)).toEqual(['ann resync', 'bob resync'])
  })

  it('outlives its last member for a while, then it is taken back', async () => {
    await joined()
    for (const user of ['ann', 'bob']) channels.leave(user, [HALL])
    await channels.refresh()
    expect(of.map.interests.get(HALL)?.size).toBe(1)
    await of.clock.advance(limits.onlineExpiryMs)
    await channels.refresh()
    expect(of.map.interests.get(HALL)?.size).toBe(0)
    expect(channels.size()).toBe(0)
  })

  it('is taken back when the gateway stops', async () => {
    await joined()
    await channels.stop()
    expect(of.map.interests.get(HALL)?.size).toBe(0)
  })
})

describe('a member who logs in', () => {
  it('finds what is known of the group as it is, and is asked about alone', async () => {
    await joined()
    channels.deliver(item(10), [])
    of.directory.members.set('cid', 5)
    connect(of.connections, 'cid')
    of.happened()
    await channels.join(HALL, 'cid')
    channels.deliver(item(11), [])
    expect(of.happened()).toEqual(['cid hint 10', 'ann 11', 'bob 11', 'cid 11'])
  })

  it('while the directory still has someone who was removed, is not one any more', async () => {
    await joined()
    channels.deliver(removed(10, 'cid'), [])
    of.directory.members.set('cid', 5)
    connect(of.connections, 'cid')
    await channels.join(HALL, 'cid')
    of.happened()
    channels.deliver(item(11), [])
    expect(of.happened()).toEqual(['ann 11', 'bob 11'])
  })
})
