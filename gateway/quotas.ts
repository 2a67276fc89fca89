/** What one user and one address may use of a gateway, all connections together. */
import { limits } from '../schemas/limits.ts'
import { createAllowances } from './allowances.ts'

export interface QuotaSettings {
  readonly connectionsPerUser: number
  readonly loginsPerSecondPerAddress: number
}

export const defaultQuotas: QuotaSettings = {
  connectionsPerUser: limits.connectionsPerUserMax,
  loginsPerSecondPerAddress: limits.loginsPerSecondPerAddress,
}

/** Each: null, or ms until it may be tried again. */
export interface Quotas {
  login(network: string, now: number): number | null
  command(user: string, now: number): number | null
  read(user: string, now: number): number | null
}

/** Seconds of logins that an address may save up: behind one address a whole office comes back at once. */
const LOGIN_BURST_SEC = 10

export function createQuotas({ loginsPerSecondPerAddress: perSecond }: QuotaSettings): Quotas {
  const logins = createAllowances({ perSecond, burst: perSecond * LOGIN_BURST_SEC }, limits.limitedKeysMax)
  const commands = createAllowances(
    { perSecond: limits.commandsPerSecondPerUserMax, burst: limits.commandsBurstPerUserMax },
    limits.limitedKeysMax,
  )
  const reads = createAllowances(
    { perSecond: limits.readsPerSecondPerUserMax, burst: limits.readsBurstPerUserMax },
    limits.limitedKeysMax,
  )
  return { login: logins.take, command: commands.take, read: reads.take }
}
