/** A polling server in a few lines on the gateway's own queue, and a network that loses requests and answers. */
import type { Fetch } from '../../client/polling.ts'
import {
  answerOf,
  confirm,
  enqueue,
  newQueue,
  type QueueLimits,
  takeNew,
} from '../../gateway/transports/poll-queue.ts'
import type { Random } from './random.ts'
import type { VirtualTime } from './virtual-time.ts'

const limits: QueueLimits = { framesMax: 10_000, bytesMax: 10_000_000, answerBytesMax: 200 }

interface Body {
  readonly after?: number
  readonly waitMs?: number
  readonly sent?: number
  readonly frames?: readonly unknown[]
}

export interface FakePolling {
  readonly fetch: Fetch
  /** Frames taken from the client, the login first. */
  readonly taken: unknown[]
  readonly requests: { method: string; body: Body }[]
  lossOf: number
  /** Answers everything by this status instead. */
  status: number | null
  push(frame: unknown): void
  end(reason: string): void
  left(): boolean
}

export function fakePolling(time: VirtualTime, random: Random): FakePolling {
  let queue = newQueue()
  let hanging: (() => void) | null = null
  let ended: string | null = null
  let left = false
  const answer = () => {
    const { cursor, frames } = answerOf(queue, limits)
    const isLast = frames.length === queue.frames.length
    const parsed = frames.map((frame) => JSON.parse(String(frame)) as unknown)
    return { cursor, frames: parsed, ...(isLast && ended !== null ? { ended } : {}) }
  }
  const handle = (method: string, session: string | undefined, body: Body): Promise<[number, unknown]> => {
    if (method === 'DELETE') {
      left = true
      return Promise.resolve([200, {}])
    }
    if (session === undefined && !body.frames) return Promise.resolve([401, { code: 'not_logged_in' }])
    if (session === undefined) {
      queue = newQueue()
      queue.taken = 1
      self.taken.push(...(body.frames ?? []))
      enqueue(queue, Buffer.from('"welcome"'), limits)
      return Promise.resolve([200, { session: 'gw.s', ...answer() }])
    }
    if (body.after !== undefined && !confirm(queue, body.after)) return Promise.resolve([409, {}])
    const fresh = takeNew(queue, body.sent ?? null, body.frames ?? [])
    if (!fresh) return Promise.resolve([409, {}])
    self.taken.push(...fresh)
    if (body.after === undefined) return Promise.resolve([200, { taken: queue.taken }])
    hanging?.()
    if (queue.frames.length > 0 || ended !== null) return Promise.resolve([200, answer()])
    return new Promise((resolve) => {
      const done = () => {
        if (hanging !== done) return
        hanging = null
        resolve([200, answer()])
      }
      hanging = done
      time.after(body.waitMs ?? 0, done)
    })
  }
  const hop = (): Promise<void> => new Promise((resolve) => void time.after(1 + random.int(20), resolve))
  const lost = (): boolean => random.chance(self.lossOf)
  const self: FakePolling = {
    taken: [],
    requests: [],
    lossOf: 0,
    status: null,
    async fetch(_url, { method, headers, body, signal }) {
      const given = body === undefined ? {} : (JSON.parse(body) as Body)
      self.requests.push({ method, body: given })
      await hop()
      if (lost()) throw new TypeError('the request was lost')
      const [status, reply] =
        self.status === null ? await handle(method, headers['x-longwire-session'], given) : [self.status, {}]
      await hop()
      if (lost() || signal?.aborted) throw new TypeError('the answer was lost')
      return { status, json: () => Promise.resolve(reply) }
    },
    push(frame) {
      enqueue(queue, Buffer.from(JSON.stringify(frame)), limits)
      hanging?.()
    },
    end(reason) {
      ended = reason
      hanging?.()
    },
    left: () => left,
  }
  return self
}
