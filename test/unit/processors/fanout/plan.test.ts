import { describe, expect, it } from 'vitest'
import { type Plan, planRecord } from '../../../../processors/fanout/plan.ts'
import { membersOf, newRoster, type Rosters, restoreRoster } from '../../../../processors/fanout/roster.ts'
import { initialState } from '../../../../processors/state.ts'
import { directory } from '../../../../projections/directory/project.ts'
import type { Accepted } from '../../../../projections/projection.ts'
import { limits } from '../../../../schemas/limits.ts'
import type { EventPayload } from '../../../../schemas/records.ts'
import { T0 } from '../../../support/commands.ts'
import { eventOf, happening, names } from '../../../support/fanout-given.ts'

const GROUP = 'g:team'
const PAIR = 'p2p:ann:bob'

/** A partition that handles what happens at once, one after the other. */
function partition(rosters: Rosters = new Map()) {
  let seq = 0
  const plan = (stream: string, payload: EventPayload, at: { time?: number; now?: number } = {}): Plan => {
    const time = at.time ?? T0
    const { envelope, bytes } = eventOf(stream, ++seq, payload, { time })
    return planRecord(rosters, envelope, payload, bytes, at.now ?? time)
  }
  return { rosters, plan }
}

const message = (sender = 'ann') => happening('MessageSent', { sender })
const created = (...members: string[]) => happening('GroupCreated', { members })

describe('who is told of what happens in a single chat', () => {
  it('both sides, whatever it is', () => {
    const { plan } = partition()
    for (const payload of [
      message(),
      happening('FriendRequested', {}),
      happening('FriendAnswered', { accept: true }),
      happening('MessageRecalled', { target: target(1) }),
      happening('Reacted', { target: target(1), emoji: '👍', on: true }),
    ])
      expect(plan(PAIR, payload).recipients, payload.type).toEqual(['ann', 'bob'])
  })

  it('of blocking and of deleting a friend nobody but who did it, not even an observer', () => {
    const { plan } = partition()
    plan(PAIR, happening('Observing', { sender: 'eve', on: true }))
    for (const payload of [happening('Blocked', { on: true }), happening('FriendDeleted', {})])
      expect(plan(PAIR, payload), payload.type).toMatchObject({
        ...{ recipients: ['ann'], observers: [], signal: null, related: ['bob'] },
      })
    expect(plan('p2p:ann:ann', happening('Blocked', { on: true })).related).toEqual([])
    expect(plan(PAIR, message()).related).toEqual([])
  })

  it('the first event puts the chat into both lists, so that a stranger’s request is found', () => {
    const { plan } = partition()
    expect(plan(PAIR, happening('FriendRequested', {})).lists.map(({ user }) => user)).toEqual(['ann', 'bob'])
    expect(plan(PAIR, message()).lists).toEqual([])
  })

  it.each([
    ['a block', happening('Blocked', { on: true }), 0],
    ['a request', happening('FriendRequested', {}), 0],
    ['a message', message(), 1],
    ['an observer', happening('Observing', { sender: 'eve', on: true }), 0],
  ])('lists that %s begins are those of the directory, then and with what follows', (_, first, ordinal) => {
    const rosters: Rosters = new Map()
    const follow = [
      happening('Blocked', { sender: 'bob', on: true }),
      happening('FriendRequested', { sender: 'bob' }),
      message('bob'),
      message('ann'),
    ]
    let messages = ordinal
    for (const [i, payload] of [first, ...follow].entries()) {
      if (i > 0 && payload.type === 'MessageSent') messages++
      const { envelope, bytes } = eventOf(PAIR, i + 1, payload, { ordinal: messages })
      const listed = directory
        .project({ envelope, payload, partition: 0 } as unknown as Accepted)
        .flatMap((write) => (write.kind === 'listed' ? write.users : []))
      const { lists } = planRecord(rosters, envelope, payload, bytes, T0)
      expect(lists, `${i} ${payload.type}`).toEqual(listed.map((user) => ({ user, conversationId: PAIR })))
    }
  })

  it('a block that comes first is in no list but that of who blocks', () => {
    expect(partition().plan(PAIR, happening('Blocked', { on: true })).lists).toEqual([
      { user: 'ann', conversationId: PAIR },
    ])
  })
})

