/** The broken builds: what is loaded into whom, the schedule under which each must be caught, and by which findings. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { FindingKind } from '../checker/types.ts'
import type { RoleKind } from '../role.ts'
import type { RunSettings } from '../settings.ts'
import { patchedMark } from './patch.ts'

export interface BrokenBuild {
  readonly name: string
  readonly roles: readonly RoleKind[]
  readonly settings: Omit<RunSettings, 'seed'>
  /** One of these is the defect itself; others may follow from it. */
  readonly expected: readonly FindingKind[]
}

const small = {
  ...{ ratePerSecond: 60, users: 16, groups: 2, crowds: [], redisLateMs: 0 },
  ...{ failpoints: false, rebuild: false, truncate: false },
}

export const brokenBuilds: readonly BrokenBuild[] = [
  {
    name: 'no-dedup',
    roles: ['sequencer'],
    // Gateways that die between append and answer make clients send again.
    settings: { ...small, seconds: 30, kills: 8, killRoles: ['gateway', 'sequencer'], drops: 4, faults: [] },
    expected: ['duplicated'],
  },
  {
    name: 'no-accept',
    roles: ['sequencer', 'fanout', 'gateway', 'projection'],
    settings: {
      ...small,
      ratePerSecond: 120,
      seconds: 50,
      kills: 0,
      drops: 0,
      faults: ['zombie', 'zombie', 'zombie'],
    },
    expected: [
      'archive-hash',
      'archive-extra',
      'ack-wrong',
      'ack-reused',
      'aborted',
      'forked',
      'untrue',
      'gap',
      'lost',
    ],
  },
  {
    name: 'early-commit',
    roles: ['projection'],
    // Far enough apart for the group to have taken the partitions up again.
    settings: { ...small, seconds: 75, kills: 5, killRoles: ['projection'], drops: 0, faults: [] },
    expected: ['archive-missing'],
  },
  {
    name: 'two-in-flight',
    roles: ['sequencer', 'gateway'],
    settings: { ...small, ratePerSecond: 150, seconds: 30, kills: 0, drops: 40, faults: [] },
    expected: ['unsound-write', 'send-order', 'lost', 'duplicated'],
  },
  {
    name: 'own-unread',
    roles: ['gateway'],
    settings: { ...small, seconds: 20, kills: 0, drops: 0, faults: [] },
    expected: ['unread'],
  },
  {
    name: 'text-kept',
    roles: ['projection'],
    settings: { ...small, seconds: 20, kills: 0, drops: 0, faults: [] },
    expected: ['recall'],
  },
  {
    name: 'no-schemas',
    roles: ['sequencer', 'fanout', 'projection'],
    settings: { ...small, seconds: 75, kills: 0, drops: 0, faults: ['releases'] },
    expected: ['dead-letter'],
  },
  {
    name: 'skip-gap',
    roles: ['projection'],
    settings: { ...small, seconds: 15, kills: 0, drops: 0, faults: [], truncate: true },
    expected: ['gap-skipped'],
  },
]

const fileOf = (name: string, folder = 'broken') => path.join(import.meta.dirname, '..', folder, `${name}.ts`)

/** What to load into a process: in every run snapshots are frequent, and one of the two sequencers decides otherwise. */
export function preloadsOf(
  build: BrokenBuild | null,
  failpoints = false,
): (kind: RoleKind, index: number) => readonly string[] {
  return (kind, index) => [
    ...(kind === 'sequencer' ? [fileOf('frequent-snapshots', 'variants')] : []),
    ...(kind === 'sequencer' && index === 2 ? [fileOf('two-versions', 'variants')] : []),
    ...(kind === 'projection' && failpoints ? [fileOf('die-between', 'variants')] : []),
    ...(build?.roles.includes(kind) ? [fileOf(build.name)] : []),
  ]
}

const variants = [
  ...['sequencer/sequencer.ts', 'processors/decide.ts'],
  ...['schemas/event-payloads.ts', 'schemas/command-payloads.ts'],
]
const isPatched = (log: string) =>
  log
    .split('\n')
    .some((line) => line.startsWith(patchedMark) && !variants.some((file) => line.endsWith(file)))

/** Roles of the build whose logs do not show that it was patched. */
export function unpatched(build: BrokenBuild, logs: string): string[] {
  const files = readdirSync(logs)
  return build.roles.filter(
    (kind) =>
      !files
        .filter((file) => file.startsWith(`${kind}-1`))
        .some((file) => isPatched(readFileSync(path.join(logs, file), 'utf8'))),
  )
}
