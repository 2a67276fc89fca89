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
  readonly members: number
  readonly everyone: number
  readonly flood: number
  readonly notices: number
  readonly logins: number
}

const CONNECTIONS = 200
const AT_ONCE = 50
const TEXT_BYTES = 200
const WARM_UP = { perSec: 300, seconds: 15 }
const REST_MS = 3_000
/** The disturbance begins before what is measured, and outlasts it. */
const LEAD_MS = 2_000
const AIM = 2
const sleep = (msToWait: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, msToWait))

interface Row {
  readonly name: string
  readonly measurement: Measurement
  readonly did: number
  readonly refused: number
  readonly heard: number
}

/** Answers the exit code: 1 where single chat lost anything. That p99 stays within the aim is told, not demanded: see the machine. */
export function benchIsolation(flags: IsolationFlags): Promise<number> {
  return onPlatform({ name: 'bench-isolation' }, async (platform, ends) => {
    const rows = await all(platform, flags, ends)
    print(rows, flags)
    const clean = rows.every(
      ({ measurement: { counts } }) => counts.lost + counts.doubled + counts.outOfOrder === 0,
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

  const rows: Row[] = []
  const during = async (name: string, what: Disturbance | null, perSec: number): Promise<void> => {
    const seconds = flags.seconds + (2 * LEAD_MS) / 1_000
    const disturbed = what === null ? null : disturber.ask({ do: 'disturb', what, perSec, seconds })
    await sleep(LEAD_MS)
    const measurement = await measure(bench, flags.rate, flags.seconds)
    const answer = await disturbed
    const { did, refused, heard } = answer?.done === 'disturbed' ? answer : { did: 0, refused: 0, heard: 0 }
    rows.push({ name, measurement, did, refused, heard })
    console.log(`  ${name}: received ${ms(measurement.received.p50Ms)} / ${ms(measurement.received.p99Ms)}`)
    await sleep(REST_MS)
  }
  await during('at rest', null, 0)
  await during(`flood, ${flags.flood}/s in a group of ${members}`, 'flood', flags.flood)
  await during(`notice, ${flags.notices}/s to ${grouped(everyone)}`, 'notice', flags.notices)
  await during(`logins, ${flags.logins}/s`, 'logins', flags.logins)
  await during(`logins, ${10 * flags.logins}/s`, 'logins', 10 * flags.logins)
  await during('at rest again', null, 0)
  return rows
}

function print(rows: readonly Row[], flags: IsolationFlags): void {
  const rest = Math.max(
    rows[0]?.measurement.received.p99Ms ?? 0,
    rows.at(-1)?.measurement.received.p99Ms ?? 0,
  )
  console.log(
    `\n  ${machine()}\n  single chat at ${flags.rate}/s; ratio to the worse of the two at rest, the aim is ${AIM}\n`,
  )
  console.log(
    `${table(
      ['others', 'did', 'refused', 'heard', 'p50', 'p99', 'ratio', 'lost'],
      rows.map(({ name, did, refused, heard, measurement: { received, counts } }) => [
        name,
        grouped(did),
        grouped(refused),
        grouped(heard),
        ms(received.p50Ms),
        ms(received.p99Ms),
        (received.p99Ms / rest).toFixed(1),
        counts.lost,
      ]),
    )}\n`,
  )
}
