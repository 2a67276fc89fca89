import { limits } from '../../schemas/limits.ts'
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
  readonly crowds: readonly CrowdName[]
  /** Redis is not there when the roles start, and comes so long after the load has begun; 0: it is there. */
  readonly redisLateMs: number
  /** Projections die by themselves, again and again, between what they write and the position behind it. */
  readonly failpoints: boolean
  /** At the end everything that is built from the log is taken away and built anew: it must be the same. */
  readonly rebuild: boolean
  /** Last of all im.events loses what nobody has projected: whoever meets the gap must say so and stop. */
  readonly truncate: boolean
}

/** Of brokers, stores and processors: the default. */
export const storeFaults = [
  'zombie',
  'broker-kill',
  'broker-pause',
  'redis-empty',
  'clickhouse-stop',
] as const
/** Of the way between clients and gateways, and of the store that knows who is online. */
export const linkFaults = ['redis-pause', 'redis-slow', 'storm', 'half-open'] as const
/**
 * Of what is built from the log: users erased while all write and newcomers get their first keys, rubbish in every topic, inserts whose answers are lost or that are refused, records that are deleted unread, two releases
 * side by side.
 */
export const derivedFaults = [
  'poison',
  'clickhouse-lost',
  'clickhouse-full',
  'activity-gone',
  'releases',
  'erasures',
] as const
export type FaultName =
  | (typeof storeFaults)[number]
  | (typeof linkFaults)[number]
  | (typeof derivedFaults)[number]

/** Bad clients, at work from the beginning of the load to its end. */
export const crowdNames = ['flapping', 'deaf', 'fuzz'] as const
export type CrowdName = (typeof crowdNames)[number]

const ordinary = { crowds: [], redisLateMs: 0, failpoints: false, rebuild: false, truncate: false }
export const fullRun = {
  ...ordinary,
  faults: storeFaults,
  seconds: 240,
  ratePerSecond: 60,
  users: 40,
  groups: 5,
  kills: 28,
  drops: 15,
}
export const smokeRun = {
  ...ordinary,
  faults: storeFaults,
  seconds: 90,
  ratePerSecond: 50,
  users: 24,
  groups: 3,
  kills: 8,
  drops: 10,
}

/** What connections suffer. The store faults have their own runs. */
export const linkRun = {
  ...ordinary,
  ...{ seconds: 260, ratePerSecond: 40, users: 30, groups: 3, kills: 6, drops: 0, redisLateMs: 10_000 },
  killRoles: ['gateway'] as const,
  faults: [...linkFaults, 'redis-empty'] as const,
  crowds: crowdNames,
}

/** What is built from the log suffers, and is built anew at the end. */
export const rebuildRun = {
  ...ordinary,
  ...{ seconds: 280, ratePerSecond: 50, users: 30, groups: 4, kills: 6, drops: 0 },
  killRoles: ['projection', 'gateway'] as const,
  faults: [...derivedFaults, 'poison', 'clickhouse-lost', 'clickhouse-stop', 'redis-empty'] as const,
  crowds: ['flapping'] as const,
  ...{ failpoints: true, rebuild: true, truncate: true },
}

/** Of gateways in runs in which connections vanish: the smallest that clients can ask for. */
export const heartbeatMs = limits.heartbeatMsMin

export const userName = (i: number): string => `u${String(i).padStart(2, '0')}`
/** Who comes in waves while others are erased: so many each. */
export const newcomersAtOnce = 6
export const newcomerWaves = 2
export const newcomerName = (wave: number, i: number): string => `new${wave}${i}`
export const newcomersOf = (wave: number): string[] =>
  Array.from({ length: newcomersAtOnce }, (_, i) => newcomerName(wave, i))
/** All of the load: those who are there from the beginning and those who come later. */
export const usersOf = ({ users, faults }: Pick<RunSettings, 'users' | 'faults'>): string[] => [
  ...Array.from({ length: users }, (_, i) => userName(i)),
  ...(faults.includes('erasures')
    ? Array.from({ length: newcomerWaves }, (_, wave) => newcomersOf(wave)).flat()
    : []),
]
/** Whoever sends broken frames: what of it makes sense all the same is nobody's message. */
export const fuzzers = 8
export const fuzzerName = (i: number): string => `fuzz${i}`
export const flappers = 40
export const flapperName = (i: number): string => `flap${String(i).padStart(2, '0')}`

/** Whoever talks while im.events is deleted: nobody else talks with them. */
export const gapName = (i: number): string => `gap${String(i).padStart(3, '0')}`

export const partitions = 6
/** A group's session; a process stopped for longer has lost its partitions. */
export const sessionTimeoutMs = 10_000
/** Everything is at rest this long after the load and the last fault, or the run has failed. */
export const quiesceMsMax = 120_000
