/**
 * A connection that only listens: logs in, acknowledges as the SDK does, keeps no store. Thousands of them fit into one process,
 * which leaves the machine to what is measured.
 */
import type { ClientFrame } from '../../schemas/frames.ts'
import { PROTOCOL_VERSION, SUBPROTOCOL_JSON } from '../../schemas/protocol.ts'
import { LeanSocket } from '../load/lean-socket.ts'

export interface Listener {
  readonly isOpen: boolean
  /** Sends the acknowledgements that wait. */
  ack(): void
  /** Any frame keeps a connection from counting as silent. */
  ping(): void
  /** Sends what it is told to, and waits for no answer. */
  say(frame: Partial<ClientFrame> & Pick<ClientFrame, 'type'>): void
  close(): void
}

const LOGIN_MS_MAX = 60_000

/** Resolves when logged in. `heard` gets the text of each message, `waits` is called when there is something to acknowledge. */
export function openListener(options: {
  readonly url: string
  readonly token: string
  readonly deviceId: string
  readonly heard: (text: string) => void
  readonly waits: (listener: Listener) => void
  /** A command was refused. */
  readonly refused?: (code: string) => void
}): Promise<Listener> {
  const { promise, resolve, reject } = Promise.withResolvers<Listener>()
  const socket = new LeanSocket(options.url, SUBPROTOCOL_JSON)
  const unacked = new Map<string, number>()
  const send = (frame: Partial<ClientFrame> & Pick<ClientFrame, 'type'>): void =>
    socket.send(JSON.stringify(frame) as never)
  let open = false
  const timer = setTimeout(() => {
    socket.close()
    reject(new Error('no welcome in time'))
  }, LOGIN_MS_MAX)

  const listener: Listener = {
    get isOpen() {
      return open
    },
    ack() {
      if (!open || unacked.size === 0) return
      send({ type: 'ack', acks: [...unacked].map(([conversationId, seq]) => ({ conversationId, seq })) })
      unacked.clear()
    },
    ping() {
      if (open) send({ type: 'ping', id: 1 })
    },
    say(frame) {
      if (open) send(frame)
    },
    close: () => socket.close(),
  }
  socket.onopen = () => {
    const { token, deviceId } = options
    send({ type: 'login', token, deviceId, deviceType: 'bench', protocol: PROTOCOL_VERSION })
  }
  socket.onmessage = ({ data }) => {
    const frame = JSON.parse(String(data)) as Incoming
    if (frame.type === 'event') {
      const { conversationId, seq, kind, content } = frame.item
      if (unacked.size === 0) options.waits(listener)
      unacked.set(conversationId, Math.max(seq, unacked.get(conversationId) ?? 0))
      if (kind === 'message') options.heard(content?.text ?? '')
    } else if (frame.type === 'welcome') {
      clearTimeout(timer)
      open = true
      resolve(listener)
    } else if (frame.type === 'rejected') options.refused?.(frame.code)
    else if (frame.type === 'bye' || frame.type === 'error') reject(new Error(`refused: ${frame.code}`))
  }
  socket.onclose = () => {
    open = false
    reject(new Error('closed before it was logged in'))
  }
  return promise
}

type Incoming =
  | {
      readonly type: 'event'
      readonly item: {
        readonly conversationId: string
        readonly seq: number
        readonly kind: string
        readonly content?: { readonly text?: string }
      }
    }
  | { readonly type: 'welcome' }
  | { readonly type: 'bye' | 'error' | 'rejected'; readonly code: string }
