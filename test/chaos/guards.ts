/** A run in which a fault was not seen to bite proves nothing: it is void. */
import type { Verdict } from './checker/check.ts'
import type { Entry } from './checker/types.ts'
import type { Cluster } from './cluster.ts'
import { throughIn } from './latency.ts'
import type { Load } from './load-process.ts'
import type { Bites } from './nemesis.ts'
import { roleKinds } from './role.ts'
import { partitions, type RunSettings } from './settings.ts'

/**
 * While a store is away, at least this share of what the run's mean rate brings in the planned time is committed and delivered; where
 * other faults stop all sending meanwhile, it stays away until this is seen.
 */
const throughShareMin = 0.2
const okShareMin = 0.5

/** Why the run counts for nothing; empty when it counts. */
export function voidReasons(
  settings: RunSettings,
  cluster: Cluster,
  bites: Bites,
  load: Load,
  verdict: Verdict,
  history: readonly Entry[],
  topics: ReadonlyMap<string, number>,
): string[] {
  const reasons: string[] = bites.blunt.map((text) => `fault without effect: ${text}`)
  const need = (right: boolean, reason: string) => void (right || reasons.push(reason))
  const { faults } = settings
  const kills = roleKinds.reduce((sum, kind) => sum + bites.kills[kind], 0)
  need(kills >= settings.kills, `${kills} of ${settings.kills} kills`)
  const roles = settings.killRoles ?? roleKinds
  if (settings.kills >= roles.length)
    for (const kind of roles) need(bites.kills[kind] > 0, `no ${kind} was killed`)
  if (bites.kills.sequencer > 0 || faults.includes('zombie'))
    need(verdict.claims > partitions, `${verdict.claims} claims: no partition was taken over`)
  if (bites.kills.sequencer > 1) need((topics.get('im.snapshots') ?? 0) > 0, 'no snapshot was written')
  if (bites.kills.gateway > 0) need(load.stats().reconnects > 0, 'no client reconnected')
  const hits = cluster.proxy.hits()
  need(hits >= settings.drops, `${hits} of ${settings.drops} produce answers were lost`)
  if (faults.includes('zombie')) {
    need(bites.zombies > 0, 'no zombie')
    need(
      verdict.stale > 0 || takenWhileAsleep(bites, verdict),
      'no stale record, and no claim while the zombie slept: its partitions were not taken',
    )
  }
  need(!faults.includes('broker-kill') || bites.brokerKills > 0, 'no broker was killed')
  need(!faults.includes('broker-pause') || bites.brokerPauses > 0, 'no broker was paused')
  need(!faults.includes('redis-empty') || bites.redisEmptied > 0, 'Redis was not seen empty')
  need(!faults.includes('clickhouse-stop') || bites.clickhouseStops > 0, 'ClickHouse was not stopped')
  for (const { store, from, to, plannedMs } of bites.storeOutages) {
    const { through, perSecond } = throughIn(history, from, to)
    const needed = Math.ceil((plannedMs / 1_000) * perSecond * throughShareMin)
    need(through >= needed, `${through} sends went through while ${store} was down, ${needed} are needed`)
  }
  const { recalls, edits, learnedLate, searches } = verdict.changes
  need(recalls > 0 && edits > 0, `${recalls} recalls and ${edits} edits`)
  need(learnedLate > 0, 'no device learned of a recall after an absence')
  need(searches > 0, 'nothing was searched for')
  const wanted = settings.seconds * settings.ratePerSecond * okShareMin
  need(verdict.sends.ok >= wanted, `${verdict.sends.ok} sends committed, ${wanted} are needed`)
  return reasons
}

/** A claim stands in the log from the time when the zombie slept. */
function takenWhileAsleep(bites: Bites, verdict: Verdict): boolean {
  const times = [...verdict.model.partitions.values()].flatMap(({ claimTimes }) => claimTimes)
  return bites.sleeps.some(({ from, to }) => times.some((time) => time > from && time < to))
}
