/**
 * Polling by itself where WebSockets get nothing through, and back. A WebSocket that fails says little: the server may be down.
 * Only where polling at the same place would be answered meanwhile is it the WebSocket that is in the way.
 */
import type { Clock } from '../schemas/ports.ts'
import { type Fetch, plainRequest } from './polling.ts'
import type { OpenTransport, Transport } from './transport.ts'
import type { Way, Ways } from './transports.ts'

/** Attempts in a row without one frame. */
const MISSES_MAX = 2
const PROBE_AFTER_MS = 60_000
const PROBE_AFTER_MS_MAX = 600_000
/** For a frame to come through. */
const PROBE_MS_MAX = 8_000

export interface FallbackDeps {
  readonly webSocket: Way
  readonly polling: Way
  readonly fetch: Fetch
  readonly clock: Clock
}

/** `ws://host/a/ws` is polled at `http://host/a/poll`. */
export function pollAddress(address: string): string {
  const url = new URL(address)
  url.protocol = url.protocol === 'wss:' ? 'https:' : 'http:'
  url.pathname = url.pathname.replace(/[^/]*$/, 'poll')
  url.search = url.hash = ''
  return url.href
}

export function withFallback({ webSocket, polling, fetch, clock }: FallbackDeps): Ways {
  let misses = 0
  let probeAfterMs = PROBE_AFTER_MS

  /** Polls are answered there: without a session or a login by 401. */
  async function isPolled(address: string): Promise<boolean> {
    try {
      const answer = await fetch(pollAddress(address), {
        ...plainRequest,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{}',
      })
      return answer.status === 401
    } catch {
      return false
    }
  }

  async function missed(address: string): Promise<void> {
    if (await isPolled(address)) misses += 1
  }

  const openSocket: OpenTransport = (address, subprotocol, handlers) => {
    let settled = false
    const fails = (): void => {
      if (settled) return
      settled = true
      void missed(address)
    }
    const opened = webSocket.open(address, subprotocol, {
      open: handlers.open,
      data(data) {
        settled = true
        misses = 0
        probeAfterMs = PROBE_AFTER_MS
        handlers.data(data)
      },
      closed(reason) {
        fails()
        handlers.closed(reason)
      },
    })
    return {
      send: opened.send,
      close() {
        fails()
        opened.close()
      },
    }
  }

  /** Whether a frame comes through a WebSocket: a ping before the login is answered by a bye. Returns a function that gives up. */
  function probe(address: string, through: () => void, failed: () => void): () => void {
    const { codec } = webSocket
    let settled = false
    let socket: Transport | null = null
    const settle = (then: () => void): void => {
      if (settled) return
      settled = true
      cancel()
      socket?.close()
      then()
    }
    const cancel = clock.after(PROBE_MS_MAX, () => settle(failed))
    const opened = webSocket.open(address, codec.subprotocol, {
      open: () => void opened.send(codec.encode({ type: 'ping', id: 0 })),
      data: () => settle(through),
      closed: () => settle(failed),
    })
    socket = opened
    return () => settle(() => {})
  }

  const openPolling: OpenTransport = (address, subprotocol, handlers) => {
    let heard = false
    let cancel = (): void => {}
    const opened = polling.open(pollAddress(address), subprotocol, {
      open: handlers.open,
      data(data) {
        if (!heard) plan()
        heard = true
        handlers.data(data)
      },
      closed(reason) {
        cancel()
        // It was not the WebSocket alone.
        if (!heard) misses = MISSES_MAX - 1
        handlers.closed(reason)
      },
    })

    function plan(): void {
      cancel = clock.after(probeAfterMs, () => {
        probeAfterMs = Math.min(PROBE_AFTER_MS_MAX, 2 * probeAfterMs)
        cancel = probe(address, back, plan)
      })
    }

    function back(): void {
      misses = MISSES_MAX - 1
      opened.close()
      handlers.closed('a WebSocket gets through')
    }

    return {
      send: opened.send,
      close() {
        cancel()
        opened.close()
      },
    }
  }

  return () =>
    misses < MISSES_MAX
      ? { open: openSocket, codec: webSocket.codec }
      : { open: openPolling, codec: polling.codec }
}
