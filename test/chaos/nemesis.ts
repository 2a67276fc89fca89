/** Does what the schedule says to the cluster, writes each fault into the history, and keeps what proves that it bit. */
import { readFileSync } from 'node:fs'
import { createRedis } from '../../infra/redis/client.ts'
import type { Cluster } from './cluster.ts'
import type { History } from './history.ts'
import { monotonicUs } from './history.ts'
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
  /** What was ordered and could not be done, or was not seen to happen. */
  readonly blunt: string[]
  /** Wall-clock ms: while a sequencer slept. */
  readonly sleeps: { from: number; to: number }[]
  /** On the monotonic clock, in µs: when a store was away. */
  readonly storeOutages: { store: string; from: number; to: number }[]
}

export interface Nemesis {
  readonly bites: Bites
  /** Resolves when the last fault has been healed. */
  done: Promise<void>
  stop(): void
}

const marker = 'chaos:marker'

export function startNemesis(
  cluster: Cluster,
  plan: readonly Planned[],
  history: History,
  say: (line: string) => void,
): Nemesis {
  const bites: Bites = {
    kills: { sequencer: 0, fanout: 0, gateway: 0, projection: 0 },
    ...{ zombies: 0, brokerKills: 0, brokerPauses: 0, dropsOrdered: 0, redisEmptied: 0, clickhouseStops: 0 },
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
      await strike(cluster, fault, bites, sleep)
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

async function strike(cluster: Cluster, fault: Fault, bites: Bites, sleep: Sleep): Promise<void> {
  const { engines, proxy } = cluster
  switch (fault.kind) {
    case 'kill':
      return kill(cluster, fault.role, fault.index, bites, sleep)
    case 'zombie': {
      const role = await freeRole(cluster, 'sequencer', fault.index, sleep)
      role.busy = true
      const { pid } = role
      const from = Date.now()
      role.signal('SIGSTOP')
      await sleep(fault.ms)
      bites.sleeps.push({ from, to: Date.now() })
      const slept = stateOf(pid) === 'T'
      role.signal('SIGCONT')
      role.busy = false
      if (!slept) throw new Error('it was not stopped at the end')
      bites.zombies += 1
      return
    }
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
      return emptyRedis(cluster, fault.ms, bites, sleep)
    case 'clickhouse-stop': {
      const from = monotonicUs()
      engines.clickhouse.kill('SIGKILL')
      await sleep(fault.ms)
      if (engines.clickhouse.running) throw new Error('it still runs')
      bites.storeOutages.push({ store: 'ClickHouse', from, to: monotonicUs() })
      await engines.clickhouse.restart()
      bites.clickhouseStops += 1
      return
    }
  }
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

/** The one asked for, or its twin while that one is away; waits until one of them runs. */
async function freeRole(cluster: Cluster, kind: RoleKind, index: number, sleep: Sleep): Promise<RoleHandle> {
  const twins = cluster.roles.filter((role) => role.kind === kind)
  for (let waited = 0; waited < 30_000; waited += 50) {
    const found = [twins[index], ...twins].find((role) => role?.running && !role.busy)
    if (found) return found
    await sleep(50)
  }
  throw new Error(`no ${kind} runs`)
}

/** Empty for certain: what was written before the stop is not there after it. */
async function emptyRedis(cluster: Cluster, ms: number, bites: Bites, sleep: Sleep): Promise<void> {
  const { redis } = cluster.engines
  const logger = { debug() {}, info() {}, warn() {}, error() {} }
  const client = createRedis({ urls: [redis.url], name: 'chaos' }, logger)
  try {
    await client.ready(2_000)
    await client.batch([['SET', marker, '1']])
    const from = monotonicUs()
    await redis.stop()
    await sleep(ms)
    bites.storeOutages.push({ store: 'Redis', from, to: monotonicUs() })
    await redis.restart({ emptied: true })
    for (let waited = 0; ; waited += 200) {
      await sleep(200)
      const [kept] = await client.batch([['GET', marker]]).catch(() => ['unknown'])
      if (kept === null) break
      if (kept !== 'unknown') throw new Error('it kept its data')
      if (waited > 10_000) throw new Error('it does not answer')
    }
    bites.redisEmptied += 1
  } finally {
    await client.close()
  }
}

/** State letter of a process, as Linux tells it. */
function stateOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0] ?? '?'
  } catch {
    return '?'
  }
}
