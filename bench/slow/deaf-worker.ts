/** A process of clients that log in and then read nothing. */
import { mintToken } from '../../gateway/tokens/mint.ts'
import { PROTOCOL_VERSION, SUBPROTOCOL_JSON } from '../../schemas/protocol.ts'
import { LeanSocket } from '../load/lean-socket.ts'
import { serve } from '../support/child.ts'
import type { Answer, Order } from './protocol.ts'

const TOKEN_TTL_SEC = 24 * 3600
const LOGIN_MS_MAX = 60_000

type Deaf = InstanceType<typeof LeanSocket> & { pause(): void }
const sockets: Deaf[] = []

function open(url: string, token: string): Promise<Deaf> {
  const { promise, resolve, reject } = Promise.withResolvers<Deaf>()
  const socket = new LeanSocket(url, SUBPROTOCOL_JSON) as Deaf
  const timer = setTimeout(() => reject(new Error('no welcome in time')), LOGIN_MS_MAX)
  const login = { type: 'login', token, deviceId: 'deaf', deviceType: 'bench', protocol: PROTOCOL_VERSION }
  socket.onopen = () => socket.send(JSON.stringify(login) as never)
  socket.onmessage = ({ data }) => {
    if (!String(data).startsWith('{"type":"welcome"')) return
    clearTimeout(timer)
    resolve(socket)
  }
  socket.onclose = () => reject(new Error('closed before it was logged in'))
  return promise
}

async function connect(order: Extract<Order, { do: 'connect' }>): Promise<number> {
  const fromMs = performance.now()
  let next = 0
  const connectSome = async (): Promise<void> => {
    for (let i = next++; i < order.count; i = next++)
      sockets.push(await open(order.url, await mintToken(order.secret, `${order.prefix}${i}`, TOKEN_TTL_SEC)))
  }
  await Promise.all(Array.from({ length: order.atOnce }, connectSome))
  return performance.now() - fromMs
}

async function obey(order: Order): Promise<Answer> {
  switch (order.do) {
    case 'connect':
      return { done: 'connected', ms: await connect(order) }
    case 'stop-reading':
      for (const socket of sockets) socket.pause()
      return { done: 'silent' }
    case 'close':
      return { done: 'closed' }
  }
}

serve<Order, Answer>({ done: 'ready' }, obey)
