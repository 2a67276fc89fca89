import { describe, expect, test } from 'vitest'
import type { Kicked } from '../../../client/api.ts'
import { clientWorld } from '../../support/client-world.ts'
import { noFaults } from '../../support/fake-gateway.ts'

const replaced = { type: 'bye', code: 'replaced', message: 'The same device has connected again.' } as const

describe('a login that another one ended', () => {
  test('is told who did it', async () => {
    const { gateway, online, time } = clientWorld(31)
    const told: Kicked[] = []
    await online('bob', { on: { kicked: (kicked) => void told.push(kicked) } })
    const by = { deviceId: 'phone-7', deviceType: 'phone', loginAt: 1_800_000_000_000 }
    gateway.tell('bob', { ...replaced, code: 'kicked', message: 'Another login.', kickedBy: by })
    await time.run(1_000)
    expect(told).toEqual([{ code: 'kicked', message: 'Another login.', by }])
  })

  test('ends for good, so that two clients with one device id do not end each other for ever', async () => {
    const { gateway, online, time } = clientWorld(32)
    const kicks: Kicked[] = []
    const bob = await online('bob', { on: { kicked: (kicked) => void kicks.push(kicked) } })
    gateway.tell('bob', replaced)
    await time.run(120_000)
    expect(bob.state).toBe('closed')
    expect(gateway.seen.filter(({ type }) => type === 'login')).toHaveLength(1)
    expect(kicks).toEqual([])
  })

  test('comes back once when it may have been its own earlier attempt that was served late', async () => {
    const { gateway, online, time } = clientWorld(33)
    const bob = await online('bob')
    gateway.faults = { ...noFaults, silence: 1 }
    gateway.tell('bob', { type: 'resync', reason: 'so that it falls silent' })
    void bob.send({ to: 'ann', text: 'hello?' }).catch(() => {})
    await time.run(2_000)
    gateway.faults = noFaults
    await time.run(40_000)
    expect(bob.state).toBe('online')
    const logins = () => gateway.seen.filter(({ type }) => type === 'login').length
    const before = logins()
    gateway.tell('bob', replaced)
    await time.run(20_000)
    expect(bob.state).toBe('online')
    expect(logins()).toBe(before + 1)
    gateway.tell('bob', replaced)
    await time.run(120_000)
    expect(bob.state).toBe('closed')
    expect(logins()).toBe(before + 1)
  })

  test('comes back for each attempt that it left, if it left several', async () => {
    const { gateway, online, time } = clientWorld(34)
    const bob = await online('bob')
    for (let n = 0; n < 2; n++) {
      gateway.killAll()
      await time.run(5_000)
    }
    for (let n = 0; n < 2; n++) {
      gateway.tell('bob', replaced)
      await time.run(5_000)
      expect(bob.state).toBe('online')
    }
    gateway.tell('bob', replaced)
    await time.run(5_000)
    expect(bob.state).toBe('closed')
  })
})
