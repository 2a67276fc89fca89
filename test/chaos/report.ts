/** The report block of a run. */
import type { Verdict } from './checker/check.ts'
import type { Finding, FindingKind } from './checker/types.ts'
import type { CrowdStats } from './crowd/protocol.ts'
import type { Times } from './latency.ts'
import type { LoadStats } from './load/protocol.ts'
import type { Bites } from './nemesis.ts'
import type { OnlineCheck } from './online.ts'
import type { Slope } from './resources.ts'
import { faultText, type Planned } from './schedule.ts'
import type { CrowdName, RunSettings } from './settings.ts'
import type { Truncated } from './truncate.ts'

export interface CrowdResult {
  readonly name: CrowdName
  /** Null where its process had died. */
  readonly stats: CrowdStats | null
}

/** Deaths of projections between what they had written and the position behind it. */
export interface Failpoints {
  readonly live: number
  readonly archive: number
}

export interface Rebuilt {
  readonly keys: number
  readonly tables: number
  readonly tookMs: number
}

export interface RunResult {
  readonly failpoints: Failpoints
  /** Null: not tried, or not done. */
  readonly rebuilt: Rebuilt | null
  /** Null: not tried, or not done. */
  readonly truncated: Truncated | null
  readonly online: OnlineCheck
  readonly crowds: readonly CrowdResult[]
  readonly settings: RunSettings
  readonly plan: readonly Planned[]
  readonly findings: readonly Finding[]
  readonly voids: readonly string[]
  readonly verdict: Verdict
  readonly times: Times
  readonly slopes: readonly Slope[]
  readonly stats: LoadStats
  readonly bites: Bites
  readonly hits: number
  readonly restMs: number | null
  readonly ownDeaths: readonly string[]
  readonly versions: string
  readonly topics: ReadonlyMap<string, number>
}

const examplesMax = 6
const groups: readonly [string, readonly FindingKind[]][] = [
  ['lost', ['lost']],
  ['duplicated', ['duplicated', 'seen-twice']],
  ['forked', ['forked', 'altered', 'untrue']],
  ['gaps', ['gap', 'missing', 'history', 'unanswered']],
  ['inversions', ['inversion', 'send-order']],
  ['wrong answers', ['ack-wrong', 'ack-reused', 'wrong-repeat', 'aborted', 'ghost', 'unsettled']],
  ['trespass', ['trespass', 'forbidden']],
  ['unsound writes', ['unsound-write', 'time-backwards']],
  ['unread mismatches', ['unread']],
  ['stale online', ['stale-online']],
  ['recalls not kept', ['recall', 'stale']],
  ['dead or undecodable', ['dead-letter', 'undecodable']],
  ['wrongly erased or not', ['erased', 'unerased']],
  ['rebuilt otherwise', ['rebuilt-otherwise']],
  ['gaps not told', ['gap-skipped', 'gap-unsaid', 'gap-answered']],
]

