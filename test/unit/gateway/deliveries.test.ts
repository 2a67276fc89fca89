import { describe, expect, it } from 'vitest'
import type { ChannelEvent } from '../../../gateway/channels.ts'
import { createConnections } from '../../../gateway/connections.ts'
import { newCounters } from '../../../gateway/counters.ts'
import { CROWDED_PER_WINDOW, CROWDING_WINDOW_MS } from '../../../gateway/crowding.ts'
import { createDeliveries } from '../../../gateway/deliveries.ts'
import { pushLimits } from '../../../gateway/hub.ts'
import { createLedger } from '../../../gateway/ledger.ts'
import { resend } from '../../../gateway/push.ts'
import { silentLog } from '../../../infra/log.ts'
import { createVirtualClock } from '../../../infra/memory/virtual-clock.ts'
import { type ContentOpener, noContentKeys, withContent } from '../../../projections/content-keys/follower.ts'
import { seal } from '../../../schemas/avro.ts'
import type { ServerFrame } from '../../../schemas/frames.ts'
import { type Delivery, type EventPayload, records } from '../../../schemas/records.ts'
import { connect } from '../../support/fake-connection.ts'
import { eventOf, happening } from '../../support/fanout-given.ts'

const HALL = 'g:hall'

/** A gateway's deliveries, with what each user is sent. Members of the hall here: ann and bob. */
function gateway(opener: ContentOpener = noContentKeys) {
  const clock = createVirtualClock()
  const connections = createConnections(8)
  const counters = newCounters()
  const told: string[] = []
  const unread: number[] = []
  const related: string[] = []
  let gaps = 0
  let soon = 0
  const replaced: string[] = []
  const answered: string[] = []
  const say = (user: string | null, frame: ServerFrame): void => {
    if (frame.type === 'event') told.push(`${user} ${frame.item.kind} ${frame.item.seq}`)
    else if (frame.type === 'head') told.push(`${user} head ${frame.seq}`)
    else if (frame.type === 'receipt') told.push(`${user} receipt of ${frame.userId} ${frame.seq}`)
    else told.push(`${user} ${frame.type}`)
  }
  const members = ['ann', 'bob']
  const deliveries = createDeliveries({
    gatewayId: 'g1',
    boot: 'b1',
    opener,
    connections,
    hub: {
      send: (connection, frame) => say(connection.user, frame),
      input() {},
      resync() {},
    },
    outbox: {
      write: (connection, bytes) => say(connection.user, JSON.parse(bytes.toString()) as ServerFrame),
      writeSoon(connection, bytes) {
        soon += 1
        this.write(connection, bytes)
      },
      replace: (connection, before, after) =>
        void replaced.push([connection.user, before, after].map(String).join(' ')),
    },
    rooms: { deliver: (item) => void told.push(`room ${item.conversationId} ${item.seq}`) },
    channels: {
      deliver: (event: ChannelEvent) => {
        for (const user of members) deliveries.push(user, event)
      },
      deliverUnread: (_id, seq) => void unread.push(seq),
      members: () => members,
      memberCount: () => members.length,
    },
    ledger: {
      ...createLedger(() => 0, counters),
      answered: (stream, { code }) => void answered.push(`${stream} ${code}`),
    },
    counters,
    clock,
    log: silentLog,
    onGap: () => {
      gaps += 1
    },
    onRelation: (users) => void related.push(...users),
    observeDeliveryMs() {},
  })
  let counter = 0
  const deliver = (part: Partial<Delivery>) => {
    const blank = { event: null, stream: HALL, headSeq: 0, recipients: [], channel: false, signal: null }
    const delivery = {
      observing: false,
      related: false,
      instance: 'f',
      partition: 0,
      counter: counter++,
      ...blank,
      answer: null,
      ...part,
    }
    handled = deliveries.handle(seal(records.Delivery, delivery), 0)
    return told.splice(0)
  }
  let handled: void | Promise<void>
  const event = (seq: number, payload: EventPayload, stream = HALL): Partial<Delivery> => ({
    stream,
    event: eventOf(stream, seq, payload, { time: clock.now() }).bytes,
  })
  return {
    clock,
    connections,
    counters,
    deliver,
    event,
    unread,
    related,
    gaps: () => gaps,
    later: async () => {
      await handled
      return told.splice(0)
    },
    soon: () => soon,
    replaced,
    answered,
  }
}
const message = happening('MessageSent', {})
const recalled = (seq: number) => happening('MessageRecalled', { target: target(seq) })
const target = (seq: number) => ({ seq, ordinal: seq, sender: 'ann', time: 0, packId: Buffer.alloc(16, 1) })

