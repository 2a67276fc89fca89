/** A load process: takes orders over IPC, sends at a fixed rate whatever comes back, and counts. */
import type { Client, Message } from '../../client/index.ts'
import { serve } from '../support/child.ts'
import { connectPairs, type Member } from './clients.ts'
import type { Answer, Order, RunTally } from './protocol.ts'
import { createTally, type Tally } from './tally.ts'

const TICK_MS = 1
const STALL_MS_MAX = 15_000

interface Run {
  readonly id: number
  readonly tally: Tally
  readonly dueAt: (n: number) => number
}

let members: Member[] = []
let current: Run | null = null

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const sumOf = (of: (client: Client) => number): number =>
  members.reduce((sum, { client }) => sum + of(client), 0)

/** Text is `<run>:<n>:` and filling. */
function heard(index: number, message: Message): void {
  const now = performance.now()
  const text = message.content?.text
  if (!current || text === undefined) return
  const colon = text.indexOf(':')
  if (Number(text.slice(0, colon)) !== current.id) return
  const n = Number(text.slice(colon + 1, text.indexOf(':', colon + 1)))
  current.tally.received(index, n, now - current.dueAt(n))
}

async function run(order: Extract<Order, { do: 'run' }>): Promise<RunTally> {
  const due = Math.floor(order.perSec * order.seconds)
  const tally = createTally(due, members.length)
  const fromMs = performance.now() + 50
  const dueAt = (n: number): number => fromMs + (n * 1_000) / order.perSec
  current = { id: order.run, tally, dueAt }
  const resendsBefore = sumOf((client) => client.stats().resends)
  const reconnectsBefore = sumOf((client) => client.stats().reconnects)
  const filling = 'x'.repeat(order.textBytes)

  const send = (n: number, now: number): void => {
    // Neighbours in time are never one pair: an odd step walks over all clients.
    const { client, peerId } = members[(n * 7) % members.length] as Member
    tally.sent(n, now - dueAt(n))
    client.send({ to: peerId, text: `${order.run}:${n}:${filling}`.slice(0, order.textBytes) }).then(
      () => tally.committed(n, performance.now() - dueAt(n)),
      () => tally.refused(n),
    )
  }
  for (let n = 0; n < due; await sleep(TICK_MS)) {
    for (let now = performance.now(); n < due && dueAt(n) <= now; n++) send(n, now)
  }
  await drained(tally, order.drainMsMax)
  const result = tally.result({
    resends: sumOf((client) => client.stats().resends) - resendsBefore,
    reconnects: sumOf((client) => client.stats().reconnects) - reconnectsBefore,
  })
  current = null
  return result
}

async function drained(tally: Tally, drainMsMax: number): Promise<void> {
  const until = performance.now() + drainMsMax
  let before = -1
  let movedMs = performance.now()
  while (!tally.isSettled() && performance.now() < until) {
    if (tally.progress() !== before) {
      before = tally.progress()
      movedMs = performance.now()
    }
    if (performance.now() - movedMs > STALL_MS_MAX) return
    await sleep(10)
  }
  // For what comes twice.
  await sleep(300)
}

async function obey(order: Order): Promise<Answer> {
  if (order.do === 'connect') {
    const fromMs = performance.now()
    const before = members.length
    const added = await connectPairs(order, (index, message) => heard(before + index, message))
    members = [...members, ...added]
    return { done: 'connected', count: added.length, ms: performance.now() - fromMs }
  }
  if (order.do === 'run') return { done: 'run', tally: await run(order) }
  await Promise.all(members.map(({ client }) => client.close({ deadlineMs: 1_000 })))
  members = []
  return { done: 'closed' }
}

serve<Order, Answer>({ done: 'ready' }, obey)
