/** Latency at a fixed open-loop rate, the highest rate that holds, what both cost, and the memory of idle connections. */

import { grouped, ms } from '../infra/terminal.ts'
import { findMax } from './find-max.ts'
import { measureIdle } from './idle.ts'
import { startLoad } from './load/pool.ts'
import { type Bench, type Measurement, measure } from './measure.ts'
import {
  type BenchResult,
  costTable,
  durabilityEmbedded,
  durabilityExternal,
  idleTable,
  latencyTable,
  machine,
  writeResult,
} from './report.ts'
import { type Ends, onPlatform } from './support/on-platform.ts'
import type { Platform } from './support/platform.ts'

export interface RatesFlags {
  readonly rate?: number
  readonly seconds: number
  readonly findMax?: boolean
  readonly idle?: number
  readonly connections: number
  readonly bytes: number
  readonly from: number
  readonly loaders: number
  readonly codec: 'json' | 'avro'
  readonly profile?: string
  readonly warmUp: number
}

const WARM_UP_PER_SEC = 1_000
const AT_ONCE = 50
const REFERENCE_PER_SEC = 500
const IDLE_DEFAULT = 10_000
const REST_MS = 2_000

const sleep = (msToWait: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, msToWait))

/** Answers the exit code. */
export function benchRates(flags: RatesFlags): Promise<number> {
  if (flags.profile) process.env.BENCH_PROFILE_DIR = flags.profile
  const profiling = flags.profile ? `--cpu-prof --cpu-prof-dir=${flags.profile}` : null
  const env: Record<string, string> = profiling ? { NODE_OPTIONS: profiling } : {}
  return onPlatform({ name: 'bench', env }, async (platform, ends) => {
    const result = await all(platform, flags, ends)
    print(result)
    console.log(`  written to ${writeResult(result)}`)
    return result.runs.every(({ measurement }) => measurement.ok) ? 0 : 1
  })
}

function print(result: BenchResult): void {
  console.log(`\n${'─'.repeat(100)}\n  ${result.machine}\n  durability: ${result.durability}`)
  console.log(
    `  ${grouped(result.connections)} connections in pairs, ${result.textBytes}-byte messages, ${result.codec}\n`,
  )
  if (result.runs.length > 0) console.log(`${latencyTable(result)}\n`)
  if (result.runs.some(({ measurement }) => measurement.othersCores > 0.2))
    console.log(
      '  others: CPU that other processes of this machine took meanwhile; run it again when it is quiet\n',
    )
  for (const { measurement } of result.runs) console.log(`${costTable(measurement)}\n`)
  if (result.idle) console.log(`${idleTable(result.idle)}\n`)
}

async function all(on: Platform, flags: RatesFlags, ends: Ends): Promise<BenchResult> {
  const everything = !flags.rate && !flags.findMax && !flags.idle
  const result: BenchResult = {
    at: new Date().toISOString(),
    machine: machine(),
    durability: process.env.LONGWIRE_KAFKA ? durabilityExternal : durabilityEmbedded,
    connections: flags.connections,
    textBytes: flags.bytes,
    codec: flags.codec,
    runs: [],
    idle: null,
  }
  // Before any load: memory that a run has grown would hide what connections take.
  if (flags.idle || everything)
    result.idle = await measureIdle(on, flags.idle ?? IDLE_DEFAULT, (text) => console.log(`  ${text}`))
  if (flags.idle && !flags.rate && !flags.findMax) return result

  const load = await startLoad(flags.loaders)
  ends.push(() => load.close())
  const bench: Bench = { platform: on, load, textBytes: flags.bytes }
  const { url, secret } = on
  const prefix = `bench-${process.pid}`
  const { connections: count, codec } = flags
  const { ms: connectMs } = await load.connect({ url, secret, prefix, count, codec, atOnce: AT_ONCE })
  console.log(`\n  ${grouped(count)} connections in ${ms(connectMs)}`)
  await run(bench, Math.min(WARM_UP_PER_SEC, flags.rate ?? WARM_UP_PER_SEC), flags.warmUp, 'warm-up')
  await sleep(REST_MS)

  const keep = async (name: string, perSec: number): Promise<void> => {
    result.runs.push({ name, measurement: await run(bench, perSec, flags.seconds, name) })
    await sleep(REST_MS)
  }
  if (flags.rate) await keep('rate', flags.rate)
  else if (everything) await keep('reference', REFERENCE_PER_SEC)
  if (flags.findMax || everything) {
    const best = await findMax(
      flags.from,
      flags.seconds,
      (perSec, seconds, purpose) => run(bench, perSec, seconds, purpose),
      sleep,
    )
    if (!best) console.log('  no rate holds')
    else {
      await sleep(REST_MS)
      if (everything) await keep('half of highest', Math.round(best.perSec / 2))
      result.runs.push({ name: 'highest', measurement: best })
    }
  }
  return result
}

async function run(on: Bench, perSec: number, seconds: number, purpose: string): Promise<Measurement> {
  const m = await measure(on, perSec, seconds)
  const { counts, committed, received } = m
  const bad = [
    [counts.lost, 'lost'],
    [counts.unanswered, 'unanswered'],
    [counts.doubled, 'doubled'],
    [counts.outOfOrder, 'out of order'],
    [counts.refused, 'refused'],
    [counts.reconnects, 'reconnects'],
  ].flatMap(([n, what]) => (n ? [`${n} ${what}`] : []))
  const cores = m.processes
    .map((one) => `${one.name} ${((one.cpuSecPer1000 * perSec) / 10).toFixed(0)}`)
    .join(' ')
  console.log(
    `  ${purpose.padEnd(16)}${grouped(perSec).padStart(7)}/s ${m.ok ? '✔' : '✘'}` +
      `  committed ${ms(committed.p50Ms)} / ${ms(committed.p99Ms)}  received ${ms(received.p50Ms)} / ${ms(received.p99Ms)}` +
      `  ${bad.join(', ')}  [% of a core: ${cores}, others ${(m.othersCores * 100).toFixed(0)}]`,
  )
  return m
}
