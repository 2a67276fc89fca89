import { beforeEach, describe, expect, test } from 'vitest'
import { createPeers, type Peers } from '../../../gateway/peers.ts'
import { createVirtualClock, type VirtualClock } from '../../../infra/memory/virtual-clock.ts'
import { limits } from '../../../schemas/limits.ts'

let clock: VirtualClock
let peers: Peers
let beating: string[]
beforeEach(() => {
  clock = createVirtualClock()
  peers = createPeers({ gatewayId: 'g1', boot: 'b5', clock })
  beating = ['g1', 'g2']
})

const pass = async (ms: number) => {
  for (const end = clock.now() + ms; clock.now() < end; ) {
    for (const gateway of beating) peers.heard(gateway, gateway === 'g1' ? 'b5' : 'b3')
    await clock.advance(limits.gatewayHeartbeatMs)
  }
}
const at = (gateway: string, boot: string, expiresAt = Number.MAX_SAFE_INTEGER) =>
  peers.lives({ gateway, boot, expiresAt })

describe('records of the online map count', () => {
  test('while their gateway is heard, and no longer than they are good for', async () => {
    await pass(20_000)
    expect(at('g2', 'b3')).toBe(true)
    expect(at('g2', 'b3', clock.now())).toBe(false)
    expect([at('g1', 'b5'), at('g1', 'b4')]).toEqual([true, false])
  })

  test('not once their gateway fell silent, whatever stands there', async () => {
    await pass(20_000)
    beating = ['g1']
    await pass(limits.gatewaySilenceMsMax + limits.gatewayHeartbeatMs)
    expect(at('g2', 'b3')).toBe(false)
    expect(at('g9', 'never heard of')).toBe(false)
  })

  test('not once their gateway has left or was started anew; and at once where a newer process has just begun', async () => {
    await pass(20_000)
    expect([at('g2', 'b2'), at('g2', 'b4')]).toEqual([false, true])
    peers.heard('g2', null)
    expect(at('g2', 'b3')).toBe(false)
  })

  test('also while nobody can be heard: a log that is away makes nobody silent', async () => {
    await pass(20_000)
    beating = []
    await pass(60_000)
    expect([at('g2', 'b3'), at('g9', 'b1')]).toEqual([true, true])
  })

  test('also of whom nothing was heard yet, for as long as there was no time to', async () => {
    expect(at('g2', 'b3')).toBe(true)
    beating = ['g1']
    await pass(4_000)
    expect(at('g2', 'b3')).toBe(true)
    await pass(limits.gatewaySilenceMsMax)
    expect(at('g2', 'b3')).toBe(false)
  })
})
