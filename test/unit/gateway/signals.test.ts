import { describe, expect, it } from 'vitest'
import { newCounters } from '../../../gateway/counters.ts'
import { createSignals, readSignal, type Signal, type TypingSignal } from '../../../gateway/signals.ts'
import { createMemorySignalBus } from '../../../infra/memory/signal-bus.ts'
import { limits } from '../../../schemas/limits.ts'

const signal: TypingSignal = { kind: 'typing', conversationId: 'g:team', user: 'ann', to: ['bob', 'cid'] }
const settle = () => new Promise((resolve) => setImmediate(resolve))

function gateways() {
  const bus = createMemorySignalBus()
  const make = (gatewayId: string) => {
    const counters = newCounters()
    const heard: Signal[] = []
    const signals = createSignals({ bus, gatewayId, counters, heard: (one) => void heard.push(one) })
    return { counters, heard, signals }
  }
  return { bus, g1: make('g1'), g2: make('g2') }
}

describe('what gateways tell each other', () => {
  it('arrives at the one it was meant for', async () => {
    const { g1, g2 } = gateways()
    g1.signals.send(new Map([['g2', signal]]))
    await settle()
    expect(g2.heard).toEqual([signal])
    expect(g1.heard).toEqual([])
    expect([g1.counters.signalsSent, g2.counters.signalsReceived]).toEqual([1, 1])
  })

  it('is dropped and counted while the bus is away, and goes on when it is back', async () => {
    const { bus, g1, g2 } = gateways()
    bus.down = true
    g1.signals.send(new Map([['g2', signal]]))
    await settle()
    bus.down = false
    g1.signals.send(new Map([['g2', signal]]))
    await settle()
    expect(g2.heard).toHaveLength(1)
    expect(g1.counters).toMatchObject({ signalsSent: 1, signalsDropped: 1 })
  })

  it('is dropped over what may be on its way at once', async () => {
    const counters = newCounters()
    const bus = { publish: () => new Promise<void>(() => {}), listen() {} }
    const signals = createSignals({ bus, gatewayId: 'g1', counters, heard() {} })
    for (let n = 0; n < limits.signalsInFlightMax + 5; n++) signals.send(new Map([['g2', signal]]))
    expect(counters.signalsDropped).toBe(5)
  })

  it('carries whose login is over, and who took its place, or nothing of it', () => {
    const by = { connection: 'b2-7', deviceId: 'd2', deviceType: 'web', loginAt: 5 }
    const kick = { kind: 'kick', boot: 'b1', user: 'ann', connection: 'b1-3', ending: 'kicked', by }
    expect(readSignal(JSON.stringify(kick))).toEqual(kick)
    const wrong = [
      { boot: '' },
      { user: 'a b' },
      { connection: 7 },
      { ending: 'forgiven' },
      { by: null },
      { by: { ...by, loginAt: 'soon' } },
      { by: { ...by, deviceId: '' } },
      { by: { ...by, connection: undefined } },
    ]
    for (const part of wrong) expect(readSignal(JSON.stringify({ ...kick, ...part }))).toBeNull()
  })

  it('that is malformed, too long or unknown is dropped and counted', async () => {
    const { bus, g2 } = gateways()
    const texts = [
      '',
      '[',
      'null',
      '"typing"',
      '{}',
      JSON.stringify({ ...signal, kind: 'dancing' }),
      JSON.stringify({ ...signal, conversationId: 'nothing' }),
      JSON.stringify({ ...signal, user: 'a b' }),
      JSON.stringify({ ...signal, to: 'bob' }),
      JSON.stringify({ ...signal, to: ['bob', 7] }),
      JSON.stringify({ ...signal, to: Array.from({ length: 51 }, (_, i) => `u${i}`) }),
      ' '.repeat(limits.signalBytesMax) + JSON.stringify(signal),
    ]
    await bus.publish(texts.map((text) => ({ gateway: 'g2', text })))
    await settle()
    expect(g2.heard).toEqual([])
    expect(g2.counters.signalsDropped).toBe(texts.length)
    expect(readSignal(JSON.stringify({ ...signal, more: 1 }))).toEqual(signal)
  })
})
