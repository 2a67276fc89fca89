/** Does what the schedule says to the cluster, writes each fault into the history, and keeps what proves that it bit. */
import { readFileSync } from 'node:fs'
import type { Cluster } from './cluster.ts'
import type { History } from './history.ts'
import { monotonicUs } from './history.ts'
import { deleteActivity, loseInsertAnswers, poison, refuseInserts } from './nemesis-derived.ts'
import { eraseUsers } from './nemesis-erasures.ts'
import { emptyRedis, halfOpen, pauseRedis, slowRedis, storm } from './nemesis-links.ts'
import { mixReleases } from './nemesis-releases.ts'
import type { RoleHandle, RoleKind } from './role.ts'
import { type Fault, faultText, type Planned } from './schedule.ts'

export interface Bites {
  readonly kills: Record<RoleKind, number>
  zombies: number
  brokerKills: number
  brokerPauses: number
  dropsOrdered: number
  redisEmptied: number
  clickhouseStops: number
  redisPauses: number
  redisSlow: number
  /** Connections cut at once, and how long after they were let in again they were back. */
  readonly storms: { cut: number; backMs: number }[]
  /** Connections that vanished, and after how long the gateway closed each. */
  readonly vanished: { count: number; closedAfterMs: number[] }[]
  /** Places of records that make no sense, as `topic partition/offset`. */
  readonly poison: string[]
  insertAnswersLost: number
  /** Inserts that were answered with a refusal, by its code. */
  readonly insertsRefused: Map<number, number>
  /** Records of im.activity that were deleted before they were read. */
  activityDeleted: number
  /** Times that a command of erasure did all it should, and gateways killed while first keys were made. */
  erasures: number
  firstKeyKills: number
  /** Processes that were started as another release. */
  releases: number
  /** What was ordered and could not be done, or was not seen to happen. */
  readonly blunt: string[]
  /** Wall-clock ms: while a sequencer slept. */
  readonly sleeps: { from: number; to: number }[]
  /** On the monotonic clock, in µs: when a store was away, and for how long (ms) it was to be. */
  readonly storeOutages: { store: string; from: number; to: number; plannedMs: number }[]
}

export interface Nemesis {
  readonly bites: Bites
  /** Resolves when the last fault has been healed. */
  done: Promise<void>
  stop(): void
}

/** Longest that a store stays away beyond its time. */
const outageExtraMsMax = 45_000
/** Longest wait for a stopped sequencer's partitions to be taken, beyond its session. */
const takenMsMax = 30_000
/** Longest wait for a role that is up and that no other fault holds. */
const freeMsMax = 75_000

export function startNemesis(
  cluster: Cluster,
  plan: readonly Planned[],
  history: History,
  say: (line: string) => void,
  /** Sends that were committed so far, and how many a second are due. */
  traffic: Traffic,
): Nemesis {
  const bites: Bites = {
    kills: { sequencer: 0, fanout: 0, gateway: 0, projection: 0 },
    ...{ zombies: 0, brokerKills: 0, brokerPauses: 0, dropsOrdered: 0, redisEmptied: 0, clickhouseStops: 0 },
    ...{ redisPauses: 0, redisSlow: 0, storms: [], vanished: [] },
    ...{ poison: [], insertAnswersLost: 0, insertsRefused: new Map(), activityDeleted: 0, releases: 0 },
    ...{ erasures: 0, firstKeyKills: 0 },
    ...{ blunt: [], sleeps: [], storeOutages: [] },
  }
  let stopped = false
  const sleepers = new Set<() => void>()
  const sleep = (ms: number) =>
    new Promise<void>((resolve) => {
      const wake = () => {
        clearTimeout(timer)
        sleepers.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, ms)
      sleepers.add(wake)
    })
  const startMs = performance.now()

  async function run({ atMs, fault }: Planned): Promise<void> {
    await sleep(atMs - (performance.now() - startMs))
    if (stopped) return
    const text = faultText(fault)
    say(text)
    history.add({ dev: '', op: `fault ${fault.kind}`, phase: 'invoke', detail: text })
    try {
      await strike(cluster, fault, bites, sleep, traffic, history)
      history.add({ dev: '', op: `fault ${fault.kind}`, phase: 'ok', detail: text })
    } catch (error) {
      bites.blunt.push(`${text}: ${String(error)}`)
      say(`  ${text} did not work: ${String(error)}`)
    }
  }
  return {
    bites,
    done: Promise.all(plan.map(run)).then(() => {}),
    stop() {
      stopped = true
      for (const wake of [...sleepers]) wake()
    },
  }
}

type Sleep = (ms: number) => Promise<void>

export interface Traffic {
  committed(): number
  /** Devices that are online, of all. */
  onlineShare(): number
  readonly perSecond: number
  /** Who writes from the beginning. */
  readonly users: readonly string[]
  /** Newcomers connect. */
  arrive(users: readonly string[]): Promise<void>
  /** Those who have arrived say their first words. */
  speak(): void
}

