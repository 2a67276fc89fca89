/** Whether the faults of connections were seen to bite. */
import type { Bites } from './nemesis.ts'
import type { CrowdResult } from './report.ts'
import type { RunSettings } from './settings.ts'

const stormBackMsMax = 30_000
/** Each of those who flap comes and goes every few seconds. */
const flapSecondsMax = 8
const flapShareMin = 10

export function voidLinks(settings: RunSettings, bites: Bites, crowds: readonly CrowdResult[]): string[] {
  const reasons: string[] = []
  const need = (right: boolean, reason: string) => void (right || reasons.push(reason))
  const { faults } = settings
  need(!faults.includes('redis-pause') || bites.redisPauses > 0, 'Redis was not paused')
  need(!faults.includes('redis-slow') || bites.redisSlow > 0, 'Redis was not slow')
  need(!faults.includes('storm') || bites.storms.length > 0, 'there was no storm')
  for (const { backMs } of bites.storms) need(backMs < stormBackMsMax, `a storm lasted ${backMs} ms`)
  need(!faults.includes('half-open') || bites.vanished.length > 0, 'nobody vanished')
  for (const { count, closedAfterMs } of bites.vanished)
    need(
      count > 0 && closedAfterMs.length === count,
      `${closedAfterMs.length} of ${count} half-open connections were closed`,
    )
  for (const { name, stats } of crowds) {
    if (stats === null) reasons.push(`the ${name} crowd died`)
    else if (name === 'fuzz') need(stats.broken >= settings.seconds * 5, `${stats.broken} broken frames`)
    else if (name === 'deaf') need(stats.closed > 0, 'no deaf client was closed')
    else {
      const wanted = (settings.seconds / flapSecondsMax) * flapShareMin
      need(stats.dropped >= wanted, `${stats.dropped} drops of those who flap, ${wanted} are needed`)
    }
  }
  return reasons
}
