import { describe, expect, it } from 'vitest'
import { createConnections } from '../../../gateway/connections.ts'
import { newCounters } from '../../../gateway/counters.ts'
import { createTyping } from '../../../gateway/typing.ts'
import { silentLog } from '../../../infra/log.ts'
import { createMemoryOnlineMap } from '../../../infra/memory/online-map.ts'
import { createVirtualClock } from '../../../infra/memory/virtual-clock.ts'
import { limits } from '../../../schemas/limits.ts'
import { Fault } from '../../../schemas/ports.ts'
import { connect } from '../../support/fake-connection.ts'

const PAIR = 'p2p:ann:bob'

function gateway() {
  const clock = createVirtualClock()
  const map = createMemoryOnlineMap()
  const connections = createConnections(8)
  const counters = newCounters()
  const shown: string[] = []
  const sent: string[] = []
  const audience: { users: string[] | null; down: boolean } = { users: ['bob'], down: false }
  const typing = createTyping({
    lives: ({ expiresAt }) => expiresAt > clock.now(),
    gatewayId: 'g1',
    reads: {
      async typingAudience() {
        if (audience.down) throw new Fault('unavailable', 'down', { retriable: true })
        return audience.users
      },
    },
    online: map,
    connections,
    counters,
    clock,
    log: silentLog,
    signals: () => ({
      send(signals) {
        for (const [to, signal] of signals)
          if (signal.kind === 'typing')
            sent.push(`${to}: ${signal.user} in ${signal.conversationId} to ${signal.to.join()}`)
      },
    }),
    send: (connection, frame) =>
      void shown.push(`${connection.user}: ${frame.type === 'userTyping' && frame.userId}`),
  })
  const elsewhere = (user: string, at: string, expiresAt = Number.MAX_SAFE_INTEGER) => {
    const entry = { gateway: at, boot: 'b', connection: `${user}@${at}`, deviceId: 'd', deviceType: 't' }
    return map.register({ user, entry: { ...entry, loginAt: 0, expiresAt } })
  }
  const ann = connect(connections, 'ann')
  const typed = async (conversationId = PAIR) => {
    typing.typed(ann, conversationId)
    await clock.advance(0)
  }
  return { clock, map, connections, counters, shown, sent, audience, elsewhere, typing, typed }
}

describe('typing', () => {
  it('is shown to all devices of those who are here, and told to the gateways of the others', async () => {
    const { connections, shown, sent, audience, elsewhere, typed } = gateway()
    audience.users = ['bob', 'cid', 'dan']
    connect(connections, 'bob')
    connect(connections, 'bob')
    await elsewhere('bob', 'g2')
    await elsewhere('cid', 'g2')
    await elsewhere('dan', 'g3')
    await elsewhere('bob', 'g1')
    await typed('g:team')
    expect(shown).toEqual(['bob: ann', 'bob: ann'])
    expect(sent).toEqual(['g2: ann in g:team to bob,cid', 'g3: ann in g:team to dan'])
  })

  it('is not shown to the one who types, nor sent where a connection has expired', async () => {
    const { clock, connections, shown, sent, audience, elsewhere, typed } = gateway()
    audience.users = ['ann', 'bob']
    connect(connections, 'ann')
    await elsewhere('bob', 'g2', clock.now())
    await typed()
    expect([shown, sent]).toEqual([[], []])
  })

  it('is told at most once in two seconds per conversation', async () => {
    const { clock, connections, shown, counters, typed } = gateway()
    connect(connections, 'bob')
    for (let n = 0; n < 5; n++) await typed()
    await typed('g:other')
    expect(shown).toHaveLength(2)
    expect(counters.typingDropped).toBe(4)
    await clock.advance(limits.typingIntervalMs)
    await typed()
    expect(shown).toHaveLength(3)
  })

  it('remembers a bounded number of conversations per connection', async () => {
    const { connections, typed } = gateway()
    for (let n = 0; n < 100; n++) await typed(`g:${n}`)
    const [ann] = connections.byUser('ann') ?? []
    expect(ann?.typedAt?.size).toBe(limits.typingConversationsMax)
  })

  it('is dropped where nobody is to be shown it, or nobody can be found', async () => {
    const { map, shown, sent, audience, counters, clock, typed } = gateway()
    audience.users = null
    await typed('g:large')
    audience.down = true
    await typed('g:down')
    audience.down = false
    audience.users = ['bob']
    map.down = true
    await typed()
    await clock.advance(0)
    expect([shown, sent]).toEqual([[], []])
    expect(counters.typingDropped).toBe(2)
  })

  it('is dropped for a connection that takes no more, and for one that is not logged in', async () => {
    const { connections, shown, counters, typing } = gateway()
    connect(connections, 'bob', { socket: { buffered: () => 1 } })
    connect(connections, 'cid', { phase: 'entering' })
    connect(connections, 'dan')
    typing.show({ kind: 'typing', conversationId: 'g:team', user: 'ann', to: ['bob', 'cid', 'dan'] })
    expect(shown).toEqual(['dan: ann'])
    expect(counters).toMatchObject({ typingShown: 1, typingDropped: 1 })
  })
})
