import { describe, expect, test } from 'vitest'
import type { Challenge } from '../../../client/api.ts'
import { clientWorld } from '../../support/client-world.ts'

const asks = JSON.stringify({ kind: 'sms', to: '+41…89' })
const wants = (proof: string) => (login: { proof?: string | null }) => (login.proof === proof ? null : asks)

describe('a challenged login', () => {
  test('is answered by the app, however long a person takes, and goes on', async () => {
    const { gateway, connect, time } = clientWorld(51)
    gateway.challenge = wants('1234')
    const told: Challenge[] = []
    const connecting = connect('bob', {
      onChallenge: (challenge) => {
        told.push(challenge)
        return new Promise((resolve) => void time.after(300_000, () => resolve('1234')))
      },
    })
    await time.run(301_000)
    const bob = await connecting
    expect(bob.state).toBe('online')
    expect(told).toEqual([{ kind: 'sms', to: '+41…89' }])
    expect(gateway.seen.filter(({ type }) => type === 'login')).toHaveLength(2)
  })

  test('is asked again where the proof is not enough, but not for ever', async () => {
    const { gateway, connect, time } = clientWorld(52)
    gateway.challenge = wants('right')
    let asked = 0
    const connecting = connect('bob', { onChallenge: () => `wrong ${++asked}` })
    connecting.catch(() => {})
    await time.run(60_000)
    await expect(connecting).rejects.toMatchObject({ code: 'proof_required' })
    expect(asked).toBe(5)
  })

  test.each([
    ['nobody to answer it', undefined, asks],
    ['an app that gives up', () => Promise.reject(new Error('cancelled')), asks],
    ['a challenge that is none', () => '1234', 'no json'],
  ])('with %s fails with its code', async (_, onChallenge, challenge) => {
    const { gateway, connect, time } = clientWorld(53)
    gateway.challenge = () => challenge
    const connecting = connect('bob', onChallenge ? { onChallenge } : {})
    connecting.catch(() => {})
    await time.run(10_000)
    await expect(connecting).rejects.toMatchObject({ code: 'proof_required', message: 'Prove it.' })
    expect(gateway.seen.filter(({ type }) => type === 'login')).toHaveLength(1)
  })

  test('is left alone once the client is online: the proof is not sent again', async () => {
    const { gateway, online, time } = clientWorld(54)
    gateway.challenge = wants('1234')
    await online('bob', { onChallenge: () => '1234' })
    gateway.challenge = () => null
    gateway.killAll()
    await time.run(20_000)
    const logins = gateway.seen.filter((frame) => frame.type === 'login')
    expect(logins.map(({ proof }) => proof ?? null)).toEqual([null, '1234', null])
  })
})
