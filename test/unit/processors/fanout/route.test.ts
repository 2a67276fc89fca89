import { describe, expect, it } from 'vitest'
import type { Plan } from '../../../../processors/fanout/plan.ts'
import type { Interest, OnlineEntry } from '../../../../processors/fanout/ports.ts'
import {
  type LiveGateways,
  type OnlineMap,
  routeHead,
  routePlan,
} from '../../../../processors/fanout/route.ts'
import { limits } from '../../../../schemas/limits.ts'
import { names } from '../../../support/fanout-given.ts'

const NOW = 1_000
const live: LiveGateways = new Map([
  ['g1', 'b1'],
  ['g2', 'b2'],
  ['g3', 'b3'],
])
const event = Buffer.from('an event')

const plan = (part: Partial<Plan>): Plan => ({
  stream: 'g:team',
  head: null,
  lists: [],
  channel: null,
  recipients: [],
  observers: [],
  event,
  signal: null,
  related: [],
  answer: null,
  ...part,
})
const at = (gateway: string, part: Partial<OnlineEntry> = {}): OnlineEntry => ({
  gateway,
  boot: `b${gateway.slice(1)}`,
  connection: 'c',
  deviceId: 'd',
  deviceType: 'test',
  loginAt: 0,
  expiresAt: NOW + 1,
  ...part,
})
const interest = (gateway: string, part: Partial<Interest> = {}): Interest => ({
  gateway,
  boot: `b${gateway.slice(1)}`,
  expiresAt: NOW + 1,
  ...part,
})
const map = (
  locations: Record<string, OnlineEntry[]> = {},
  interested: Interest[] = [],
  announced: readonly string[] = ['g1', 'g2', 'g3'],
): OnlineMap => ({
  locations: new Map(Object.entries(locations)),
  announced: new Map(announced.map((gateway) => [gateway, `b${gateway.slice(1)}`])),
  interested: interested.length > 0 ? new Map([['g:team', interested]]) : new Map(),
})

/** What each gateway is sent: `#` for a record to the members it has, then the names. */
const sent = (of: Plan, online: OnlineMap | null) =>
  routePlan(of, live, online, NOW).map(
    ({ gateway, channel, recipients, signal }) =>
      `${gateway}:${signal ? `${signal.kind} ` : ''}${[...(channel ? ['#'] : []), ...recipients].join()}`,
  )

describe('a record that names its recipients', () => {
  const told = plan({ recipients: ['ann', 'bob'], observers: ['eve'] })

  it('goes to those gateways that hold one of them, with their names', () => {
    const online = map({ ann: [at('g1'), at('g2')], bob: [at('g2')], eve: [at('g3')] })
    expect(sent(told, online)).toEqual(['g1:ann', 'g2:ann,bob', 'g3:eve'])
  })

  it('passes over connections that have expired or are of an earlier boot', () => {
    const online = map({ ann: [at('g1', { expiresAt: NOW }), at('g2', { boot: 'b0' })] })
    expect(sent(told, online)).toEqual([])
  })

  it('goes to a gateway that has not announced its sockets with all names, and everywhere without a map', () => {
    expect(sent(told, map({}, [], ['g1', 'g2']))).toEqual(['g3:ann,bob', 'g3:eve'])
    expect(sent(told, null)).toHaveLength(6)
  })

  it('names at most so many in one record, and answers its sender in the first', () => {
    const reply = { boot: 'b1', connection: 'c', packId: Buffer.alloc(16) }
    const answer = { ...reply, code: null, seq: 1, ordinal: 1, time: 1, repeat: false, conflict: false }
    const many = plan({
      recipients: names('m', 2 * limits.recipientsPerDeliveryMax + 1),
      answer: { gateway: 'g1', answer },
    })
    const parcels = routePlan(many, new Map([['g1', 'b1']]), null, NOW)
    expect(parcels.map(({ recipients }) => recipients.length)).toEqual([250, 250, 1])
    expect(parcels.map((parcel) => parcel.answer !== null)).toEqual([true, false, false])
  })
})

