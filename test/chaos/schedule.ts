/** Which fault strikes when: a pure function of the seed and the size of the run. */
import { type Random, randomOf } from './random.ts'
import { type RoleKind, roleKinds } from './role.ts'
import { type FaultName, heartbeatMs, type RunSettings, sessionTimeoutMs } from './settings.ts'

export type Fault =
  | { readonly kind: 'kill'; readonly role: RoleKind; readonly index: number }
  | { readonly kind: 'zombie'; readonly index: number; readonly ms: number }
  | { readonly kind: 'broker-kill'; readonly node: number; readonly ms: number }
  | { readonly kind: 'broker-pause'; readonly node: number; readonly ms: number }
  | { readonly kind: 'drop'; readonly count: number; readonly clients: string }
  | { readonly kind: 'redis-empty'; readonly ms: number }
  | { readonly kind: 'clickhouse-stop'; readonly ms: number }
  | { readonly kind: 'redis-pause'; readonly ms: number }
  | { readonly kind: 'redis-slow'; readonly ms: number; readonly delayMs: number }
  | { readonly kind: 'storm'; readonly ms: number }
  | { readonly kind: 'half-open'; readonly link: number; readonly ms: number }
  | { readonly kind: 'poison'; readonly seed: number }
  | { readonly kind: 'clickhouse-lost'; readonly count: number; readonly ms: number }
  | { readonly kind: 'clickhouse-full'; readonly ms: number }
  | { readonly kind: 'activity-gone'; readonly ms: number }
  | { readonly kind: 'releases'; readonly ms: number }
  | { readonly kind: 'erasures'; readonly seed: number; readonly ms: number }

export interface Planned {
  readonly atMs: number
  readonly fault: Fault
}

const dropsAtOnce = 2
/** A paused broker misses its own session and the replicas' lag limit. */
const brokerPauseMs = 14_000
/** The controller believes a silent broker for so long; until then its partitions have no leader. */
const electionMs = 10_000
const redisPauseMs = 30_000
const redisDelayMs = 200
/** A gateway has given up the silent by then: two periods, and what its clock and the transport's are apart. */
const halfOpenMs = 2 * heartbeatMs + 10_000
/** Answers of inserts that are lost; each is one of several tables of a block. */
const insertAnswersLost = 6
const marginShare = 0.06

/**
 * Kills and drops at random moments over the whole run; the long faults one after another in a random order, each in a
 * slot of its own, so that never two of three brokers are away. Kills overlap with all of them.
 */
export function scheduleOf(settings: RunSettings): Planned[] {
  const random = randomOf(settings.seed)
  const totalMs = settings.seconds * 1_000
  const from = totalMs * marginShare
  const to = totalMs * (1 - marginShare)
  const plan: Planned[] = []
  const long = random.shuffle(settings.faults)
  const lengths = long.map((name) => lengthOf(name, settings.seconds, random))
  const slots = long.map((name, i) => (lengths[i] ?? 0) + (name.startsWith('broker') ? electionMs : 0))
  const spare = Math.max(0, to - from - slots.reduce((sum, ms) => sum + ms, 0))
  let at = from
  long.forEach((name, i) => {
    const ms = lengths[i] ?? 0
    at += (spare / Math.max(1, long.length)) * random.between(0.1, 0.9)
    plan.push({ atMs: Math.round(at), fault: longFault(name, ms, random) })
    at += slots[i] ?? 0
  })
  const slot = (to - from) / Math.max(1, settings.kills)
  const roles = settings.killRoles ?? roleKinds
  // Each role in turn, so that even a short run kills all four.
  const kinds = Array.from({ length: Math.ceil(settings.kills / roles.length) }, () =>
    random.shuffle(roles),
  ).flat()
  for (let i = 0; i < settings.kills; i++) {
    const fault: Fault = { kind: 'kill', role: kinds[i] ?? 'sequencer', index: random.below(2) }
    plan.push({ atMs: Math.round(from + slot * (i + random.next())), fault })
  }
  const bursts = Math.ceil(settings.drops / dropsAtOnce)
  for (let i = 0; i < bursts; i++) {
    const clients = i % 2 === 0 ? 'sequencer' : 'gateway'
    plan.push({
      atMs: Math.round(random.between(from, to)),
      fault: { kind: 'drop', count: dropsAtOnce, clients },
    })
  }
  return plan.sort((a, b) => a.atMs - b.atMs)
}

