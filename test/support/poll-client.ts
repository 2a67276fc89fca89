/** A bare client of the polling transport: one request at a time as the test says, nothing by itself. */
import type { ServerFrame } from '../../schemas/frames.ts'

export interface PollReply {
  readonly status: number
  readonly headers: Headers
  readonly body: {
    readonly session?: string
    readonly cursor?: number
    readonly frames?: ServerFrame[]
    readonly ended?: string
    readonly taken?: number
    readonly code?: string
    readonly message?: string
    readonly retryAfterMs?: number
  }
}

export interface PollOptions {
  readonly session?: string
  readonly headers?: Record<string, string>
  readonly signal?: AbortSignal
}

export async function pollOnce(
  url: string,
  body: object | string,
  { session, headers = {}, signal }: PollOptions = {},
): Promise<PollReply> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { ...(session === undefined ? {} : { 'x-longwire-session': session }), ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(signal ? { signal } : {}),
  })
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as PollReply['body'],
  }
}

export interface PollClient {
  readonly session: string
  readonly welcome: PollReply
  cursor: number
  readonly frames: ServerFrame[]
  /** Fetches from `cursor` on, keeps what came and moves on. */
  poll(part?: object, options?: PollOptions): Promise<PollReply>
  send(...frames: object[]): Promise<PollReply>
  leave(): Promise<void>
}

export const loginFrame = (token: string, part: object = {}) => ({
  type: 'login',
  token,
  deviceId: 'd1',
  deviceType: 'test',
  protocol: 1,
  ...part,
})

export async function pollClient(url: string, token: string, part: object = {}): Promise<PollClient> {
  const welcome = await pollOnce(url, { frames: [loginFrame(token, part)] })
  const session = welcome.body.session ?? ''
  const client: PollClient = {
    session,
    welcome,
    cursor: welcome.body.cursor ?? 0,
    frames: [...(welcome.body.frames ?? [])],
    async poll(more = {}, options = {}) {
      const reply = await pollOnce(url, { after: client.cursor, ...more }, { session, ...options })
      client.frames.push(...(reply.body.frames ?? []))
      client.cursor = reply.body.cursor ?? client.cursor
      return reply
    },
    send: (...frames) => pollOnce(url, { frames }, { session }),
    async leave() {
      await fetch(url, { method: 'DELETE', headers: { 'x-longwire-session': session } })
    },
  }
  return client
}
