/** Two releases side by side: upgraded writers first, so that the older readers meet what is newer, then back, then all of it. */
import path from 'node:path'
import { untilReady } from '../../infra/supervisor/ready.ts'
import type { Cluster } from './cluster.ts'
import type { Bites } from './nemesis.ts'
import type { RoleHandle, RoleKind } from './role.ts'

const newer = [path.join(import.meta.dirname, 'variants/newer-release.ts')]
const older: readonly string[] = []

export async function mixReleases(
  cluster: Cluster,
  ms: number,
  bites: Bites,
  sleep: (ms: number) => Promise<void>,
): Promise<void> {
  const one = (kind: RoleKind, index: number): RoleHandle =>
    cluster.roles.filter((role) => role.kind === kind)[index] as RoleHandle
  const become = (release: readonly string[], ...roles: readonly RoleHandle[]) =>
    Promise.all(
      roles.map(async (role) => {
        role.busy = true
        await role.restartWith(release)
        role.busy = false
        const gateway = cluster.roles.filter(({ kind }) => kind === 'gateway').indexOf(role)
        if (gateway >= 0) await untilReady(`${cluster.apis[gateway]}/ready`, () => false)
        bites.releases += 1
      }),
    )
  const writers = [one('sequencer', 0), one('gateway', 0)]
  const readers = [one('projection', 0), one('fanout', 0)]
  // One that dies now reads at its next start what it is to meet while it runs.
  const stay = [one('sequencer', 1), one('gateway', 1), ...readers]
  for (const role of stay) role.busy = true
  await become(newer, ...writers)
  await sleep(ms / 3)
  for (const role of stay) role.busy = false
  await become(newer, ...readers)
  await sleep(ms / 3)
  await become(older, ...writers, ...readers)
  await sleep(ms / 3)
  for (const index of [0, 1])
    await become(
      newer,
      one('projection', index),
      one('fanout', index),
      one('sequencer', index),
      one('gateway', index),
    )
}
