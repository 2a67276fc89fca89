/** `npm run bench -- isolation`: what others' floods, notices and logins do to single chat. */

import { grouped, ms, table } from '../../infra/terminal.ts'
import { startLoad } from '../load/pool.ts'
import { type Measurement, measure } from '../measure.ts'
import { machine } from '../report.ts'
import { startChild } from '../support/child.ts'
import { type Ends, onPlatform } from '../support/on-platform.ts'
import type { Platform } from '../support/platform.ts'
import type { Answer, Disturbance, Order } from './protocol.ts'

export interface IsolationFlags {
  readonly rate: number
  readonly seconds: number
  readonly rounds: number
  readonly members: number
  readonly everyone: number
  readonly flood: number
  readonly notices: number
  readonly logins: number
  readonly silent: number
  readonly hammer: number
}

const CONNECTIONS = 200
const AT_ONCE = 50
const TEXT_BYTES = 200
const WARM_UP = { perSec: 300, seconds: 15 }
/** What a surge leaves behind takes some seconds to go, and must not be measured as rest. */
const REST_MS = 8_000
/** The disturbance begins before what is measured, and outlasts it. */
const LEAD_MS = 2_000
const AIM = 2
const sleep = (msToWait: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, msToWait))

interface Run {
  readonly measurement: Measurement
  readonly did: number
  readonly refused: number
  readonly heard: number
}

/** One kind of disturbance, or none, with a run of each round. */
interface Row {
  readonly name: string
  readonly what: Disturbance | null
  readonly perSec: number
  readonly runs: Run[]
}

/** Answers the exit code: 1 where single chat lost anything. That p99 stays within the aim is told, not demanded: see the machine. */
export function benchIsolation(flags: IsolationFlags): Promise<number> {
  return onPlatform({ name: 'bench-isolation' }, async (platform, ends) => {
    const rows = await all(platform, flags, ends)
    print(rows, flags)
    const clean = rows.every(({ runs }) =>
      runs.every(({ measurement: { counts } }) => counts.lost + counts.doubled + counts.outOfOrder === 0),
    )
    return clean ? 0 : 1
  })
}

async function all(platform: Platform, flags: IsolationFlags, ends: Ends): Promise<Row[]> {
  const load = await startLoad(1)
  ends.push(() => load.close())
  const disturber = startChild<Order, Answer>(new URL('./disturb-worker.ts', import.meta.url).pathname)
  ends.push(() => disturber.close({ do: 'close' }))
  await disturber.ready
  const { url, secret } = platform
  const prefix = `i${process.pid}-`
  const { members, everyone } = flags
  await load.connect({
    url,
    secret,
    prefix: `${prefix}p`,
    count: CONNECTIONS,
    codec: 'json',
    atOnce: AT_ONCE,
  })
  console.log(`  ${grouped(CONNECTIONS)} connections in pairs; now those of others …`)
  await disturber.ask({ do: 'prepare', url, secret, prefix, members, everyone })
  const bench = { platform, load, textBytes: TEXT_BYTES }
  await measure(bench, WARM_UP.perSec, WARM_UP.seconds)
  await sleep(REST_MS)

  const rows: Row[] = [
    { name: 'at rest', what: null, perSec: 0, runs: [] },
    row(`flood, ${flags.flood}/s in a group of ${members}`, 'flood', flags.flood),
    row(`notice, ${flags.notices}/s to ${grouped(everyone)}`, 'notice', flags.notices),
    row(`logins, ${flags.logins}/s`, 'logins', flags.logins),
    row(`logins, ${10 * flags.logins}/s`, 'logins', 10 * flags.logins),
    row(`silent connections, ${grouped(flags.silent)}/s`, 'silent', flags.silent),
    row(`one user's commands, ${grouped(flags.hammer)}/s`, 'hammer', flags.hammer),
  ]
  const during = async ({ name, what, perSec, runs }: Row): Promise<void> => {
    const seconds = flags.seconds + (2 * LEAD_MS) / 1_000
    const disturbed = what === null ? null : disturber.ask({ do: 'disturb', what, perSec, seconds })
    await sleep(LEAD_MS)
    const measurement = await measure(bench, flags.rate, flags.seconds)
    const answer = await disturbed
    const { did, refused, heard } = answer?.done === 'disturbed' ? answer : { did: 0, refused: 0, heard: 0 }
    runs.push({ measurement, did, refused, heard })
    console.log(`  ${name}: received ${ms(measurement.received.p50Ms)} / ${ms(measurement.received.p99Ms)}`)
    await sleep(REST_MS)
  }
  // In turns: what the machine does besides falls on all kinds alike.
  for (let round = 0; round < flags.rounds; round++) for (const one of rows) await during(one)
  return rows
}

const row = (name: string, what: Disturbance, perSec: number): Row => ({ name, what, perSec, runs: [] })

/** Of an even number: halfway between the two in the middle. */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const upper = sorted[sorted.length >> 1] ?? 0
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[(sorted.length >> 1) - 1] ?? 0)) / 2
}
const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0)

function print(rows: readonly Row[], flags: IsolationFlags): void {
  const p99 = ({ runs }: Row) => runs.map(({ measurement }) => measurement.received.p99Ms)
  const rest = median(rows[0] ? p99(rows[0]) : [])
  console.log(
    `\n  ${machine()}\n  single chat at ${flags.rate}/s, p50 and p99 as medians over ${flags.rounds} rounds of ${flags.seconds} s; the aim is a p99 of at most ${AIM} times that at rest\n`,
  )
  console.log(
    `${table(
      ['others', 'did', 'refused', 'heard', 'p50', 'p99', 'p99 least', 'p99 most', 'times rest', 'lost'],
      rows.map((one) => [
        one.name,
        grouped(sum(one.runs.map(({ did }) => did))),
        grouped(sum(one.runs.map(({ refused }) => refused))),
        grouped(sum(one.runs.map(({ heard }) => heard))),
        ms(median(one.runs.map(({ measurement }) => measurement.received.p50Ms))),
        ms(median(p99(one))),
        ms(Math.min(...p99(one))),
        ms(Math.max(...p99(one))),
        (median(p99(one)) / rest).toFixed(1),
        sum(one.runs.map(({ measurement }) => measurement.counts.lost)),
      ]),
    )}\n`,
  )
}