describe('who is told of what happens in a group', () => {
  it('its members, and those who join from their joining on', () => {
    const { plan } = partition()
    plan(GROUP, created('ann', 'bob'))
    expect(plan(GROUP, happening('JoinRequested', { sender: 'cid' })).recipients).toEqual(['ann', 'bob'])
    const refused = plan(GROUP, happening('JoinAnswered', { user: 'dan', accept: false }))
    expect(refused).toMatchObject({ recipients: ['ann', 'bob'], lists: [] })
    const joined = plan(GROUP, happening('JoinAnswered', { user: 'cid', accept: true }))
    expect(joined).toMatchObject({
      recipients: ['ann', 'bob', 'cid'],
      lists: [{ user: 'cid', conversationId: GROUP }],
    })
    expect(plan(GROUP, message()).recipients).toEqual(['ann', 'bob', 'cid'])
  })

  it('those who were removed, of their removal and no more', () => {
    const { plan } = partition()
    plan(GROUP, created('ann', 'bob'))
    expect(plan(GROUP, happening('MembersRemoved', { members: ['bob'] })).recipients).toEqual(['ann', 'bob'])
    expect(plan(GROUP, message()).recipients).toEqual(['ann'])
  })

  it('an observer from the start of observing to its end, without being a member', () => {
    const { plan, rosters } = partition()
    plan(GROUP, created('ann', 'bob'))
    const observing = (on: boolean) => plan(GROUP, happening('Observing', { sender: 'eve', on }))
    expect(observing(true)).toMatchObject({ recipients: ['ann', 'bob'], observers: ['eve'], lists: [] })
    expect(plan(GROUP, message()).observers).toEqual(['eve'])
    expect(membersOf(GROUP, rosters)).toEqual(['ann', 'bob'])
    expect(observing(false).observers).toEqual(['eve'])
    expect(plan(GROUP, message()).observers).toEqual([])
  })

  it('an observer who becomes a member observes no more', () => {
    const { plan } = partition()
    plan(GROUP, created('ann'))
    plan(GROUP, happening('Observing', { sender: 'eve', on: true }))
    expect(plan(GROUP, happening('MembersAdded', { members: ['eve'] }))).toMatchObject({
      recipients: ['ann', 'eve'],
      observers: [],
    })
    plan(GROUP, happening('MembersRemoved', { members: ['eve'] }))
    expect(plan(GROUP, message())).toMatchObject({ recipients: ['ann'], observers: [] })
  })
})

describe('a large group', () => {
  const max = limits.groupNamedMembersMax
  const small = () => {
    const made = partition()
    made.plan(GROUP, created(...names('m', max)))
    return made
  }

  it('is one from the member over the limit on, for ever, and then names only whom it lets in or puts out', () => {
    const { plan } = small()
    expect(plan(GROUP, message('m0'))).toMatchObject({ channel: null })
    expect(plan(GROUP, message('m0')).recipients).toHaveLength(max)
    plan(GROUP, happening('MembersAdded', { members: ['one'] }))
    expect(plan(GROUP, message('m0'))).toMatchObject({ channel: { everywhere: true }, recipients: [] })
    expect(plan(GROUP, happening('MembersAdded', { members: ['two', 'three'] })).recipients).toEqual([
      'two',
      'three',
    ])
    const left = names('m', max).slice(1)
    expect(plan(GROUP, happening('MembersRemoved', { members: left })).recipients).toEqual(left)
    expect(plan(GROUP, message('m0'))).toMatchObject({ recipients: [], observers: [] })
    expect(plan(GROUP, message('m0')).channel).not.toBe(null)
  })

  it('names all its members once, by the event that makes it large: their gateways learn of them by that', () => {
    const { plan } = small()
    const becoming = plan(GROUP, happening('JoinAnswered', { user: 'one', accept: true }))
    expect(becoming).toMatchObject({ channel: { everywhere: true } })
    expect(becoming.recipients).toEqual([...names('m', max), 'one'])
    expect(partition().plan(GROUP, created(...names('m', max + 1))).recipients).toHaveLength(max + 1)
  })

  it('goes to every gateway for a minute of broker time after it became one', () => {
    const { plan } = small()
    plan(GROUP, happening('MembersAdded', { members: ['one'] }))
    const at = (time: number) => plan(GROUP, message('m0'), { time }).channel
    expect(at(T0 + limits.becomingLargeMs - 1)).toEqual({ everywhere: true })
    expect(at(T0 + limits.becomingLargeMs)).toEqual({ everywhere: false })
  })

  it('names its observers beside its members', () => {
    const { plan } = small()
    plan(GROUP, happening('MembersAdded', { members: ['one'] }))
    plan(GROUP, happening('Observing', { sender: 'eve', on: true }))
    expect(plan(GROUP, message('m0'))).toMatchObject({ recipients: [], observers: ['eve'] })
  })

  it('after a snapshot is told everywhere for a minute: nobody knows when it became one', () => {
    const state = initialState(GROUP)
    if (state?.body.kind !== 'group') throw new Error('no group')
    Object.assign(state.body, { exists: true, large: true })
    for (const user of ['ann', 'bob']) state.body.members.add(user)
    state.body.observers.push('eve')
    const rosters: Rosters = new Map()
    restoreRoster(rosters, GROUP, state, T0)
    const { plan } = partition(rosters)
    expect(plan(GROUP, message(), { time: T0 + 1 })).toMatchObject({
      channel: { everywhere: true },
      observers: ['eve'],
    })
    expect(plan(GROUP, message(), { time: T0 + limits.becomingLargeMs }).channel).toEqual({
      everywhere: false,
    })
  })

  it('costs the same work whatever the number of its members', () => {
    const rosters: Rosters = new Map([[GROUP, { ...newRoster(names('m', 100_000)), largeSince: T0 }]])
    const { plan } = partition(rosters)
    const walked = { count: 0 }
    const members = rosters.get(GROUP)?.members as Set<string>
    members[Symbol.iterator] = () => {
      walked.count++
      return Set.prototype[Symbol.iterator].call(members)
    }
    for (const payload of [message(), happening('MembersRemoved', { members: ['m5'] })]) plan(GROUP, payload)
    expect(walked.count).toBe(0)
  })
})