async function strike(
  cluster: Cluster,
  fault: Fault,
  bites: Bites,
  sleep: Sleep,
  traffic: Traffic,
  history: History,
): Promise<void> {
  const { engines, proxy } = cluster
  switch (fault.kind) {
    case 'kill':
      return kill(cluster, fault.role, fault.index, bites, sleep)
    case 'zombie':
      return zombie(cluster, fault, bites, sleep)
    case 'broker-kill': {
      const node = engines.kafka.nodes[fault.node]
      node?.kill('SIGKILL')
      await sleep(fault.ms)
      if (node?.running !== false) throw new Error('it still runs')
      await node.restart()
      bites.brokerKills += 1
      return
    }
    case 'broker-pause': {
      const node = engines.kafka.nodes[fault.node]
      node?.pause()
      await sleep(fault.ms)
      const slept = node !== undefined && stateOf(node.pid) === 'T'
      node?.resume()
      if (!slept) throw new Error('it was not stopped at the end')
      bites.brokerPauses += 1
      return
    }
    case 'drop':
      proxy.dropProduceResponses(new RegExp(`^${fault.clients}`), proxy.remaining() + fault.count)
      bites.dropsOrdered += fault.count
      return
    case 'redis-empty':
      return emptyRedis(cluster, fault.ms, () => outage(fault.ms, sleep, traffic), bites, sleep)
    case 'clickhouse-stop': {
      const from = monotonicUs()
      engines.clickhouse.kill('SIGKILL')
      await outage(fault.ms, sleep, traffic)
      if (engines.clickhouse.running) throw new Error('it still runs')
      bites.storeOutages.push({ store: 'ClickHouse', from, to: monotonicUs(), plannedMs: fault.ms })
      await engines.clickhouse.restart()
      bites.clickhouseStops += 1
      return
    }
    case 'redis-pause':
      return pauseRedis(cluster, fault.ms, () => outage(fault.ms, sleep, traffic), bites)
    case 'redis-slow':
      return slowRedis(cluster, fault.delayMs, fault.ms, bites, sleep)
    case 'storm':
      return storm(cluster, fault.ms, bites, sleep, traffic)
    case 'half-open':
      return halfOpen(cluster, fault.link, fault.ms, bites, sleep)
    case 'poison':
      return poison(cluster, fault.seed, bites)
    case 'clickhouse-lost':
      return loseInsertAnswers(cluster, fault, bites, sleep)
    case 'clickhouse-full':
      return refuseInserts(cluster, fault.ms, bites, (ms) => outage(ms, sleep, traffic), sleep)
    case 'releases':
      return mixReleases(cluster, fault.ms, bites, sleep)
    case 'erasures':
      return eraseUsers(cluster, { ...fault, ...traffic }, bites, history, sleep)
    case 'activity-gone':
      return deleteActivity(cluster, fault.ms, bites, sleep)
  }
}

/**
 * A store is away for `ms`, and on until half of what was due meanwhile was committed without it: a takeover or an election
 * that falls into the same seconds stops sending too, and would hide what the store does to it.
 */
async function outage(ms: number, sleep: Sleep, { committed, perSecond }: Traffic): Promise<void> {
  const fromMs = performance.now()
  const before = committed()
  await sleep(ms)
  const elapsed = () => performance.now() - fromMs
  const enough = () => committed() - before >= (ms / 1_000) * perSecond * 0.5
  while (!enough() && elapsed() < ms + outageExtraMsMax) await sleep(250)
}

async function kill(
  cluster: Cluster,
  kind: RoleKind,
  index: number,
  bites: Bites,
  sleep: Sleep,
): Promise<void> {
  const role = await freeRole(cluster, kind, index, sleep)
  const { pid } = role
  role.signal('SIGKILL')
  for (let waited = 0; role.running && role.pid === pid; waited += 10) {
    if (waited > 5_000) throw new Error('it did not die')
    await sleep(10)
  }
  bites.kills[kind] += 1
}

/**
 * Sleeps past its session, and on until the twin was seen to claim: when a rebalance was under way, the coordinator
 * waits for the session before it gives the partitions on. The twin is left alone meanwhile.
 */
async function zombie(
  cluster: Cluster,
  fault: { readonly index: number; readonly ms: number },
  bites: Bites,
  sleep: Sleep,
): Promise<void> {
  const role = await freeRole(cluster, 'sequencer', fault.index, sleep)
  const sequencers = cluster.roles.filter(({ kind }) => kind === 'sequencer')
  for (const one of sequencers) one.busy = true
  const twins = sequencers.filter((one) => one !== role)
  const claims = () => twins.reduce((sum, { logFile }) => sum + claimsIn(logFile), 0)
  const { pid } = role
  for (let waited = 0; !hasOwned(role) && waited < freeMsMax; waited += 250) await sleep(250)
  const from = Date.now()
  const before = claims()
  role.signal('SIGSTOP')
  await sleep(fault.ms)
  for (let waited = 0; claims() === before && waited < takenMsMax; waited += 500) await sleep(500)
  bites.sleeps.push({ from, to: Date.now() })
  const slept = stateOf(pid) === 'T'
  role.signal('SIGCONT')
  for (const one of sequencers) one.busy = false
  if (!slept) throw new Error('it was not stopped at the end')
  bites.zombies += 1
}

/** This very process has held a partition: one that never did is no zombie. */
function hasOwned({ logFile, pid }: RoleHandle): boolean {
  const lines = readFileSync(logFile, 'utf8').split('\n')
  return lines.some((line) => line.includes(`"pid":${pid},`) && line.includes('"msg":"owning"'))
}

function claimsIn(logFile: string): number {
  return readFileSync(logFile, 'utf8').split('"msg":"claimed"').length - 1
}

/** The one asked for, or its twin while that one is away; waits until one of them runs. */
async function freeRole(cluster: Cluster, kind: RoleKind, index: number, sleep: Sleep): Promise<RoleHandle> {
  const twins = cluster.roles.filter((role) => role.kind === kind)
  for (let waited = 0; waited < freeMsMax; waited += 50) {
    const found = [twins[index], ...twins].find((role) => role?.running && !role.busy)
    if (found) return found
    await sleep(50)
  }
  throw new Error(`no ${kind} runs`)
}

/** State letter of a process, as Linux tells it. */
function stateOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0] ?? '?'
  } catch {
    return '?'
  }
}
