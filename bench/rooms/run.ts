/** `npm run bench -- rooms`: everyone in one room, shown what is said at a fixed rate. */
import { connect } from '../../client/index.ts'
import { grouped, mb, ms, table } from '../../infra/terminal.ts'
import { durabilityEmbedded, durabilityExternal, machine, writeResult } from '../report.ts'
import { type Child, startChild } from '../support/child.ts'
import { hostMs } from '../support/host-clock.ts'
import { type Ends, onPlatform } from '../support/on-platform.ts'
import type { Platform } from '../support/platform.ts'
import { machineCpuSec, type Usage, usageBetween, usageOf } from '../support/processes.ts'
import { createSamples, joined, type Summary, summarise } from '../support/samples.ts'
import type { Answer, Order, Shown } from './protocol.ts'

export interface RoomsFlags {
  readonly connections: number
  readonly rate: number
  readonly seconds: number
  readonly bytes: number
  readonly loaders: number
}

const AT_ONCE = 50
const ROOM = 'bench'
/** Below what one connection may say in a room. */
const PER_SENDER = 4
const WARM_UP_SECONDS = 5
const SETTLE_MS = 3_000
const sleep = (msToWait: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, msToWait))

interface Result {
  readonly at: string
  readonly machine: string
  readonly durability: string
  readonly flags: RoomsFlags
  readonly connectMs: number
  readonly committed: Summary
  readonly refused: number
  readonly shown: Summary
  readonly counts: Omit<Shown, 'shownMs'>
  readonly deliveriesPerSec: number
  readonly usage: readonly Usage[]
  readonly seconds: number
  readonly othersCores: number
}

/** Answers the exit code. */
export function benchRooms(flags: RoomsFlags): Promise<number> {
  return onPlatform({ name: 'bench-rooms' }, async (platform, ends) => {
    const result = await measure(platform, flags, ends)
    print(result)
    console.log(`  written to ${writeResult(result, 'rooms')}`)
    return result.counts.wrong + result.counts.closed + result.refused === 0 ? 0 : 1
  })
}

async function measure(platform: Platform, flags: RoomsFlags, ends: Ends): Promise<Result> {
  const prefix = `r${process.pid}-`
  const { url, secret } = platform
  const senders = await Promise.all(
    Array.from({ length: Math.ceil(flags.rate / PER_SENDER) }, async (_, i) => {
      const client = await connect({ url, token: await platform.token(`${prefix}sender-${i}`) })
      ends.push(() => client.close({ deadlineMs: 500 }))
      await client.joinRoom(ROOM)
      return client
    }),
  )
  const workers = Array.from({ length: flags.loaders }, () =>
    startChild<Order, Answer>(new URL('./listen-worker.ts', import.meta.url).pathname),
  )
  for (const worker of workers) ends.push(() => worker.close({ do: 'close' }))
  await Promise.all(workers.map(({ ready }) => ready))
  const each = Math.ceil(flags.connections / workers.length)
  const fromMs = hostMs()
  await Promise.all(
    workers.map((worker, i) =>
      worker.ask({
        ...{ do: 'connect', url, secret, prefix, first: i * each, atOnce: AT_ONCE, roomId: ROOM },
        count: Math.min(each, flags.connections - i * each),
      }),
    ),
  )
  const connectMs = hostMs() - fromMs
  console.log(`  ${grouped(flags.connections)} connections in the room in ${ms(connectMs)}`)
  await sleep(SETTLE_MS)

  await run(senders, workers, flags, 1, WARM_UP_SECONDS)
  const processes = [
    ...platform.processes(),
    ...workers.map(({ pid }) => ({ name: 'listeners', pid })),
    { name: 'senders', pid: process.pid },
  ]
  const before = { usage: usageOf(processes), machineSec: machineCpuSec(), atMs: hostMs() }
  const measured = await run(senders, workers, flags, 2, flags.seconds)
  const seconds = (hostMs() - before.atMs) / 1_000
  const usage = usageBetween(before.usage, usageOf(processes))
  const ours = usage.reduce((sum, { cpuSec }) => sum + cpuSec, 0)
  return {
    at: new Date().toISOString(),
    machine: machine(),
    durability: process.env.LONGWIRE_KAFKA ? durabilityExternal : durabilityEmbedded,
    flags,
    connectMs,
    ...measured,
    deliveriesPerSec: measured.counts.shown / ((measured.counts.toMs - measured.counts.fromMs) / 1_000),
    usage,
    seconds,
    othersCores: Math.max(0, machineCpuSec() - before.machineSec - ours) / seconds,
  }
}