describe('a delivery', () => {
  it('of a large group goes to those it names and to the members here, once each', () => {
    const { connections, counters, deliver, event } = gateway()
    for (const user of ['ann', 'bob', 'cid', 'dan']) connect(connections, user)
    expect(deliver({ ...event(1, message), channel: true })).toEqual(['ann message 1', 'bob message 1'])
    const removed = happening('MembersRemoved', { members: ['cid'] })
    expect(deliver({ ...event(2, removed), channel: true, recipients: ['cid'] })).toEqual([
      'cid removed 2',
      'ann removed 2',
      'bob removed 2',
    ])
    expect(counters).toMatchObject({ channelDeliveries: 2, pushed: 5 })
  })

  it('tells the ledger of every answer, so that it waits for none that has come', () => {
    const { answered, connections, deliver } = gateway()
    const { id: connection } = connect(connections, 'ann')
    const answer = (code: string | null) => ({
      ...{ boot: 'b1', connection, packId: Buffer.alloc(16, 1), code, seq: 1, ordinal: 1, time: 0 },
      ...{ repeat: false, conflict: false },
    })
    expect(deliver({ answer: answer(null) })).toEqual(['ann committed'])
    expect(deliver({ answer: answer('not_member') })).toEqual(['ann rejected'])
    expect(answered).toEqual([`${HALL} null`, `${HALL} not_member`])
  })

  it('to many waits for others to share a system call while much is being pushed, but for a recall; one to few never does', async () => {
    const { connections, deliver, event, clock, soon } = gateway()
    const crowd = Array.from({ length: 200 }, (_, i) => `u${i}`)
    connect(connections, 'ann')
    for (const user of crowd) connect(connections, user)
    let seq = 0
    const flood = () => deliver({ ...event(++seq, message), recipients: crowd })
    for (let pushed = 0; pushed < CROWDED_PER_WINDOW; pushed += crowd.length) expect(flood().length).toBe(200)
    const before = soon()
    expect(before).toBeLessThan(CROWDED_PER_WINDOW)
    flood()
    expect(soon()).toBe(before + 200)
    const single = 'p2p:ann:u0'
    deliver({ ...event(1, message, single), recipients: ['ann', 'u0'] })
    deliver({ ...event(++seq, recalled(1)), recipients: crowd })
    expect(soon()).toBe(before + 200)
    await clock.advance(2 * CROWDING_WINDOW_MS)
    flood()
    expect(soon()).toBe(before + 200)
  })

  it('of a recall takes the text back from what has not left yet', () => {
    const { connections, deliver, event, replaced } = gateway()
    for (const user of ['ann', 'bob']) connect(connections, user)
    const said = happening('MessageSent', { content: Buffer.from('{"text":"the text"}') })
    deliver({ ...event(1, said), recipients: ['ann', 'bob'] })
    deliver({ ...event(2, recalled(1)), recipients: ['ann', 'bob'] })
    expect(replaced.map((text) => text.split(' ')[0])).toEqual(['ann', 'bob'])
    for (const text of replaced) expect(text.match(/the text/g)?.length).toBe(1)
  })

  it('to an observer reaches no member, and those of his connections alone whose token gives the right', () => {
    const { connections, deliver, event } = gateway()
    for (const user of ['ann', 'eve']) connect(connections, user)
    const observed = { recipients: ['eve'], observing: true }
    expect(deliver({ ...event(1, message), ...observed })).toEqual([])
    expect(deliver({ headSeq: 7, ...observed })).toEqual([])
    connect(connections, 'eve', { rights: ['observe'] })
    expect(deliver({ ...event(2, message), ...observed })).toEqual(['eve message 2'])
    expect(deliver({ headSeq: 7, ...observed })).toEqual(['eve head 7'])
    expect(deliver({ ...event(3, message), recipients: ['eve'] })).toEqual(['eve message 3', 'eve message 3'])
  })

  it('of what only its sender may know is pushed to nobody else, whomever it names', () => {
    const { connections, deliver, event } = gateway()
    for (const user of ['ann', 'bob']) connect(connections, user)
    const blocked = happening('Blocked', { sender: 'ann', on: true })
    expect(deliver({ ...event(1, blocked, 'p2p:ann:bob'), recipients: ['ann', 'bob'] })).toEqual([
      'ann blocked 1',
    ])
  })

  it('hints a large group’s head to the members here, and to those it names', () => {
    const { connections, deliver } = gateway()
    for (const user of ['ann', 'bob', 'eve']) connect(connections, user)
    expect(deliver({ headSeq: 7, channel: true })).toEqual(['ann head 7', 'bob head 7'])
    expect(deliver({ headSeq: 7, recipients: ['eve'] })).toEqual(['eve head 7'])
  })

  it('that cannot be read is hinted at, and leaves it open who is in the group', () => {
    const { connections, deliver, unread } = gateway()
    connect(connections, 'ann')
    const { bytes, envelope } = eventOf(HALL, 4, message)
    const unknown = Buffer.from(bytes)
    // The fingerprint of a schema that nobody knows.
    unknown.fill(0xee, unknown.indexOf(envelope.schema), unknown.indexOf(envelope.schema) + 8)
    expect(deliver({ event: unknown, channel: true })).toEqual(['ann head 4'])
    expect(unread).toEqual([4])
  })

  it('tells receipts and changed profiles to those concerned who are logged in', () => {
    const { connections, counters, deliver } = gateway()
    connect(connections, 'bob')
    connect(connections, 'cid', { phase: 'entering' })
    const receipt = { kind: 'receipt', user: 'ann', conversationId: 'p2p:ann:bob', seq: 9 } as const
    expect(deliver({ signal: receipt, recipients: ['bob', 'cid'] })).toEqual(['bob receipt of ann 9'])
    const profile = { kind: 'profile', user: 'ann', conversationId: '', seq: 0 } as const
    expect(deliver({ signal: profile, recipients: ['bob'] })).toEqual(['bob profileChanged'])
    expect(counters.signals).toBe(2)
  })

  it('that changes who is friends with whom says so', () => {
    const { deliver, event, related } = gateway()
    deliver({
      ...event(1, happening('FriendAnswered', { accept: true }), 'p2p:ann:bob'),
      recipients: ['ann', 'bob'],
    })
    deliver({ ...event(2, message, 'p2p:ann:bob'), recipients: ['ann', 'bob'] })
    expect(related).toEqual(['ann', 'bob'])
  })

  it('that tells of a block is for the gateway, and shown to nobody', () => {
    const { connections, deliver, related } = gateway()
    connect(connections, 'bob')
    expect(deliver({ stream: 'p2p:ann:bob', related: true, recipients: ['bob'] })).toEqual([])
    expect(related).toEqual(['bob'])
  })

  it('that was lost is noticed by the next one', () => {
    const { deliver, gaps } = gateway()
    deliver({})
    deliver({ counter: 5 })
    expect(gaps()).toBe(1)
  })

  it('of a recall or an edit replaces what waits for its ack at every member of a large group, and is sent again first', () => {
    const { clock, connections, deliver, event } = gateway()
    const ann = connect(connections, 'ann')
    const bob = connect(connections, 'bob')
    deliver({ ...event(1, message, 'g:other'), recipients: ['ann', 'bob'] })
    deliver({ ...event(1, message), channel: true })
    const edited = { ...message, type: 'MessageEdited', target: target(1) } as unknown as EventPayload
    deliver({ ...event(2, edited), channel: true })
    deliver({ ...event(3, happening('MessageRecalled', { target: target(1) })), channel: true })
    for (const { push } of [ann, bob]) {
      if (!push) throw new Error('nothing was pushed')
      const due = resend(push, clock.now() + pushLimits.ackTimeoutMs, pushLimits)
      expect(
        due.kind === 'resend' &&
          due.events.map(({ item }) => [item.conversationId, item.seq, item.kind, item.content === null]),
      ).toEqual([
        [HALL, 1, 'message', true],
        [HALL, 2, 'edited', true],
        [HALL, 3, 'recalled', true],
        ['g:other', 1, 'message', false],
      ])
    }
  })

  it('whose key is not known yet waits for it; what nobody can open is told without its content', async () => {
    let read = false
    const { connections, deliver, event, later } = gateway({
      ...noContentKeys,
      opened: (payload) => (read ? withContent(payload, null) : null),
      untilRead: async () => {
        read = true
      },
    })
    connect(connections, 'ann')
    const sealed = { ...event(1, happening('MessageSent', { keyId: 'bob~1' })), recipients: ['ann'] }
    expect(deliver(sealed)).toEqual([])
    expect(await later()).toEqual(['ann message 1'])
  })
})