export function reportOf(result: RunResult): string {
  const { verdict, times, stats, bites, settings, findings } = result
  const { sends, devices, changes } = verdict
  const count = (kinds: readonly FindingKind[]) => findings.filter(({ kind }) => kinds.includes(kind)).length
  const ms = (value: number) => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`
  const percentiles = ({ count: n, p50Ms, p99Ms, maxMs }: Times['ack']) =>
    `p50 ${ms(p50Ms)}   p99 ${ms(p99Ms)}   max ${ms(maxMs)}   (${n})`
  const kills = Object.entries(bites.kills).map(([role, n]) => `${role} ${n}`)
  const row = (name: string, text: string | number) => `  ${name.padEnd(22)}${text}`
  const fastest = (pick: (slope: Slope) => number, unit: string) =>
    [...result.slopes]
      .sort((a, b) => pick(b) - pick(a))
      .slice(0, 4)
      .map((slope) => `${slope.name} ${pick(slope).toFixed(1)}`)
      .join('   ')
      .concat(`   (${unit} per minute, longest lives)`)
  const lines = [
    '',
    '── chaos report ─────────────────────────────────────────────────────────────',
    row(
      'seed',
      `${settings.seed}   (${settings.seconds} s of load, ${settings.ratePerSecond}/s, ${settings.users} users)`,
    ),
    row('versions', result.versions),
    row(
      'commands',
      `attempts ${sends.attempts}   ok ${sends.ok}   fail ${sends.fail}   info ${sends.info}   recovered ${sends.recovered}`,
    ),
    row(
      'log',
      `${verdict.model.accepted.length} accepted   ${verdict.model.streams.size} streams   ${verdict.claims} claims   ${verdict.stale} stale records rejected`,
    ),
    row('topics', [...result.topics].map(([name, n]) => `${name} ${n}`).join('   ')),
    row(
      'devices',
      `${devices.devices}   saw ${devices.received}   read at the end ${devices.read}   unread counts compared ${verdict.unreadCompared}`,
    ),
    row(
      'changes',
      `recalls ${changes.recalls}   edits ${changes.edits}   learned after an absence ${changes.learnedLate}   searches compared ${changes.searches}`,
    ),
    row(
      'client',
      `reconnects ${stats.reconnects}   resends ${stats.resends}   raw duplicates dropped ${stats.duplicates}   gaps healed ${stats.gapsHealed}   jumps ${stats.jumps}`,
    ),
    ...groups.map(([name, kinds]) => row(name, count(kinds))),
    row(
      'archive',
      `missing ${count(['archive-missing'])}   extra ${count(['archive-extra'])}   hash-bad ${count(['archive-hash'])}   (${verdict.archiveRows} rows)`,
    ),
    row('ack', percentiles(times.ack)),
    row('delivery', percentiles(times.delivery)),
    row('unavailable at most', ms(times.unavailableMsMax)),
    row(
      'time to heal',
      `${ms(times.healMs)} until what was under way had its outcome, ${result.restMs === null ? 'never at rest' : `${ms(result.restMs)} until all was at rest`}`,
    ),
    row(
      'RSS',
      fastest((slope) => slope.rssMbPerMin, 'MB'),
    ),
    row(
      'fds',
      fastest((slope) => slope.fdsPerMin, 'files'),
    ),
    row(
      'faults',
      `kills: ${kills.join(', ')}; zombies ${bites.zombies}, broker kills ${bites.brokerKills}, broker pauses ${bites.brokerPauses},`,
    ),
    row(
      '',
      `answers lost ${result.hits}, Redis emptied ${bites.redisEmptied}, ClickHouse stops ${bites.clickhouseStops}; deaths of their own: ${result.ownDeaths.length}`,
    ),
    ...result.ownDeaths.map((text) => row('', text)),
    ...linkLines(result).map(([name, text]) => row(name, text)),
    ...derivedLines(result).map(([name, text]) => row(name, text)),
    row('schedule', ''),
    ...result.plan.map(
      ({ atMs, fault }) => `    ${(atMs / 1_000).toFixed(1).padStart(6)} s  ${faultText(fault)}`,
    ),
    '─────────────────────────────────────────────────────────────────────────────',
    ...examples(findings),
    ...result.voids.map((reason) => `VOID: ${reason}`),
    verdictLine(result),
  ]
  return lines.join('\n')
}

export function examples(findings: readonly Finding[]): string[] {
  const byKind = new Map<string, string[]>()
  for (const { kind, detail } of findings) byKind.set(kind, [...(byKind.get(kind) ?? []), detail])
  return [...byKind].flatMap(([kind, details]) => [
    `${kind}: ${details.length}`,
    ...details.slice(0, examplesMax).map((detail) => `    ${detail}`),
  ])
}

function verdictLine({ findings, voids, settings }: RunResult): string {
  if (findings.length > 0) return `FAILED: ${findings.length} violations (LONGWIRE_SEED=${settings.seed})`
  if (voids.length > 0) return `VOID: the run proves nothing (LONGWIRE_SEED=${settings.seed})`
  return 'PASSED: nothing acknowledged was lost, doubled or reordered, and every fault was seen to bite'
}

function linkLines({ bites, crowds, online, settings }: RunResult): [string, string][] {
  const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`
  const lines: [string, string][] = [
    [
      'online records',
      `${online.records} for ${online.devices} devices${online.afterMs === null ? ', never equal' : ` after ${seconds(online.afterMs)}`}`,
    ],
  ]
  if (settings.redisLateMs > 0) lines.push(['Redis', `came ${seconds(settings.redisLateMs)} after the load`])
  if (bites.redisPauses + bites.redisSlow > 0)
    lines.push(['Redis', `paused ${bites.redisPauses}, slow ${bites.redisSlow}`])
  for (const { cut, backMs } of bites.storms)
    lines.push(['storm', `${cut} cut, back ${seconds(backMs)} after they might`])
  for (const { count, closedAfterMs } of bites.vanished)
    lines.push([
      'half-open',
      `${count} vanished, ${closedAfterMs.length} closed by the gateway after at most ${seconds(Math.max(0, ...closedAfterMs))}`,
    ])
  for (const { name, stats } of crowds)
    lines.push([
      name,
      stats === null
        ? 'its process died'
        : `logins ${stats.logins}, dropped ${stats.dropped}, found closed ${stats.closed}, told slow ${stats.told}, broken frames ${stats.broken}`,
    ])
  return lines
}

function derivedLines({ bites, failpoints, rebuilt, truncated, verdict }: RunResult): [string, string][] {
  const lines: [string, string][] = []
  if (bites.poison.length > 0) lines.push(['rubbish', `${bites.poison.length} records in the topics`])
  if (bites.insertAnswersLost > 0)
    lines.push(['ClickHouse', `${bites.insertAnswersLost} answers to inserts lost`])
  if (bites.insertsRefused.size > 0)
    lines.push([
      'ClickHouse',
      `inserts refused: ${[...bites.insertsRefused].map(([code, n]) => `${n} with code ${code}`).join(', ')}`,
    ])
  if (bites.activityDeleted > 0)
    lines.push(['login records', `${bites.activityDeleted} deleted before they were read`])
  if (bites.releases > 0) lines.push(['releases', `${bites.releases} processes were started as another one`])
  if (bites.erasures > 0) {
    const { gone, later, seen, cut } = verdict.erasures
    lines.push([
      'erasures',
      `${bites.erasures}   contents gone ${gone}   seen so ${seen}   sent later and read ${later}   cut out ${cut}   gateways killed at first keys ${bites.firstKeyKills}`,
    ])
  }
  if (failpoints.live + failpoints.archive > 0)
    lines.push([
      'deaths in between',
      `of projections, what was written and its position: Redis ${failpoints.live}, archive ${failpoints.archive}`,
    ])
  if (rebuilt)
    lines.push([
      'built anew',
      `${rebuilt.keys} keys and ${rebuilt.tables} tables in ${(rebuilt.tookMs / 1_000).toFixed(1)} s`,
    ])
  if (truncated) {
    const { unread, alarms, behind, asked } = truncated
    const deleted = unread.reduce((sum, n) => sum + n, 0)
    const said = [...alarms].map(([role, n]) => `${role} ${n}`).join(', ')
    lines.push(['im.events cut off', `${deleted} records deleted unread, ${behind} committed behind them;`])
    lines.push(['', `alarms: ${said}; ${asked} sends asked of nobody`])
  }
  return lines
}
