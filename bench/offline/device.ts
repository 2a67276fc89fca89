/** A device that logs in, and all that is sent to it until nothing more comes. */
import { connect, type Message, type Store } from '../../client/index.ts'

export interface Login {
  readonly onlineMs: number
  /** Until the newest page of the conversation was there to be shown. */
  readonly newestPageMs: number
  readonly frames: number
  /** Of the messages on the socket, before what frames and TCP add. */
  readonly bytes: number
  readonly unread: number
  readonly newestText: string
  /** Messages that the client told of by itself. */
  readonly told: number
}

export interface DeviceOptions {
  readonly url: string
  readonly token: string
  readonly conversationId: string
  /** Of a device that was here before; without it the device is new. */
  readonly store?: Store
}

const QUIET_MS = 4_000
const QUIET_MS_MAX = 60_000

/** Waits until nothing has come for four seconds: the client asks for heads once more some two seconds after it connected. */
export async function logIn({ url, token, conversationId, store }: DeviceOptions): Promise<Login> {
  const counted = countingSocket()
  const startedMs = performance.now()
  let told = 0
  const client = await connect({
    ...{ url, token, deviceId: store ? 'returning' : 'new', WebSocket: counted.Socket },
    ...(store ? { store } : {}),
    on: { message: () => void told++ },
  })
  const onlineMs = performance.now() - startedMs
  try {
    const overview = await client.overview()
    const page = overview.pages.get(conversationId) ?? (await client.history(conversationId))
    const newestPageMs = performance.now() - startedMs
    await counted.quiet()
    const entry = overview.conversations.find((one) => one.conversationId === conversationId)
    const { frames, bytes } = counted
    const newestText = textOf(page.messages.at(-1))
    return { onlineMs, newestPageMs, frames, bytes, unread: entry?.unread ?? 0, newestText, told }
  } finally {
    await client.close({ deadlineMs: 2_000 })
  }
}

const textOf = (message: Message | undefined): string => message?.content?.text ?? ''

function countingSocket() {
  const counts = { frames: 0, bytes: 0, lastMs: performance.now() }
  const Socket = new Proxy(WebSocket, {
    construct(Real, [url, protocol]: [string, string]) {
      const socket = new Real(url, protocol)
      socket.addEventListener('message', ({ data }: { data: unknown }) => {
        counts.frames++
        counts.bytes += typeof data === 'string' ? Buffer.byteLength(data) : (data as ArrayBuffer).byteLength
        counts.lastMs = performance.now()
      })
      return socket
    },
  })
  return {
    Socket,
    get frames() {
      return counts.frames
    },
    get bytes() {
      return counts.bytes
    },
    async quiet(): Promise<void> {
      const deadlineMs = performance.now() + QUIET_MS_MAX
      while (performance.now() - counts.lastMs < QUIET_MS && performance.now() < deadlineMs)
        await new Promise((resolve) => setTimeout(resolve, 100))
    },
  }
}