type Sender = Awaited<ReturnType<typeof connect>>

/** At a fixed rate, whatever comes back. */
async function run(
  senders: readonly Sender[],
  workers: readonly Child<Order, Answer>[],
  { rate, bytes }: RoomsFlags,
  id: number,
  seconds: number,
): Promise<Pick<Result, 'committed' | 'refused' | 'shown' | 'counts'>> {
  await Promise.all(workers.map((worker) => worker.ask({ do: 'listen', run: id })))
  const committedMs = createSamples()
  const open: Promise<void>[] = []
  let refused = 0
  let upTo = 0
  const fromMs = hostMs() + 50
  for (let n = 0; n < rate * seconds; n++) {
    const dueMs = fromMs + (n * 1_000) / rate
    await sleep(Math.max(0, dueMs - hostMs()))
    const text = `${id}:${n}:${dueMs.toFixed(3)}:`.padEnd(bytes, 'x')
    const sender = senders[n % senders.length] as Sender
    open.push(
      sender.send({ conversationId: `r:${ROOM}`, text }).then(
        ({ seq }) => {
          upTo = Math.max(upTo, seq)
          committedMs.add(hostMs() - dueMs)
        },
        () => {
          refused += 1
        },
      ),
    )
  }
  await Promise.all(open)
  const answers = await Promise.all(workers.map((worker) => worker.ask({ do: 'tell', upTo })))
  const parts = answers.flatMap((answer) => (answer.done === 'told' ? [answer.shown] : []))
  const sum = (of: (part: Shown) => number): number => parts.reduce((total, part) => total + of(part), 0)
  return {
    committed: committedMs.summary(),
    refused,
    shown: summarise(joined(parts.map(({ shownMs }) => shownMs))),
    counts: {
      listeners: sum((part) => part.listeners),
      shown: sum((part) => part.shown),
      skipped: sum((part) => part.skipped),
      frames: sum((part) => part.frames),
      wrong: sum((part) => part.wrong),
      closed: sum((part) => part.closed),
      fromMs: Math.min(...parts.map((part) => part.fromMs)),
      toMs: Math.max(...parts.map((part) => part.toMs)),
    },
  }
}

function print(result: Result): void {
  const { committed, counts, flags, shown, usage } = result
  console.log(`\n${'─'.repeat(100)}\n  ${result.machine}\n  durability: ${result.durability}`)
  console.log(`  ${flags.rate} messages/s of ${flags.bytes} bytes into one room for ${flags.seconds} s\n`)
  console.log(
    table(
      [
        'in the room',
        'deliveries/s',
        'frames',
        'shown p50',
        'p99',
        'max',
        'skipped',
        'wrong',
        'committed p50',
        'p99',
      ],
      [
        [
          ...[grouped(counts.listeners), grouped(result.deliveriesPerSec), grouped(counts.frames)],
          ...[ms(shown.p50Ms), ms(shown.p99Ms), ms(shown.maxMs), grouped(counts.skipped), counts.wrong],
          ...[ms(committed.p50Ms), ms(committed.p99Ms)],
        ],
      ],
    ),
  )
  const cores = (cpuSec: number): string => `${((cpuSec / result.seconds) * 100).toFixed(0)} %`
  const rows = usage.map(({ name, cpuSec, rssBytes }) => [name, cores(cpuSec), mb(rssBytes)])
  console.log(`\n${table(['process', 'of a core', 'RSS'], rows)}\n`)
  if (result.othersCores > 0.2)
    console.log(
      `  other processes of this machine took ${cores(result.othersCores * result.seconds)} of a core meanwhile\n`,
    )
}
