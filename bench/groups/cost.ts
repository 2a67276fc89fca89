/** What one message in a group costs: processor time by role, records and calls at the stores, lateness at the listeners. */
import type { Client } from '../../client/index.ts'
import { limits } from '../../schemas/limits.ts'
import type { Child } from '../support/child.ts'
import { hostMs } from '../support/host-clock.ts'
import type { Platform } from '../support/platform.ts'
import { machineCpuSec, type Usage, usageBetween, usageOf } from '../support/processes.ts'
import { createSamples, type Summary, summarise } from '../support/samples.ts'
import type { Answer, Heard, Order } from './protocol.ts'
import { type Stores, type Written, writtenBetween } from './stores.ts'

export type Counts = Readonly<Record<string, number>>

export interface Cost {
  readonly members: number
  readonly online: number
  readonly messages: number
  readonly perSec: number
  readonly committed: Summary
  readonly received: Summary
  readonly counts: Omit<Heard, 'receivedMs'> & { readonly refused: number }
  /** Ms of processor time per message by role, without what the role takes when nothing is sent. */
  readonly cpuMs: Counts
  /** Per message, without what is written when nothing is sent. Null: the stores' addresses are not known. */
  readonly kafka: Counts | null
  readonly redisWrites: Counts | null
  readonly redisCalls: number | null
  /** Cores that whatever else runs on this machine took meanwhile. */
  readonly othersCores: number
}

export interface Scene {
  readonly platform: Platform
  readonly stores: Stores | null
  readonly listeners: Child<Order, Answer>
  readonly sender: Client
  readonly textBytes: number
}

export interface Sending {
  readonly conversationId: string
  readonly members: number
  readonly online: number
  readonly messages: number
  readonly perSec: number
}

interface Look {
  readonly atMs: number
  readonly usage: Usage[]
  readonly machineSec: number
  readonly written: Written | null
}

const BEAT_MS = limits.onlineRefreshMs
let runs = 0
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

export async function costOf(scene: Scene, sending: Sending): Promise<Cost> {
  const { members, online, messages, perSec } = sending
  const processes = [...scene.platform.processes(), { name: 'listeners', pid: scene.listeners.pid }]
  const look = async (): Promise<Look> => ({
    written: (await scene.stores?.look()) ?? null,
    usage: usageOf(processes),
    machineSec: machineCpuSec(),
    atMs: hostMs(),
  })
  const quiet = await look()
  await sleep(BEAT_MS)
  const before = await look()
  const committedMs = createSamples()
  const { refused } = await send(scene, sending, (ms) => committedMs.add(ms))
  const answer = await scene.listeners.ask({ do: 'tell' })
  if (answer.done !== 'heard') throw new Error('the listeners said something else')
  // What gateways rewrite now and then falls into both looks in proportion.
  await sleep(BEAT_MS - ((hostMs() - before.atMs) % BEAT_MS))
  const after = await look()

  // What is used in quiet grows with time, not with messages.
  const scale = (after.atMs - before.atMs) / (before.atMs - quiet.atMs)
  const perMessage = (sent: number, idle: number): number => Math.max(0, sent - idle * scale) / messages
  const idle = new Map(usageBetween(quiet.usage, before.usage).map(({ name, cpuSec }) => [name, cpuSec]))
  const used = usageBetween(before.usage, after.usage)
  const cpuMs = Object.fromEntries(
    used.map(({ name, cpuSec }) => [name, perMessage(cpuSec, idle.get(name) ?? 0) * 1_000]),
  )
  const ours = used.reduce((sum, { cpuSec }) => sum + cpuSec, 0)
  const othersCores =
    Math.max(0, after.machineSec - before.machineSec - ours) / ((after.atMs - before.atMs) / 1_000)
  const { receivedMs, ...counts } = answer.heard
  const summaries = { committed: committedMs.summary(), received: summarise(receivedMs) }
  const about = { members, online, messages, perSec, ...summaries, othersCores }
  const all = { ...about, cpuMs, counts: { ...counts, refused } }
  if (!quiet.written || !before.written || !after.written)
    return { ...all, kafka: null, redisWrites: null, redisCalls: null }
  const background = writtenBetween(quiet.written, before.written)
  const written = writtenBetween(before.written, after.written)
  const each = (what: ReadonlyMap<string, number>, inQuiet: ReadonlyMap<string, number>) =>
    Object.fromEntries([...what].map(([name, n]) => [name, perMessage(n, inQuiet.get(name) ?? 0)]))
  return {
    ...all,
    kafka: each(written.kafka, background.kafka),
    redisWrites: each(written.redisWrites, background.redisWrites),
    redisCalls: perMessage(written.redisCalls, background.redisCalls),
  }
}

/** At a fixed rate, whatever comes back. */
async function send(
  { listeners, sender, textBytes }: Scene,
  { conversationId, online, messages, perSec }: Sending,
  committed: (ms: number) => void,
): Promise<{ refused: number }> {
  const run = ++runs
  await listeners.ask({ do: 'listen', run, listeners: online, messages })
  const filling = 'x'.repeat(textBytes)
  const fromMs = hostMs() + 50
  const open: Promise<void>[] = []
  let refused = 0
  for (let n = 0; n < messages; n++) {
    const dueMs = fromMs + (n * 1_000) / perSec
    await sleep(Math.max(0, dueMs - hostMs()))
    const text = `${run}:${n}:${dueMs.toFixed(3)}:${filling}`.slice(0, textBytes)
    open.push(
      sender.send({ conversationId, text }).then(
        () => committed(hostMs() - dueMs),
        () => {
          refused += 1
        },
      ),
    )
  }
  await Promise.all(open)
  return { refused }
}
