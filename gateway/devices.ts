/** Which logins of a user can be at once, and which of two goes. Pure. */
import type { OnlineEntry } from '../processors/fanout/ports.ts'

/** none: any number. per-type: one per device type. single: one. A device never has two, whatever the policy. */
export type DevicePolicy = 'none' | 'per-type' | 'single'

/** replaced: the same device has connected again. kicked: another device took its place. */
export type Ending = 'replaced' | 'kicked'

export type Login = Pick<OnlineEntry, 'connection' | 'deviceId' | 'deviceType' | 'loginAt'>

export interface Ended<T extends Login = Login> {
  readonly login: T
  readonly by: Login
  readonly ending: Ending
}

/** A total order: whoever compares, wherever, finds the same one newer. */
export const isNewer = (a: Login, b: Login): boolean =>
  a.loginAt === b.loginAt ? a.connection > b.connection : a.loginAt > b.loginAt

/** How the older of two ends; null: both stay. */
function endingOf(policy: DevicePolicy, a: Login, b: Login): Ending | null {
  if (a.connection === b.connection) return null
  if (a.deviceId === b.deviceId) return 'replaced'
  if (policy === 'none' || (policy === 'per-type' && a.deviceType !== b.deviceType)) return null
  return 'kicked'
}

/** Those of `others` that end because of this login: older ones that it cannot be with. */
export function victims<T extends Login>(
  policy: DevicePolicy,
  newcomer: Login,
  others: readonly T[],
): Ended<T>[] {
  return others.flatMap((login) => {
    const ending = isNewer(newcomer, login) ? endingOf(policy, newcomer, login) : null
    return ending === null ? [] : [{ login, by: newcomer, ending }]
  })
}

/** By which of `others` this login ends: the newest that it cannot be with; null: it stays. */
export function victor(policy: DevicePolicy, own: Login, others: readonly Login[]): Ended | null {
  let found: Ended | null = null
  for (const by of others) {
    const ending = isNewer(by, own) ? endingOf(policy, by, own) : null
    if (ending !== null && (found === null || isNewer(by, found.by))) found = { login: own, by, ending }
  }
  return found
}

/** Logins of one user in a row: clocks of gateways differ, and a later login is newer all the same. */
export const loginTime = (now: number, others: readonly Pick<Login, 'loginAt'>[]): number =>
  Math.max(now, ...others.map(({ loginAt }) => loginAt + 1))
