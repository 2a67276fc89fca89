/** One run: start, load with faults, heal, rest, read everything, judge. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { schemasIn } from './checker/avro.ts'
import { check } from './checker/check.ts'
import { openerOf } from './checker/keys.ts'
import { countRows, readArchive } from './checker/read-archive.ts'
import { readTopic, topicSizes } from './checker/read-topics.ts'
import type { Finding, Raw } from './checker/types.ts'
import { type Cluster, startCluster } from './cluster.ts'
import { type Crowd, startCrowd } from './crowd-process.ts'
import { voidReasons } from './guards.ts'
import { voidDerived, voidTruncated } from './guards-derived.ts'
import { voidLinks } from './guards-links.ts'
import { openHistory, readHistory } from './history.ts'
import { timesOf } from './latency.ts'
import { type Load, startLoad } from './load-process.ts'
import { startNemesis } from './nemesis.ts'
import { checkOnline } from './online.ts'
import { untilAtRest } from './quiesce.ts'
import { randomOf } from './random.ts'
import { type Built, builtIn, differences, takeAway } from './rebuild.ts'
import type { CrowdResult, Failpoints, Rebuilt, RunResult } from './report.ts'
import { watchResources } from './resources.ts'
import type { RoleKind } from './role.ts'
import { scheduleOf } from './schedule.ts'
import { quiesceMsMax, type RunSettings, userName } from './settings.ts'
import { dumpSchemas, ensureTools, writtenSchemas } from './tools.ts'
import { truncate } from './truncate.ts'
import { diedMark } from './variants/died-mark.ts'
import { wordsStanding } from './words.ts'

export interface RunOptions {
  readonly settings: RunSettings
  readonly dir: string
  readonly enginesDir: string
  readonly preloads: (kind: RoleKind, index: number) => readonly string[]
  readonly restMsMax?: number
  readonly say: (line: string) => void
  /** Stops everything when it is called; set as soon as there is something to stop. */
  readonly onStop: (stop: () => Promise<void>) => void
}

const root = path.resolve(import.meta.dirname, '../..')
const progressEveryMs = 10_000
/** All devices read all that was said: the longer the load was, the more there is. */
const readMsPerSecond = 500
const topicsRead = ['im.commands', 'im.events', 'im.dead-letters', 'im.schemas', 'im.keys'] as const

export async function runChaos(options: RunOptions): Promise<RunResult> {
  const { settings, dir, say } = options
  const lib = await ensureTools(options.enginesDir, say)
  const ownDeaths: string[] = []
  /** From then on whoever refuses to go on dies as he should. */
  let truncating = false
  const cluster = await startCluster({
    ...{ dir, enginesDir: options.enginesDir, preloads: options.preloads, say },
    settings,
    random: randomOf(settings.seed ^ 0xc1a5),
    died(name, how) {
      if (truncating) return
      ownDeaths.push(`${name}: ${how}`)
      say(`${name} ended by itself (${how})`)
    },
  })
  let load: Load | undefined
  const crowds: Crowd[] = []
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= (async () => {
      load?.kill()
      for (const crowd of crowds) crowd.kill()
      await cluster.stop()
    })()
    return stopped
  }
  options.onStop(stop)
  try {
    load = await startLoad(cluster, settings)
    say(`${load.stats().devices || settings.users} devices are connected`)
    const driven = await drive(cluster, load, crowds, options)
    const findings: Finding[] = []
    if (driven.restless !== null)
      findings.push({ kind: 'unsettled', detail: `not at rest: ${driven.restless}` })
    if (driven.online.afterMs === null)
      findings.push({
        kind: 'stale-online',
        detail: `${driven.online.records} online records, ${driven.online.devices} devices online`,
      })
    const standing = settings.faults.includes('erasures') ? await wordsStanding(cluster) : []
    const rebuilt = settings.rebuild ? await rebuild(cluster, load, options, findings) : null
    say('reading everything back through the client')
    for (const error of await load.finalRead(
      options.restMsMax ?? quiesceMsMax + settings.seconds * readMsPerSecond,
    ))
      findings.push({ kind: 'history', detail: error })
    const stats = load.stats()
    await load.exit()
    say("reading the topics with Kafka's console consumer")
    const tools = { lib, brokers: cluster.engines.kafka.brokers.join(',') }
    const [commands = [], events = [], deadLetters = [], written = [], keys = []] = await inTurn(
      topicsRead,
      (topic) => readTopic(tools, topic),
    )
    const topics = await topicSizes(tools, 'im\\..*')
    const { url } = cluster.engines.clickhouse
    const archive = await readArchive(url, 'longwire')
    const archivedRows = await countRows(url, 'longwire')
    const failpoints = deathsBetween(path.join(dir, 'logs'))
    truncating = settings.truncate
    const truncated =
      settings.truncate && driven.restless === null ? await truncate(cluster, findings, say) : null
    say('checking')
    const history = await readHistory([load.historyFile, path.join(dir, 'history-run.jsonl')])
    const schemas = schemasIn([
      path.join(root, 'schemas/history'),
      dumpSchemas(dir),
      writtenSchemas(dir, written),
    ])
    const verdict = check({
      ...{ schemas, commands, events, deadLetters, history, archive, archivedRows },
      open: openerOf(schemas, keys, readFileSync(cluster.keysFile, 'utf8')),
      poison: driven.bites.poison,
      standing,
    })
    findings.push(...verdict.findings)
    return {
      ...{ settings, plan: driven.plan, findings, verdict, stats, topics, failpoints, rebuilt, truncated },
      ownDeaths: withoutFailpoints(ownDeaths, failpoints.live + failpoints.archive),
      ...{ bites: driven.bites, slopes: driven.slopes, restMs: driven.restMs },
      ...{ online: driven.online, crowds: driven.crowds },
      hits: cluster.proxy.hits(),
      voids: [
        ...voidReasons(settings, cluster, driven.bites, load, verdict, history, topics),
        ...voidLinks(settings, driven.bites, driven.crowds),
        ...voidDerived(settings, driven.bites, failpoints, path.join(dir, 'logs'), verdict),
        ...voidTruncated(settings, truncated),
      ],
      times: timesOf(history),
      versions: versions(),
    }
  } finally {
    await stop()
  }
}