describe('a live room', () => {
  it('goes to gateways by its channel, names nobody and enters nobody’s list', () => {
    const { plan } = partition()
    expect(plan('r:hall', message())).toMatchObject({
      ...{ channel: { everywhere: false }, recipients: [], observers: [], lists: [], signal: null },
      head: { stream: 'r:hall', seq: 1 },
    })
    expect(plan('r:hall', message()).event).not.toBeNull()
  })
})

describe('what is told late', () => {
  const late = { time: T0, now: T0 + limits.pushAgeMsMax + 1 }

  it('is folded and its heads are written, but nobody is pushed anything', () => {
    const { plan, rosters } = partition()
    expect(plan(GROUP, created('ann', 'bob'), late)).toMatchObject({
      event: null,
      recipients: [],
      answer: null,
      head: { seq: 1 },
      lists: [{ user: 'ann' }, { user: 'bob' }],
    })
    expect(membersOf(GROUP, rosters)).toEqual(['ann', 'bob'])
  })

  it('of a large group still says who came and went: its gateways would keep them wrong for good', () => {
    const rosters: Rosters = new Map([[GROUP, { ...newRoster(['ann']), largeSince: 0 }]])
    const { plan } = partition(rosters)
    expect(plan(GROUP, message(), late).event).toBe(null)
    const removed = plan(GROUP, happening('MembersRemoved', { members: ['ann'] }), late)
    expect(removed).toMatchObject({ recipients: ['ann'], channel: { everywhere: false }, answer: null })
    expect(removed.event).not.toBe(null)
  })
})

describe('what concerns people of another stream', () => {
  const read = (conversationId: string, sender = 'ann') =>
    happening('ReadMarked', { sender, conversationId, seq: 9, ordinal: 9 })

  it('having read a single chat is told to the other side', () => {
    const { plan } = partition()
    expect(plan('u:ann', read(PAIR))).toMatchObject({
      recipients: ['ann'],
      signal: { signal: { kind: 'receipt', user: 'ann', conversationId: PAIR, seq: 9 }, to: ['bob'] },
    })
  })

  it('having read a group, a note to oneself or a chat of others is told to nobody', () => {
    const { plan } = partition()
    for (const conversationId of [GROUP, 'p2p:ann:ann', 'p2p:bob:cid'])
      expect(plan('u:ann', read(conversationId)).signal, conversationId).toBe(null)
  })

  it('a changed profile is told to friends, who are to be looked up', () => {
    const { plan } = partition()
    expect(plan('u:ann', happening('ProfileSet', { sender: 'ann', name: 'Ann' })).signal).toEqual({
      signal: { kind: 'profile', user: 'ann', conversationId: '', seq: 0 },
      to: null,
    })
  })

  it('nothing is told late', () => {
    const { plan } = partition()
    const late = { time: T0, now: T0 + limits.pushAgeMsMax + 1 }
    expect(plan('u:ann', read(PAIR), late).signal).toBe(null)
  })
})

const target = (seq: number) => ({ seq, ordinal: seq, sender: 'ann', time: T0, packId: Buffer.alloc(16) })
