import type { RoleKind } from './role.ts'

/** What one chaos run is made of. */
export interface RunSettings {
  readonly seed: number
  /** Length of the load with faults. */
  readonly seconds: number
  readonly ratePerSecond: number
  readonly users: number
  readonly groups: number
  readonly kills: number
  /** Default: all roles in turn. */
  readonly killRoles?: readonly RoleKind[]
  readonly drops: number
  /** Which faults beside kills and drops. */
  readonly faults: readonly FaultName[]
}

export type FaultName = 'zombie' | 'broker-kill' | 'broker-pause' | 'redis-empty' | 'clickhouse-stop'
export const allFaults: readonly FaultName[] = [
  'zombie',
  'broker-kill',
  'broker-pause',
  'redis-empty',
  'clickhouse-stop',
]

export const fullRun = { seconds: 240, ratePerSecond: 60, users: 40, groups: 5, kills: 28, drops: 15 }
export const smokeRun = { seconds: 90, ratePerSecond: 50, users: 24, groups: 3, kills: 8, drops: 10 }

export const partitions = 6
/** A group's session; a process stopped for longer has lost its partitions. */
export const sessionTimeoutMs = 10_000
/** Everything is at rest this long after the load and the last fault, or the run has failed. */
export const quiesceMsMax = 120_000