async function drive(cluster: Cluster, load: Load, crowds: Crowd[], options: RunOptions) {
  const { settings, say } = options
  const history = openHistory(path.join(options.dir, 'history-run.jsonl'), 'run')
  const plan = scheduleOf(settings)
  await load.begin()
  for (const name of settings.crowds) crowds.push(await startCrowd(cluster, settings, name))
  say(`load of ${settings.ratePerSecond}/s has begun; ${plan.length} faults in ${settings.seconds} s`)
  const resources = watchResources(cluster.roles)
  const traffic = {
    committed: () => load.stats().ok,
    onlineShare: () => load.stats().online / Math.max(1, load.stats().devices),
    perSecond: settings.ratePerSecond,
    users: Array.from({ length: settings.users }, (_, i) => userName(i)),
    arrive: (users: readonly string[]) => load.arrive(users),
    speak: () => load.speak(),
  }
  const late = settings.redisLateMs > 0 ? redisComes(cluster, settings.redisLateMs, say) : null
  const nemesis = startNemesis(cluster, plan, history, say, traffic)
  const progress = setInterval(() => {
    const { ok, fail, pending, received, online, devices, reconnects } = load.stats()
    say(
      `committed ${ok}, refused ${fail}, under way ${pending}, seen ${received}, online ${online}/${devices}, reconnects ${reconnects}, answers lost ${cluster.proxy.hits()}`,
    )
  }, progressEveryMs)
  try {
    await new Promise((resolve) => setTimeout(resolve, settings.seconds * 1_000))
    await nemesis.done
    await late
  } finally {
    clearInterval(progress)
    nemesis.stop()
  }
  const slopes = resources.stop()
  load.quiet()
  const crowdStats: CrowdResult[] = []
  for (const crowd of crowds) crowdStats.push({ name: crowd.name, stats: await crowd.stop() })
  say('no more load and no more faults')
  const fromMs = performance.now()
  const restless = await untilAtRest(cluster, load, options.restMsMax ?? quiesceMsMax, say)
  const restMs = restless === null ? performance.now() - fromMs : null
  const online = await checkOnline(cluster, settings, () => load.stats().online)
  await history.close()
  return { plan, bites: nemesis.bites, slopes, restless, restMs, online, crowds: crowdStats }
}

/** I10: from nothing to the same. Null where it never came to rest. */
async function rebuild(
  cluster: Cluster,
  load: Load,
  { say, restMsMax = quiesceMsMax }: RunOptions,
  findings: Finding[],
): Promise<Rebuilt | null> {
  const before: Built = await builtIn(cluster)
  say(`taking ${before.keys.size} keys and ${before.tables.size} tables away, to be built anew`)
  const fromMs = performance.now()
  await takeAway(cluster)
  const restless = await untilAtRest(cluster, load, restMsMax, say)
  if (restless !== null) {
    findings.push({ kind: 'unsettled', detail: `not built anew: ${restless}` })
    return null
  }
  const tookMs = performance.now() - fromMs
  const after = await builtIn(cluster)
  findings.push(...differences(before, after))
  return { keys: before.keys.size, tables: before.tables.size, tookMs }
}

/** Every one of them told it before it died. */
function deathsBetween(logs: string): Failpoints {
  const texts = readdirSync(logs).map((file) => readFileSync(path.join(logs, file), 'utf8'))
  const count = (store: string) =>
    texts.reduce((sum, text) => sum + text.split(`${diedMark} ${store}`).length - 1, 0)
  return { live: count('live'), archive: count('archive') }
}

/** Deaths that the failpoints caused are faults of ours. */
function withoutFailpoints(deaths: readonly string[], count: number): string[] {
  let left = count
  return deaths.filter((text) => !(text.startsWith('projection') && text.endsWith('SIGKILL') && left-- > 0))
}

async function redisComes(cluster: Cluster, afterMs: number, say: (line: string) => void): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, afterMs))
  await cluster.engines.redis.restart()
  say('Redis is there now')
}

async function inTurn<K>(keys: readonly K[], read: (key: K) => Promise<Raw[]>): Promise<Raw[][]> {
  const out: Raw[][] = []
  for (const key of keys) out.push(await read(key))
  return out
}

function versions(): string {
  const { version, dependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
    version: string
    dependencies: Record<string, string>
  }
  let commit = 'unknown'
  try {
    commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, stdio: 'pipe' })
      .toString()
      .trim()
  } catch {
    // Not a clone: the version alone must do.
  }
  return `longwire ${version} (${commit})   Kafka 4.1.0 x 3   kafkajs ${dependencies.kafkajs}   Node ${process.versions.node}`
}
