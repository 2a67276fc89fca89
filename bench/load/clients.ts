/** The connections of one load process, in pairs that talk to each other. */
import { type Client, connect, type Message } from '../../client/index.ts'
import { mintToken } from '../../gateway/tokens/mint.ts'
import { LeanSocket } from './lean-socket.ts'
import type { Order } from './protocol.ts'

export interface Member {
  readonly client: Client
  readonly peerId: string
}

const TOKEN_TTL_SEC = 24 * 3600
const CONNECT_MS_MAX = 120_000

/** `heard` gets what others sent, by the index of the client that got it. */
export async function connectPairs(
  order: Extract<Order, { do: 'connect' }>,
  heard: (index: number, message: Message) => void,
): Promise<Member[]> {
  const members = new Array<Member>(order.count)
  const userId = (index: number): string => `${order.prefix}-${order.first + index}`
  let next = 0
  const connectSome = async (): Promise<void> => {
    for (let index = next++; index < order.count; index = next++) {
      const mine = userId(index)
      const client = await connect({
        url: order.url,
        token: await mintToken(order.secret, mine, TOKEN_TTL_SEC),
        codec: order.codec,
        WebSocket: LeanSocket,
        connectTimeoutMs: CONNECT_MS_MAX,
        on: {
          message(message) {
            if (message.senderId !== mine) heard(index, message)
          },
        },
      })
      members[index] = { client, peerId: userId(index ^ 1) }
    }
  }
  await Promise.all(Array.from({ length: order.atOnce }, connectSome))
  return members
}
