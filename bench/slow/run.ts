/** `npm run bench -- slow`: clients that read nothing, what they cost a gateway until they are closed, and what others notice. */
import { connect } from '../../client/index.ts'
import { grouped, mb, ms, table } from '../../infra/terminal.ts'
import { limits } from '../../schemas/limits.ts'
import { startLoad } from '../load/pool.ts'
import { machine, writeResult } from '../report.ts'
import { startChild } from '../support/child.ts'
import { type Ends, onPlatform } from '../support/on-platform.ts'
import type { Platform } from '../support/platform.ts'
import { usageOf } from '../support/processes.ts'
import { type Summary, summarise } from '../support/samples.ts'
import type { Answer, Order } from './protocol.ts'

export interface SlowFlags {
  readonly slow: number
  readonly others: number
  readonly rate: number
  readonly flood: number
  readonly bytes: number
  readonly seconds: number
}

const AT_ONCE = 50
const QUIET_SECONDS = 15
const LOOK_MS = 500
/** All that is kept for a client that takes nothing; what many get alike stands in memory once, so this is far above what is seen. */
const PER_SLOW_MAX = limits.socketBufferBytesMax + limits.frameBytesMax
const sleep = (msToWait: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, msToWait))

interface Result {
  readonly at: string
  readonly machine: string
  readonly flags: SlowFlags
  readonly before: Summary
  readonly during: Summary
  readonly lost: number
  readonly reconnects: number
  readonly rssBefore: number
  readonly rssMax: number
  readonly rssAfter: number
  readonly boundBytes: number
}

/** Answers the exit code. */
export function benchSlow(flags: SlowFlags): Promise<number> {
  return onPlatform({ name: 'bench-slow' }, async (platform, ends) => {
    const result = await measure(platform, flags, ends)
    print(result)
    console.log(`  written to ${writeResult(result, 'slow')}`)
    const within = result.rssMax - result.rssBefore <= result.boundBytes
    return within && result.lost + result.reconnects === 0 ? 0 : 1
  })
}

async function measure(platform: Platform, flags: SlowFlags, ends: Ends): Promise<Result> {
  const { url, secret } = platform
  const prefix = `d${process.pid}-`
  const deaf = startChild<Order, Answer>(new URL('./deaf-worker.ts', import.meta.url).pathname)
  ends.push(() => deaf.close({ do: 'close' }))
  await deaf.ready
  const load = await startLoad(1)
  ends.push(() => load.close())
  await load.connect({
    ...{ url, secret, prefix: `o${process.pid}`, codec: 'json', atOnce: AT_ONCE, count: flags.others },
  })
  await deaf.ask({ do: 'connect', url, secret, prefix, count: flags.slow, atOnce: AT_ONCE })
  const sender = await connect({ url, token: await platform.token(`${prefix}sender`) })
  ends.push(() => sender.close({ deadlineMs: 1_000 }))
  const { conversationId } = await sender.createGroup({ name: 'slow', members: [] })
  await sender.importMembers(
    conversationId,
    Array.from({ length: flags.slow }, (_, i) => `${prefix}${i}`),
  )
  const talk = (seconds: number) =>
    load.run({ perSec: flags.rate, seconds, textBytes: 100, drainMsMax: 30_000 })
  const rss = (): number =>
    usageOf(platform.processes().filter(({ name }) => name === 'gateway')).reduce(
      (sum, one) => sum + one.rssBytes,
      0,
    )

  await talk(QUIET_SECONDS)
  const before = await talk(QUIET_SECONDS)
  const rssBefore = rss()
  let rssMax = rssBefore
  let isOver = false
  const watching = (async () => {
    for (; !isOver; await sleep(LOOK_MS)) rssMax = Math.max(rssMax, rss())
  })()
  await deaf.ask({ do: 'stop-reading' })
  const flooding = flood()
  const during = await talk(flags.seconds)
  isOver = true
  await Promise.all([flooding, watching])
  return {
    at: new Date().toISOString(),
    machine: machine(),
    flags,
    before: summarise(before.receivedMs),
    during: summarise(during.receivedMs),
    lost: before.lost + during.lost,
    reconnects: during.reconnects,
    ...{
      rssBefore,
      rssMax,
      rssAfter: rss(),
      boundBytes: flags.slow * PER_SLOW_MAX + limits.unackedBytesPerConnectionMax,
    },
  }

  async function flood(): Promise<void> {
    const text = 'x'.repeat(flags.bytes)
    for (let n = 0; !isOver; n++) {
      sender.send({ conversationId, text: `${n} ${text}` }).catch(() => {})
      await sleep(1_000 / flags.flood)
    }
  }
}

function print(result: Result): void {
  const { before, during, flags } = result
  console.log(`\n${'─'.repeat(100)}\n  ${result.machine}\n`)
  console.log(
    table(
      ['read nothing', 'gateway RSS before', 'highest', 'after', 'per slow client', 'bound'],
      [
        [
          ...[grouped(flags.slow), mb(result.rssBefore), mb(result.rssMax), mb(result.rssAfter)],
          `${grouped((result.rssMax - result.rssBefore) / flags.slow / 1_024)} KiB`,
          mb(result.boundBytes),
        ],
      ],
    ),
  )
  console.log(
    `\n${table(
      [`${flags.others} others, ${flags.rate} msg/s`, 'received p50', 'p99', 'max'],
      [
        ['before', ms(before.p50Ms), ms(before.p99Ms), ms(before.maxMs)],
        ['with them', ms(during.p50Ms), ms(during.p99Ms), ms(during.maxMs)],
      ],
    )}\n\n  ${result.lost} lost, ${result.reconnects} reconnects among the others\n`,
  )
}
