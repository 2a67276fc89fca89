/**
 * The frames by HTTP, for where no WebSocket gets through: one request that hangs until there is news, and beside it one
 * that hands frames over, so that both directions keep their order. What an answer lost is asked for again by its position.
 */
import type { Clock } from '../schemas/ports.ts'
import { jitteredMs } from './backoff.ts'
import type { OpenTransport, Transport } from './transport.ts'

export type Fetch = (
  url: string,
  init: {
    method: string
    headers: Record<string, string>
    body?: string
    credentials: 'omit'
    cache: 'no-store'
    redirect: 'error'
    referrerPolicy: 'strict-origin'
    keepalive?: boolean
    signal?: AbortSignal
  },
) => Promise<{ readonly status: number; json(): Promise<unknown> }>

export interface PollingDeps {
  readonly fetch: Fetch
  readonly clock: Clock
  readonly random: () => number
}

export const SESSION_HEADER = 'x-longwire-session'
const WAIT_MS = 30_000
const TRIES_MAX = 4
const RETRY_BASE_MS = 200
const RETRY_CAP_MS = 2_000
const FRAMES_MAX = 256
/** Of one request, in UTF-16 units: at three bytes each the server takes as many. */
const CHARS_MAX = 80_000

interface Answer {
  readonly session?: string
  readonly cursor?: number
  readonly frames?: readonly unknown[]
  readonly ended?: string
  readonly retryAfterMs?: number
}

export const plainRequest = {
  credentials: 'omit',
  cache: 'no-store',
  redirect: 'error',
  // A page that sends no referrer would be nobody's: browsers then write `null` for its origin.
  referrerPolicy: 'strict-origin',
} as const

/** A proxy that has lost its server, or a server that asks for patience: worth asking again. */
const isPassing = (status: number): boolean => status === 408 || status === 429 || status >= 500

export function pollingTransport({ fetch, clock, random }: PollingDeps): OpenTransport {
  return (address, _subprotocol, handlers): Transport => {
    const abort = new AbortController()
    let session: string | null = null
    let opening = false
    /** Position in what the server sends, and number of frames it has surely taken. */
    let cursor = 0
    let sent = 0
    let waiting: string[] = []
    let pumping = false
    let over = false
    let closing = false

    function end(reason: string): void {
      if (over) return
      over = true
      abort.abort()
      if (!closing) handlers.closed(reason)
    }

    const sleep = (ms: number): Promise<void> => new Promise((resolve) => void clock.after(ms, resolve))

    /** Null: there is no session any more, or nobody answers. */
    async function post(body: string, tries: number, signal?: AbortSignal): Promise<Answer | null> {
      const headers: Record<string, string> = { 'content-type': 'application/json' }
      if (session !== null) headers[SESSION_HEADER] = session
      for (let attempt = 1; !over; attempt++) {
        let retryAfterMs = 0
        try {
          const response = await fetch(address, { ...plainRequest, method: 'POST', headers, body, signal })
          if (response.status === 200) return (await response.json()) as Answer
          if (!isPassing(response.status)) break
          if (response.status === 429) retryAfterMs = ((await response.json()) as Answer).retryAfterMs ?? 0
        } catch {
          // The network, or an answer cut short.
        }
        if (over || attempt >= tries) break
        await sleep(retryAfterMs + 20 + jitteredMs(attempt, RETRY_BASE_MS, RETRY_CAP_MS, random))
      }
      end('failed')
      return null
    }

    function take(answer: Answer): void {
      const frames = answer.frames ?? []
      const to = answer.cursor ?? cursor + frames.length
      // An answer that was asked for again may begin with what has come.
      const known = Math.max(0, cursor - (to - frames.length))
      cursor = Math.max(cursor, to)
      for (const frame of frames.slice(known)) {
        if (over || closing) return
        handlers.data(JSON.stringify(frame))
      }
      if (answer.ended !== undefined) end(answer.ended)
    }

    async function open(login: string): Promise<void> {
      opening = true
      // Asked again it would open a second session.
      const answer = await post(`{"frames":[${login}]}`, 1)
      if (!answer) return
      session = answer.session ?? null
      sent = 1
      if (closing) {
        leave()
        return
      }
      take(answer)
      if (session === null) end('failed')
      void poll()
      void pump()
    }

    async function poll(): Promise<void> {
      while (!over && !closing) {
        const answer = await post(`{"after":${cursor},"waitMs":${WAIT_MS}}`, TRIES_MAX, abort.signal)
        if (!answer) return
        take(answer)
      }
    }

    function batch(): string[] {
      let chars = 0
      let count = 0
      for (const frame of waiting) {
        chars += frame.length
        if (count > 0 && (count >= FRAMES_MAX || chars > CHARS_MAX)) break
        count += 1
      }
      return waiting.slice(0, count)
    }

    async function pump(): Promise<void> {
      if (pumping || session === null) return
      pumping = true
      // What is sent in one turn goes in one request.
      await Promise.resolve()
      while (!over && waiting.length > 0) {
        const frames = batch()
        const answer = await post(`{"sent":${sent},"frames":[${frames.join(',')}]}`, TRIES_MAX)
        if (!answer) break
        waiting = waiting.slice(frames.length)
        sent += frames.length
      }
      pumping = false
      if (closing) leave()
    }

    /** As closing a socket does; without it the session would count as online until it was found silent. */
    function leave(): void {
      if (over) return
      over = true
      abort.abort()
      if (session === null) return
      const headers = { [SESSION_HEADER]: session }
      fetch(address, { ...plainRequest, method: 'DELETE', headers, keepalive: true }).catch(() => {})
    }

    // The caller has the transport in hand first.
    void Promise.resolve().then(() => {
      if (!over && !closing) handlers.open()
    })
    return {
      send(data) {
        if (over || closing || typeof data !== 'string') return false
        if (!opening) {
          void open(data)
          return true
        }
        waiting.push(data)
        void pump()
        return true
      },
      close() {
        if (closing || over) return
        closing = true
        if (!pumping && (session !== null || !opening)) leave()
      },
    }
  }
}
