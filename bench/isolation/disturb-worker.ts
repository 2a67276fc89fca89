/** The process that disturbs: others' traffic, at a rate of its own, on connections of its own. */
import { randomBytes } from 'node:crypto'
import { connect as connectTcp, type Socket } from 'node:net'
import { constants, setPriority } from 'node:os'
import { type Client, connect } from '../../client/index.ts'
import { packIds } from '../../client/pack-id.ts'
import { mintToken } from '../../gateway/tokens/mint.ts'
import { type Listener, openListener } from '../groups/listener.ts'
import { LeanSocket } from '../load/lean-socket.ts'
import { serve } from '../support/child.ts'
import type { Answer, Disturbance, Order } from './protocol.ts'

const TOKEN_TTL_SEC = 24 * 3600
const SENDERS = 20
const AT_ONCE = 25
const ACK_MS = 250
const MEMBERS_PER_COMMAND = 500
const TEXT = 'x'.repeat(200)
/** Another one than that of the connections that are measured: limits hold for each. */
const SILENT_ADDRESS = '127.0.0.2'

type Prepare = Extract<Order, { do: 'prepare' }>
let given: Prepare | null = null
const clients: Client[] = []
const listeners: Listener[] = []
const waiting = new Set<Listener>()
let group = ''
let everyone = ''
const silent = new Set<Socket>()
const ids = packIds((bytes) => randomBytes(bytes))
let hammer: Listener | null = null
let heard = 0
let turnedDown = 0

setInterval(() => {
  for (const listener of waiting) listener.ack()
  waiting.clear()
}, ACK_MS).unref()

const token = (user: string): Promise<string> => {
  if (!given) throw new Error('not prepared')
  return mintToken(given.secret, user, TOKEN_TTL_SEC)
}
const listen = async (user: string, deviceId: string): Promise<Listener> =>
  openListener({
    ...{ url: given?.url ?? '', token: await token(user), deviceId },
    heard: () => {
      heard += 1
    },
    waits: (listener) => void waiting.add(listener),
    refused: () => void turnedDown++,
  })

async function inTurns(count: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0
  const some = async () => {
    for (let i = next++; i < count; i = next++) await work(i)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, some))
}

async function prepare(order: Prepare): Promise<void> {
  given = order
  const { prefix, url } = order
  const member = (i: number) => `${prefix}m${i}`
  const one = (i: number) => `${prefix}e${i}`
  for (let i = 0; i < SENDERS; i++)
    clients.push(await connect({ url, token: await token(member(i)), WebSocket: LeanSocket }))
  const [owner] = clients
  if (!owner) throw new Error('no sender')
  group = await made(
    owner,
    'flood',
    Array.from({ length: order.members }, (_, i) => member(i)),
  )
  everyone = await made(
    owner,
    'everyone',
    Array.from({ length: order.everyone }, (_, i) => one(i)),
  )
  await inTurns(order.members - SENDERS, async (i) => {
    listeners.push(await listen(member(SENDERS + i), 'd'))
  })
  await inTurns(order.everyone, async (i) => {
    listeners.push(await listen(one(i), 'd'))
  })
}

async function made(owner: Client, name: string, members: readonly string[]): Promise<string> {
  const { conversationId } = await owner.createGroup({ name, members: [] })
  const others = members.filter((user) => user !== owner.userId)
  for (let at = 0; at < others.length; at += MEMBERS_PER_COMMAND)
    await owner.addMembers(conversationId, others.slice(at, at + MEMBERS_PER_COMMAND))
  return conversationId
}

async function disturb({ what, perSec, seconds }: Extract<Order, { do: 'disturb' }>) {
  const fromMs = performance.now()
  const due = Math.floor(perSec * seconds)
  const before = heard
  const open: Promise<void>[] = []
  let did = 0
  let refused = 0
  turnedDown = 0
  for (let n = 0; n < due; n++) {
    const waitMs = fromMs + (n * 1_000) / perSec - performance.now()
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
    open.push(
      act(what, n).then(
        () => void did++,
        () => void refused++,
      ),
    )
  }
  await Promise.all(open)
  for (const socket of silent) socket.destroy()
  silent.clear()
  return { done: 'disturbed', did, refused: refused + turnedDown, heard: heard - before } as const
}

async function act(what: Disturbance, n: number): Promise<void> {
  if (what === 'logins') {
    const listener = await listen(`${given?.prefix ?? ''}l${n}`, 'd')
    listener.ping()
    listener.close()
    return
  }
  if (what === 'silent') {
    const { hostname, port } = new URL(given?.url ?? '')
    const socket = connectTcp({ host: hostname, port: Number(port), localAddress: SILENT_ADDRESS })
    socket.on('error', () => {})
    socket.once('close', () => silent.delete(socket))
    silent.add(socket)
    return
  }
  if (what === 'hammer') {
    const to = `${given?.prefix ?? ''}m1`
    hammer ??= await listen(`${given?.prefix ?? ''}h`, 'd')
    const packId = ids.next(Date.now())
    hammer.say({ type: 'send', packId, to, contentType: 'text', content: { text: TEXT } } as never)
    return
  }
  const sender = what === 'flood' ? clients[n % clients.length] : clients[0]
  await sender?.send({ conversationId: what === 'flood' ? group : everyone, text: TEXT })
}

async function obey(order: Order): Promise<Answer> {
  if (order.do === 'prepare') {
    await prepare(order)
    return { done: 'prepared' }
  }
  if (order.do === 'disturb') return disturb(order)
  await Promise.all(clients.map((client) => client.close({ deadlineMs: 1_000 })))
  for (const listener of listeners) listener.close()
  return { done: 'closed' }
}

// These stand for clients on machines of their own: they must not take the processor from the platform.
setPriority(constants.priority.PRIORITY_BELOW_NORMAL)
serve<Order, Answer>({ done: 'ready' }, obey)
