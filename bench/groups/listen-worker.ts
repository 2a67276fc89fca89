/** The process of listeners: counts who got which message, once and in order, and how late. */
import { mintToken } from '../../gateway/tokens/mint.ts'
import { serve } from '../support/child.ts'
import { hostMs } from '../support/host-clock.ts'
import { createSamples, type Samples } from '../support/samples.ts'
import { type Listener, openListener } from './listener.ts'
import type { Answer, Heard, Order } from './protocol.ts'

const TOKEN_TTL_SEC = 24 * 3600
/** As the SDK coalesces them. */
const ACK_EVERY_MS = 250
const STALL_MS_MAX = 10_000

interface Run {
  readonly id: number
  readonly listeners: number
  readonly messages: number
  /** Per (listener, message): how often. */
  readonly got: Uint8Array
  readonly last: Int32Array
  readonly samples: Samples
  received: number
  doubled: number
  outOfOrder: number
}

const listeners: Listener[] = []
const waiting = new Set<Listener>()
let run: Run | null = null

setInterval(() => {
  for (const listener of waiting) listener.ack()
  waiting.clear()
}, ACK_EVERY_MS).unref()

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Text is `<run>:<n>:<due at>:` and filling. */
function heard(index: number, text: string): void {
  const now = hostMs()
  const [id, n, due] = text.split(':', 3).map(Number)
  if (run === null || id !== run.id || n === undefined || due === undefined || index >= run.listeners) return
  const cell = index * run.messages + n
  run.got[cell] = Math.min(255, (run.got[cell] ?? 0) + 1)
  if ((run.got[cell] ?? 0) > 1) {
    run.doubled += 1
    return
  }
  run.received += 1
  if (n < (run.last[index] ?? 0)) run.outOfOrder += 1
  run.last[index] = n
  run.samples.add(now - due)
}

async function connect(order: Extract<Order, { do: 'connect' }>): Promise<number> {
  const fromMs = hostMs()
  const before = listeners.length
  let next = 0
  const connectSome = async (): Promise<void> => {
    for (let i = next++; i < order.count; i = next++) {
      const index = before + i
      const user = `${order.prefix}${order.first + i}`
      listeners[index] = await openListener({
        url: order.url,
        token: await mintToken(order.secret, user, TOKEN_TTL_SEC),
        deviceId: 'listener',
        heard: (text) => heard(index, text),
        waits: (listener) => waiting.add(listener),
      })
    }
  }
  await Promise.all(Array.from({ length: order.atOnce }, connectSome))
  return hostMs() - fromMs
}

async function tell(): Promise<Heard> {
  const counted = run as Run
  const all = counted.listeners * counted.messages
  let before = -1
  let movedMs = hostMs()
  while (counted.received < all && hostMs() - movedMs < STALL_MS_MAX) {
    if (counted.received !== before) movedMs = hostMs()
    before = counted.received
    await sleep(20)
  }
  // For what comes twice.
  await sleep(300)
  const { received, doubled, outOfOrder, samples } = counted
  const closed = listeners.filter((listener) => !listener.isOpen).length
  run = null
  return {
    ...{ received, doubled, outOfOrder, closed, missing: all - received },
    receivedMs: samples.values(),
  }
}

async function obey(order: Order): Promise<Answer> {
  switch (order.do) {
    case 'connect':
      return { done: 'connected', ms: await connect(order) }
    case 'listen': {
      const { run: id, listeners: count, messages } = order
      for (const listener of listeners) listener.ping()
      run = {
        ...{ id, messages, listeners: count },
        got: new Uint8Array(count * messages),
        last: new Int32Array(count),
        samples: createSamples(),
        ...{ received: 0, doubled: 0, outOfOrder: 0 },
      }
      return { done: 'listening' }
    }
    case 'tell':
      return { done: 'heard', heard: await tell() }
    case 'close':
      for (const listener of listeners) listener.close()
      return { done: 'closed' }
  }
}

serve<Order, Answer>({ done: 'ready' }, obey)