function lengthOf(name: FaultName, seconds: number, random: Random): number {
  const short = seconds < 150
  switch (name) {
    case 'zombie':
      return Math.round(sessionTimeoutMs + random.between(2_500, short ? 4_000 : 8_000))
    case 'broker-kill':
      return Math.round(random.between(5_000, short ? 7_000 : 12_000))
    case 'broker-pause':
      return brokerPauseMs
    case 'redis-empty':
    case 'clickhouse-stop':
      return Math.round(random.between(6_000, short ? 8_000 : 15_000))
    case 'redis-pause':
      return redisPauseMs
    case 'redis-slow':
      return Math.round(random.between(10_000, 20_000))
    case 'storm':
      return Math.round(random.between(1_000, 3_000))
    case 'half-open':
      return halfOpenMs
    case 'poison':
      return 0
    case 'clickhouse-lost':
      return 15_000
    case 'clickhouse-full':
      return Math.round(random.between(9_000, short ? 12_000 : 18_000))
    case 'activity-gone':
      return 6_000
    case 'releases':
      return 36_000
    case 'erasures':
      return 40_000
  }
}

function longFault(name: FaultName, ms: number, random: Random): Fault {
  switch (name) {
    case 'zombie':
      return { kind: name, index: random.below(2), ms }
    case 'broker-kill':
    case 'broker-pause':
      return { kind: name, node: random.below(3), ms }
    case 'redis-slow':
      return { kind: name, ms, delayMs: redisDelayMs }
    case 'half-open':
      return { kind: name, link: random.below(2), ms }
    case 'poison':
      return { kind: name, seed: random.below(2 ** 31) }
    case 'erasures':
      return { kind: name, seed: random.below(2 ** 31), ms }
    case 'clickhouse-lost':
      return { kind: name, count: insertAnswersLost, ms }
    case 'activity-gone':
    case 'releases':
    case 'redis-empty':
    case 'clickhouse-stop':
    case 'clickhouse-full':
    case 'redis-pause':
    case 'storm':
      return { kind: name, ms }
  }
}

export const faultText = (fault: Fault): string => {
  switch (fault.kind) {
    case 'kill':
      return `kill -9 ${fault.role}-${fault.index + 1}`
    case 'zombie':
      return `SIGSTOP sequencer-${fault.index + 1} for ${fault.ms} ms`
    case 'broker-kill':
      return `kill -9 broker ${fault.node + 1}, back after ${fault.ms} ms`
    case 'broker-pause':
      return `SIGSTOP broker ${fault.node + 1} for ${fault.ms} ms`
    case 'drop':
      return `lose ${fault.count} produce answers to a ${fault.clients}`
    case 'redis-empty':
      return `stop Redis for ${fault.ms} ms, back empty`
    case 'clickhouse-stop':
      return `kill ClickHouse for ${fault.ms} ms`
    case 'redis-pause':
      return `SIGSTOP Redis for ${fault.ms} ms`
    case 'redis-slow':
      return `answers of Redis ${fault.delayMs} ms late for ${fault.ms} ms`
    case 'storm':
      return `cut all clients off and let nobody in for ${fault.ms} ms`
    case 'half-open':
      return `clients of gateway ${fault.link + 1} vanish without a word; looked at after ${fault.ms} ms`
    case 'poison':
      return 'put rubbish into every topic'
    case 'clickhouse-lost':
      return `lose the answers to ${fault.count} inserts of ClickHouse`
    case 'clickhouse-full':
      return `ClickHouse refuses inserts for ${fault.ms} ms: disk full, then read-only`
    case 'releases':
      return `two releases side by side for ${fault.ms} ms: writers newer, readers too, all back, all newer`
    case 'erasures':
      return 'erase users while all write, and kill gateways while newcomers get their first keys'
    case 'activity-gone':
      return `stop the projections for ${fault.ms} ms and delete what they have not read of im.activity`
  }
}
