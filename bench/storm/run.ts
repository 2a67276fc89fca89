/** `npm run bench -- storm`: a crowd loses its connections at once and comes back, while others who stayed go on talking. */

import { grouped, mb, ms, table } from '../../infra/terminal.ts'
import { startLoad } from '../load/pool.ts'
import type { RunTally } from '../load/protocol.ts'
import { durabilityEmbedded, durabilityExternal, machine, writeResult } from '../report.ts'
import { startChild } from '../support/child.ts'
import { type Ends, onPlatform } from '../support/on-platform.ts'
import type { Platform } from '../support/platform.ts'
import { machineCpuSec, usageBetween, usageOf } from '../support/processes.ts'
import { type Summary, summarise } from '../support/samples.ts'
import type { Answer, Back, Order } from './protocol.ts'

export interface StormFlags {
  readonly crowd: number
  readonly stay: number
  readonly rate: number
  readonly seconds: number
  readonly within: number
}

const AT_ONCE = 50
const TEXT_BYTES = 100
const DRAIN_MS_MAX = 30_000
const WAIT_MS_MAX = 120_000
const SETTLE_MS = 3_000
/** Of a run, before the crowd is cut. */
const LEAD_MS = 1_000
const sleep = (msToWait: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, msToWait))

interface Talk {
  readonly received: Summary
  readonly committed: Summary
  readonly counts: Pick<RunTally, 'sent' | 'lost' | 'doubled' | 'outOfOrder' | 'refused' | 'reconnects'>
}

interface Result {
  readonly at: string
  readonly machine: string
  readonly durability: string
  readonly flags: StormFlags
  readonly connectMs: number
  readonly before: Talk
  readonly during: Talk
  readonly back: Omit<Back, 'backMs'> & Summary
  readonly gatewayCpuSec: number
  readonly gatewayBytes: number
  readonly othersCores: number
}

/** Answers the exit code. */
export function benchStorm(flags: StormFlags): Promise<number> {
  return onPlatform({ name: 'bench-storm' }, async (platform, ends) => {
    const result = await measure(platform, flags, ends)
    print(result)
    console.log(`  written to ${writeResult(result, 'storm')}`)
    const { before, during, back } = result
    const clean = [before, during].every(
      ({ counts: { lost, doubled, outOfOrder, refused, reconnects } }) =>
        lost + doubled + outOfOrder + refused + reconnects === 0,
    )
    const inTime = back.missing === 0 && back.maxMs <= flags.within * 1_000
    if (!inTime) console.log(`  ✘ not all are back within ${flags.within} s`)
    return clean && inTime ? 0 : 1
  })
}

async function measure(platform: Platform, flags: StormFlags, ends: Ends): Promise<Result> {
  const { url, secret } = platform
  const crowd = startChild<Order, Answer>(new URL('./crowd-worker.ts', import.meta.url).pathname)
  ends.push(() => crowd.close({ do: 'close' }))
  await crowd.ready
  const load = await startLoad(1)
  ends.push(() => load.close())
  const stayed = { url, secret, prefix: `s${process.pid}`, codec: 'json', atOnce: AT_ONCE } as const
  await load.connect({ ...stayed, count: flags.stay })
  const connected = await crowd.ask({
    ...{ do: 'connect', url, secret, prefix: `c${process.pid}-`, count: flags.crowd, atOnce: AT_ONCE },
  })
  const connectMs = connected.done === 'connected' ? connected.ms : 0
  console.log(`  a crowd of ${grouped(flags.crowd)} in ${ms(connectMs)}, ${flags.stay} others talk`)
  await sleep(SETTLE_MS)
  const talk = async (): Promise<Talk> =>
    talkOf(
      await load.run({
        ...{ perSec: flags.rate, seconds: flags.seconds, textBytes: TEXT_BYTES, drainMsMax: DRAIN_MS_MAX },
      }),
    )
  // The first run warms up what is compiled on the way.
  await talk()
  const before = await talk()
  const processes = [
    ...platform.processes(),
    ...load.processes(),
    { name: 'crowd', pid: crowd.pid },
    { name: 'bench', pid: process.pid },
  ]
  const look = () => ({ usage: usageOf(processes), machineSec: machineCpuSec(), atMs: performance.now() })
  const from = look()
  const [during, back] = await Promise.all([talk(), storm()])
  const to = look()
  const used = usageBetween(from.usage, to.usage)
  const gateway = used.find(({ name }) => name === 'gateway')
  const { backMs, ...counts } = back
  return {
    at: new Date().toISOString(),
    machine: machine(),
    durability: process.env.LONGWIRE_KAFKA ? durabilityExternal : durabilityEmbedded,
    ...{ flags, connectMs, before, during },
    back: { ...summarise(backMs), ...counts },
    gatewayCpuSec: gateway?.cpuSec ?? 0,
    gatewayBytes: gateway?.rssBytes ?? 0,
    othersCores:
      Math.max(0, to.machineSec - from.machineSec - used.reduce((sum, { cpuSec }) => sum + cpuSec, 0)) /
      ((to.atMs - from.atMs) / 1_000),
  }

  async function storm(): Promise<Back> {
    await sleep(LEAD_MS)
    const answer = await crowd.ask({ do: 'drop', waitMsMax: WAIT_MS_MAX })
    if (answer.done !== 'back') throw new Error('the crowd said something else')
    return answer.back
  }
}

function talkOf(tally: RunTally): Talk {
  const { committedMs, receivedMs, sent, lost, doubled, outOfOrder, refused, reconnects } = tally
  return {
    received: summarise(receivedMs),
    committed: summarise(committedMs),
    counts: { sent, lost, doubled, outOfOrder, refused, reconnects },
  }
}

function print(result: Result): void {
  const { back, before, during, flags } = result
  console.log(`\n${'─'.repeat(100)}\n  ${result.machine}\n  durability: ${result.durability}\n`)
  console.log(
    table(
      [
        'cut at once',
        'half are back',
        '99 %',
        'all',
        'missing',
        'tries',
        'turned away',
        'gateway CPU',
        'RSS',
      ],
      [
        [
          ...[grouped(back.count), ms(back.p50Ms), ms(back.p99Ms), ms(back.maxMs), back.missing],
          ...[grouped(back.tries), grouped(back.turnedAway)],
          ...[`${result.gatewayCpuSec.toFixed(1)} s`, mb(result.gatewayBytes)],
        ],
      ],
    ),
  )
  console.log(
    `\n${table(
      [
        `${flags.stay} who stayed, ${flags.rate} msg/s`,
        'received p50',
        'p99',
        'max',
        'lost',
        'doubled',
        'reconnects',
      ],
      [
        ['before', before],
        ['while they come back', during],
      ].map(([name, talk]) => {
        const { received, counts } = talk as Talk
        return [
          ...[String(name), ms(received.p50Ms), ms(received.p99Ms), ms(received.maxMs)],
          ...[counts.lost, counts.doubled, counts.reconnects],
        ]
      }),
    )}\n`,
  )
  if (result.othersCores > 0.2)
    console.log(
      `  other processes of this machine took ${(result.othersCores * 100).toFixed(0)} % of a core meanwhile\n`,
    )
}
