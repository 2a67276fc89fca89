/** A crowd of clients of the SDK in one process, whose connections can be cut all at once. */
import { type Client, connect } from '../../client/index.ts'
import { mintToken } from '../../gateway/tokens/mint.ts'
import { LeanSocket } from '../load/lean-socket.ts'
import { serve } from '../support/child.ts'
import { createSamples } from '../support/samples.ts'
import type { Answer, Back, Order } from './protocol.ts'

const TOKEN_TTL_SEC = 24 * 3600
const CONNECT_MS_MAX = 120_000

interface Cut {
  close(): void
}

const clients: Client[] = []
/** Sockets by client, the newest of each. */
const sockets = new Map<number, Cut>()
let droppedAt = 0
let backMs = createSamples()
const away = new Set<number>()
const counts = { tries: 0, turnedAway: 0 }

/** The newest socket of a client is remembered, so that it can be cut. */
const socketOf = (index: number) =>
  function (this: unknown, address: string, protocol: string) {
    const Lean = LeanSocket as unknown as new (address: string, protocol: string) => Cut
    const socket = new Lean(address, protocol)
    sockets.set(index, socket)
    return socket
  } as unknown as typeof LeanSocket

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function connectAll(order: Extract<Order, { do: 'connect' }>): Promise<number> {
  const fromMs = performance.now()
  let next = 0
  const connectSome = async (): Promise<void> => {
    for (let i = next++; i < order.count; i = next++) {
      const index = i
      clients[index] = await connect({
        url: order.url,
        token: await mintToken(order.secret, `${order.prefix}${index}`, TOKEN_TTL_SEC),
        deviceId: 'crowd',
        WebSocket: socketOf(index),
        connectTimeoutMs: CONNECT_MS_MAX,
        on: {
          state({ state, code }) {
            if (state === 'connecting') counts.tries += 1
            if (code === 'overloaded') counts.turnedAway += 1
            if (state === 'online' && away.delete(index)) backMs.add(performance.now() - droppedAt)
          },
        },
      })
    }
  }
  await Promise.all(Array.from({ length: order.atOnce }, connectSome))
  return performance.now() - fromMs
}

async function drop(waitMsMax: number): Promise<Back> {
  backMs = createSamples()
  Object.assign(counts, { tries: 0, turnedAway: 0 })
  for (const index of clients.keys()) away.add(index)
  droppedAt = performance.now()
  for (const socket of [...sockets.values()]) socket.close()
  while (away.size > 0 && performance.now() - droppedAt < waitMsMax) await sleep(20)
  return { ...counts, count: clients.length, missing: away.size, backMs: backMs.values() }
}

async function obey(order: Order): Promise<Answer> {
  switch (order.do) {
    case 'connect':
      return { done: 'connected', ms: await connectAll(order) }
    case 'drop':
      return { done: 'back', back: await drop(order.waitMsMax) }
    case 'close':
      await Promise.all(clients.map((client) => client.close({ deadlineMs: 100 })))
      return { done: 'closed' }
  }
}

serve<Order, Answer>({ done: 'ready' }, obey)
