import { describe, expect, it } from 'vitest'
import { type Channel, learn, mayBeShown, newChannel, pass, passUnread } from '../../../gateway/channel.ts'

const everyone = () => true
const joins = (...joined: string[]) => ({ joined, left: [] })
const leaves = (...left: string[]) => ({ joined: [], left })
const nothing = { joined: [], left: [] }
const found = (members: Record<string, number>) => new Map(Object.entries(members))
const members = (channel: Channel) => Object.fromEntries(channel.members)

/** A channel of which it is known who was in it as of seq 10. */
function known(of: Record<string, number> = { ann: 1, bob: 1 }): Channel {
  const channel = newChannel()
  learn(channel, Object.keys(of), found(of), 10)
  channel.sure = true
  return channel
}

describe('the members of a large group on a gateway', () => {
  it('change with each event, at its place', () => {
    const channel = known()
    pass(channel, 11, joins('cid'), everyone)
    expect(members(channel)).toEqual({ ann: 1, bob: 1, cid: 11 })
    pass(channel, 12, leaves('ann', 'cid'), everyone)
    expect(members(channel)).toEqual({ bob: 1 })
    expect(channel.sure).toBe(true)
  })

  it('are only those who are connected here', () => {
    const channel = known()
    pass(channel, 11, joins('cid', 'dan'), (user) => user === 'dan')
    expect(members(channel)).toEqual({ ann: 1, bob: 1, dan: 11 })
  })

  it('are not changed by what comes again', () => {
    const channel = known()
    pass(channel, 11, joins('cid'), everyone)
    pass(channel, 12, leaves('cid'), everyone)
    pass(channel, 11, joins('cid'), everyone)
    pass(channel, 9, joins('dan'), everyone)
    expect(members(channel)).toEqual({ ann: 1, bob: 1 })
    expect(channel.sure).toBe(true)
  })

  it('take in every part of an event that came in several records', () => {
    const channel = known()
    pass(channel, 11, joins('cid'), everyone)
    pass(channel, 11, joins('dan'), everyone)
    expect(members(channel)).toEqual({ ann: 1, bob: 1, cid: 11, dan: 11 })
  })

  it('are forgotten behind a hole: one of them may have been removed in it', () => {
    const channel = known()
    pass(channel, 12, joins('cid'), everyone)
    expect(members(channel)).toEqual({ cid: 12 })
    expect(channel.sure).toBe(false)
    expect(channel.since).toBe(11)
  })

  it('are forgotten after an event that could not be read', () => {
    const channel = known()
    passUnread(channel, 10)
    expect(channel.sure).toBe(true)
    passUnread(channel, 11)
    expect(channel).toMatchObject({ sure: false, since: 11, at: 11 })
    expect(members(channel)).toEqual({})
  })
})

describe('an answer about members', () => {
  it('older than a removal that has passed brings nobody back', () => {
    const channel = newChannel()
    pass(channel, 20, leaves('bob'), everyone)
    expect(learn(channel, ['ann', 'bob'], found({ ann: 1, bob: 1 }), 19)).toBe(true)
    expect(members(channel)).toEqual({ ann: 1 })
  })

  it('ahead of the events holds: who joined later is shown nothing from before', () => {
    const channel = newChannel()
    pass(channel, 20, leaves('bob'), everyone)
    learn(channel, ['ann', 'bob'], found({ ann: 25, bob: 30 }), 19)
    expect(members(channel)).toEqual({ ann: 25, bob: 30 })
    expect([mayBeShown(25, 24), mayBeShown(25, 25)]).toEqual([false, true])
    pass(channel, 21, nothing, everyone)
    expect(members(channel)).toEqual({ ann: 25, bob: 30 })
  })

  it('that does not know of a joining yet takes nobody out', () => {
    const channel = newChannel()
    pass(channel, 20, joins('bob'), everyone)
    learn(channel, ['ann', 'bob'], found({}), 19)
    expect(members(channel)).toEqual({ bob: 20 })
  })

  it('finds a member who came after his joining had passed here', () => {
    const channel = known()
    pass(channel, 11, joins('cid'), (user) => user !== 'cid')
    expect(learn(channel, ['cid'], found({}), 10)).toBe(true)
    expect(members(channel)).toEqual({ ann: 1, bob: 1, cid: 11 })
  })

  it('from before what is remembered of the events is refused', () => {
    const channel = known()
    pass(channel, 15, nothing, everyone)
    expect(learn(channel, ['ann'], found({ ann: 1 }), 13)).toBe(false)
    expect(learn(channel, ['ann'], found({ ann: 1 }), 14)).toBe(true)
    expect(members(channel)).toEqual({ ann: 1 })
  })

  it('is refused too after more changes than are remembered', () => {
    const channel = known()
    for (let seq = 11; seq < 2_100; seq++) pass(channel, seq, leaves(`m${seq}`), everyone)
    expect(channel.changes.size).toBeLessThan(2_000)
    expect(learn(channel, ['ann'], found({ ann: 1 }), 11)).toBe(false)
  })
})