describe('a record of a large group', () => {
  const told = (part: Partial<Plan> = {}) => plan({ channel: { everywhere: false }, ...part })

  it('goes once to each gateway that has members, and names nobody', () => {
    expect(sent(told(), map({}, [interest('g1'), interest('g3')]))).toEqual(['g1:#', 'g3:#'])
  })

  it('passes over interest that has expired or is of an earlier boot', () => {
    const interests = [interest('g1'), interest('g2', { boot: 'b0' }), interest('g3', { expiresAt: NOW })]
    expect(sent(told(), map({}, interests))).toEqual(['g1:#'])
  })

  it('goes to every live gateway where no interest is known, or the map cannot be read', () => {
    const everywhere = ['g1:#', 'g2:#', 'g3:#']
    expect(sent(told(), map())).toEqual(everywhere)
    expect(sent(told(), map({}, [interest('g1', { expiresAt: 0 })]))).toEqual(everywhere)
    expect(sent(told(), null)).toEqual(everywhere)
    expect(sent(told({ channel: { everywhere: true } }), map({}, [interest('g1')]))).toEqual(everywhere)
  })

  it('goes to a gateway whose word is not trusted yet', () => {
    expect(sent(told(), map({}, [interest('g1')], ['g1', 'g2']))).toEqual(['g1:#', 'g3:#'])
  })

  it('names those who come and go wherever they are, so that a gateway without members learns of them', () => {
    const online = map({ ann: [at('g1')], bob: [at('g2')] }, [interest('g1'), interest('g3')])
    expect(sent(told({ recipients: ['ann', 'bob', 'cid'] }), online)).toEqual([
      'g1:#,ann',
      'g2:#,bob',
      'g3:#',
    ])
  })

  it('goes to observers by themselves: whom its own record names belongs to the group', () => {
    const online = map({ eve: [at('g2')] }, [interest('g1')])
    expect(sent(told({ observers: ['eve'] }), online)).toEqual(['g1:#', 'g2:eve'])
    expect(sent(told({ recipients: ['ann'], observers: ['eve'] }), null).slice(0, 2)).toEqual([
      'g1:#,ann',
      'g1:eve',
    ])
  })

  it('says of observers that they are', () => {
    const parcels = routePlan(told({ recipients: ['ann'], observers: ['eve'] }), live, null, NOW)
    for (const { recipients, observing } of parcels) expect(observing).toBe(recipients[0] === 'eve')
    const hints = routeHead('g:team', 9, ['ann'], ['eve'], live)
    for (const { recipients, observing } of hints) expect(observing).toBe(recipients[0] === 'eve')
    expect(hints).toHaveLength(6)
  })

  it('is hinted at with no name either', () => {
    const parcels = routeHead('g:team', 9, null, ['eve'], new Map([['g1', 'b1']]))
    expect(parcels).toMatchObject([
      { headSeq: 9, channel: true, recipients: [] },
      { headSeq: 9, channel: false, recipients: ['eve'] },
    ])
  })
})

describe('a relation that has changed', () => {
  it('is told to the gateways of the other one, without the event', () => {
    const online = map({ ann: [at('g1')], bob: [at('g2')] })
    const parcels = routePlan(plan({ recipients: ['ann'], related: ['bob'] }), live, online, NOW)
    expect(parcels).toMatchObject([
      { gateway: 'g1', recipients: ['ann'], related: false, event },
      { gateway: 'g2', recipients: ['bob'], related: true, event: null, signal: null },
    ])
  })
})

describe('a signal', () => {
  const signal = { kind: 'receipt', user: 'ann', conversationId: 'p2p:ann:bob', seq: 9 } as const

  it('goes where those are whom it concerns, apart from the event', () => {
    const told = plan({ stream: 'u:ann', recipients: ['ann'], signal: { signal, to: ['bob'] } })
    expect(sent(told, map({ ann: [at('g1')], bob: [at('g1'), at('g2')] }))).toEqual([
      'g1:ann',
      'g1:receipt bob',
      'g2:receipt bob',
    ])
  })

  it('to friends who could not be looked up goes nowhere', () => {
    const told = plan({ stream: 'u:ann', signal: { signal, to: null } })
    expect(sent(told, null)).toEqual([])
  })
})
