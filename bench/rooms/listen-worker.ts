/** A process of listeners in one room: counts what each is shown and told to be skipped, and how late. */
import { mintToken } from '../../gateway/tokens/mint.ts'
import { PROTOCOL_VERSION, SUBPROTOCOL_JSON } from '../../schemas/protocol.ts'
import { LeanSocket } from '../load/lean-socket.ts'
import { serve } from '../support/child.ts'
import { hostMs } from '../support/host-clock.ts'
import { createSamples } from '../support/samples.ts'
import type { Answer, Order, Shown } from './protocol.ts'

const TOKEN_TTL_SEC = 24 * 3600
const LOGIN_MS_MAX = 60_000
const STALL_MS_MAX = 10_000

interface Listener {
  /** Shown, or told to be skipped, up to here. */
  last: number
  closed: boolean
  close(): void
}

/** A frame as it came, and what stands in it: the same text comes to thousands. */
interface Read {
  readonly text: string
  readonly upTo: number
  readonly count: number
  readonly skipped: number
  readonly dueMs: readonly number[]
}

const listeners: Listener[] = []
let run = 0
let lastRead: Read | null = null
let counts = { shown: 0, skipped: 0, frames: 0, wrong: 0, fromMs: 0, toMs: 0 }
let samples = createSamples()

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

interface Incoming {
  readonly type: string
  readonly code?: string
  readonly headSeq: number
  readonly skipped: number
  readonly items: readonly { readonly seq: number; readonly content?: { readonly text?: string } }[]
}

/** Text is `<run>:<n>:<due at>:` and filling. */
function read(text: string): Read {
  if (lastRead?.text === text) return lastRead
  const { items, skipped } = JSON.parse(text) as Incoming
  const dueMs = items.flatMap(({ content }) => {
    const [id, , due] = (content?.text ?? '').split(':', 3).map(Number)
    return id === run && due !== undefined ? [due] : []
  })
  lastRead = { text, upTo: items.at(-1)?.seq ?? 0, count: items.length, skipped, dueMs }
  return lastRead
}

function shown(listener: Listener, text: string): void {
  const { upTo, count, skipped, dueMs } = read(text)
  if (upTo - listener.last !== count + skipped) counts.wrong += 1
  listener.last = upTo
  const now = hostMs()
  for (const due of dueMs) samples.add(now - due)
  if (dueMs.length === 0) return
  if (counts.fromMs === 0) counts.fromMs = now
  counts.toMs = now
  counts.frames += 1
  counts.shown += count
  counts.skipped += skipped
}

function open(order: Extract<Order, { do: 'connect' }>, token: string): Promise<Listener> {
  const { promise, resolve, reject } = Promise.withResolvers<Listener>()
  const socket = new LeanSocket(order.url, SUBPROTOCOL_JSON)
  const send = (frame: object): void => socket.send(JSON.stringify(frame) as never)
  const listener: Listener = { last: 0, closed: false, close: () => socket.close() }
  const timer = setTimeout(() => reject(new Error('not in the room in time')), LOGIN_MS_MAX)
  socket.onopen = () =>
    send({ type: 'login', token, deviceId: 'bench', deviceType: 'bench', protocol: PROTOCOL_VERSION })
  socket.onmessage = ({ data }) => {
    const text = String(data)
    if (text.startsWith('{"type":"roomItems"')) {
      shown(listener, text)
      return
    }
    const frame = JSON.parse(text) as Incoming
    if (frame.type === 'welcome') send({ type: 'joinRoom', id: 1, roomId: order.roomId, newest: 0 })
    else if (frame.type === 'roomResult') {
      clearTimeout(timer)
      listener.last = frame.headSeq
      resolve(listener)
    } else if (frame.type === 'bye' || frame.type === 'error') reject(new Error(`refused: ${frame.code}`))
  }
  socket.onclose = () => {
    listener.closed = true
    reject(new Error('closed before it was in the room'))
  }
  return promise
}

async function connect(order: Extract<Order, { do: 'connect' }>): Promise<number> {
  const fromMs = hostMs()
  let next = 0
  const connectSome = async (): Promise<void> => {
    for (let i = next++; i < order.count; i = next++) {
      const token = await mintToken(order.secret, `${order.prefix}${order.first + i}`, TOKEN_TTL_SEC)
      listeners.push(await open(order, token))
    }
  }
  await Promise.all(Array.from({ length: order.atOnce }, connectSome))
  return hostMs() - fromMs
}

async function tell(upTo: number): Promise<Shown> {
  let before = -1
  let movedMs = hostMs()
  const isDone = (): boolean => listeners.every(({ last, closed }) => closed || last >= upTo)
  while (!isDone() && hostMs() - movedMs < STALL_MS_MAX) {
    if (counts.frames !== before) movedMs = hostMs()
    before = counts.frames
    await sleep(20)
  }
  const missing = listeners.filter(({ last, closed }) => !closed && last < upTo).length
  return {
    ...counts,
    wrong: counts.wrong + missing,
    listeners: listeners.length,
    closed: listeners.filter(({ closed }) => closed).length,
    shownMs: samples.values(),
  }
}

async function obey(order: Order): Promise<Answer> {
  switch (order.do) {
    case 'connect':
      return { done: 'connected', ms: await connect(order) }
    case 'listen':
      run = order.run
      counts = { shown: 0, skipped: 0, frames: 0, wrong: 0, fromMs: 0, toMs: 0 }
      samples = createSamples()
      return { done: 'listening' }
    case 'tell':
      return { done: 'told', shown: await tell(order.upTo) }
    case 'close':
      for (const listener of listeners) listener.close()
      return { done: 'closed' }
  }
}

serve<Order, Answer>({ done: 'ready' }, obey)
