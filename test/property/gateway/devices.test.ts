import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type DevicePolicy,
  isNewer,
  type Login,
  loginTime,
  victims,
  victor,
} from '../../../gateway/devices.ts'

const policies: readonly DevicePolicy[] = ['none', 'per-type', 'single']
const types = ['phone', 'web', 'desk']
/** Few values, so that they meet. A device keeps its type. */
const logins: fc.Arbitrary<Login[]> = fc
  .uniqueArray(fc.record({ connection: fc.nat(30), device: fc.nat(5), loginAt: fc.nat(6) }), {
    selector: ({ connection }) => connection,
    minLength: 1,
    maxLength: 12,
  })
  .map((all) =>
    all.map(({ connection, device, loginAt }) => ({
      connection: `c${connection}`,
      deviceId: `d${device}`,
      deviceType: types[device % types.length] as string,
      loginAt,
    })),
  )
const policy = fc.constantFrom(...policies)
const runs = { numRuns: 2_000 }

/** What is left when these log in in this order, and each looks at those that are there then. */
function left(of: DevicePolicy, order: readonly Login[]): Login[] {
  let online: Login[] = []
  for (const login of order) {
    const gone = new Set(victims(of, login, online).map((one) => one.login))
    online = [...online.filter((other) => !gone.has(other)), login]
    if (victor(of, login, online)) online = online.filter((other) => other !== login)
  }
  return online
}

const groupOf = (of: DevicePolicy, { deviceId, deviceType }: Login): string =>
  of === 'single' ? 'one' : of === 'per-type' ? deviceType : deviceId
const names = (all: readonly Login[]): string[] => all.map(({ connection }) => connection).sort()

describe('logins of one user', () => {
  test('in whatever order gateways see them, the newest of each kind is left, and nothing else', () => {
    fc.assert(
      fc.property(
        policy,
        logins.chain((all) =>
          fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })),
        ),
        (of, [all, order]) => {
          const newest = new Map<string, Login>()
          for (const login of all) {
            const other = newest.get(groupOf(of, login))
            if (!other || isNewer(login, other)) newest.set(groupOf(of, login), login)
          }
          expect(names(left(of, order))).toEqual(names([...newest.values()]))
        },
      ),
      runs,
    )
  })

  test('who ends another is found to be so from the other side as well, and nobody ends a newer one or itself', () => {
    fc.assert(
      fc.property(policy, logins, (of, all) => {
        for (const login of all) {
          const ended = victims(of, login, all)
          expect(ended.some((one) => one.login === login)).toBe(false)
          for (const { login: older, ending } of ended) {
            expect(isNewer(login, older)).toBe(true)
            expect(victor(of, older, [login])).toEqual({ login: older, by: login, ending })
          }
          const beaten = all.some((other) => victims(of, other, [login]).length > 0)
          expect(victor(of, login, all) !== null).toBe(beaten)
        }
      }),
      runs,
    )
  })

  test('a device that connects again replaces itself, under every policy, and is never kicked for it', () => {
    fc.assert(
      fc.property(policy, logins, (of, all) => {
        for (const login of all)
          for (const { login: older, ending } of victims(of, login, all))
            expect(ending).toBe(older.deviceId === login.deviceId ? 'replaced' : 'kicked')
      }),
      runs,
    )
  })

  test('a later login is newer than all that are there, whatever the clock says', () => {
    fc.assert(
      fc.property(fc.nat(10), logins, (now, all) => {
        const loginAt = loginTime(now, all)
        const login = { connection: '', deviceId: 'd0', deviceType: 'phone', loginAt }
        expect(all.every((other) => isNewer(login, other))).toBe(true)
        expect(loginAt).toBeGreaterThanOrEqual(now)
      }),
      runs,
    )
  })
})
