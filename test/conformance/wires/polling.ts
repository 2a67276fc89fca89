import { type Frame, fromJson, type PipeHandlers, type Wire } from './wire.ts'

interface Answer {
  readonly session?: string
  readonly cursor?: number
  readonly frames?: readonly unknown[]
  readonly ended?: string
}

const SHORT_EVERY_MS = 40

/** `waitMs` 0 is short polling. */
function wire(name: string, url: string, waitMs: number): Wire {
  return {
    name,
    async open(handlers) {
      const pipe = pipeOf(url, waitMs, handlers)
      return { send: pipe.send, close: pipe.close }
    },
  }
}

function pipeOf(url: string, waitMs: number, handlers: PipeHandlers) {
  const stop = new AbortController()
  let session = ''
  let cursor = 0
  let sent = 0
  let over = false
  let sending = false
  const waiting: Frame[] = []

  async function post(body: object): Promise<Answer> {
    const headers: Record<string, string> = { 'content-type': 'application/json' }
    if (session !== '') headers['x-longwire-session'] = session
    const response = await fetch(url, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
      signal: stop.signal,
    })
    const answer = (await response.json()) as Answer
    if (response.status !== 200) throw new Error(`${response.status} ${JSON.stringify(answer)}`)
    return answer
  }

  function take(answer: Answer): void {
    cursor = answer.cursor ?? cursor
    for (const frame of answer.frames ?? []) handlers.frame(fromJson(JSON.stringify(frame)))
    if (answer.ended !== undefined) end()
  }

  function end(): void {
    if (over) return
    over = true
    stop.abort()
    handlers.ended()
  }

  async function poll(): Promise<void> {
    while (!over) {
      take(await post({ after: cursor, waitMs }))
      if (waitMs === 0) await new Promise((resolve) => setTimeout(resolve, SHORT_EVERY_MS))
    }
  }

  async function pump(): Promise<void> {
    while (waiting.length > 0 && !over) {
      const frames = waiting.splice(0)
      if (session === '') {
        const answer = await post({ frames })
        session = answer.session ?? ''
        sent = frames.length
        take(answer)
        void poll().catch(end)
      } else {
        await post({ sent, frames })
        sent += frames.length
      }
    }
    sending = false
  }

  return {
    send(frame: Frame) {
      waiting.push(frame)
      if (sending) return
      sending = true
      void Promise.resolve().then(pump).catch(end)
    },
    close() {
      if (over) return
      over = true
      stop.abort()
      if (session !== '')
        void fetch(url, { method: 'DELETE', headers: { 'x-longwire-session': session } }).catch(() => {})
    },
  }
}

export const longPolling = (url: string): Wire => wire('poll-long', url, 20_000)
export const shortPolling = (url: string): Wire => wire('poll-short', url, 0)
