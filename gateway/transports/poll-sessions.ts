/**
 * Polling sessions: to the hub each is a socket like others, whose frames wait here until a poll fetches them. While a poll
 * hangs nothing is read anywhere: the gateway's own push ends it.
 */
import { type CodeName, codes } from '../../schemas/codes.ts'
import { limits } from '../../schemas/limits.ts'
import { type Clock, sleepOf } from '../../schemas/ports.ts'
import { type Bucket, fullBucket, type Rate, take } from '../bucket.ts'
import type { Connection, Socket } from '../connections.ts'
import type { Hub } from '../hub.ts'
import type { Addresses, AddressSeat } from './addresses.ts'
import { answerBody, type PollRequest, refusalBody } from './poll-body.ts'
import {
  answerOf,
  confirm,
  drop,
  enqueue,
  newQueue,
  type PollQueue,
  type QueueLimits,
  replace,
  takeNew,
} from './poll-queue.ts'

/** One HTTP exchange. `send` does nothing once the client has gone. */
export interface Reply {
  send(status: string, body: Buffer): void
  onGone(fn: () => void): void
}

export interface PollSessions {
  /** The first frame must be a login. */
  open(address: string, request: PollRequest, reply: Reply): void
  poll(id: string, request: PollRequest, reply: Reply): void
  knows(id: string): boolean
  /** The client has left without a logout. */
  leave(id: string, reply: Reply): void
  /** Resolves when every session that is over has been told so, or after a while: those that poll now and then will not come. */
  toldAll(): Promise<void>
  levels(): Readonly<Record<'poll_sessions' | 'polls_hanging', number>>
  stop(): void
}

export interface PollSessionsOptions {
  readonly hub: Hub
  readonly clock: Clock
  readonly addresses: Addresses
  readonly gatewayId: string
  readonly secretName: () => string
}

interface Session {
  readonly id: string
  readonly queue: PollQueue
  readonly seat: AddressSeat
  connection: Connection | null
  /** Its login has been let in. */
  isIn: boolean
  /** The poll that waits for frames. */
  hanging: { readonly reply: Reply; readonly cancel: () => void; readonly isFirst: boolean } | null
  waking: boolean
  rate: Bucket
  /** Why it is over. */
  ended: string | null
  /** Of its removal: where nobody fetches the answer to a login, or the last frames. */
  cancelRemoval: () => void
}

const queueLimits: QueueLimits = {
  framesMax: limits.pollQueueFramesMax,
  bytesMax: limits.pollQueueBytesMax,
  answerBytesMax: limits.pollAnswerBytesMax,
}
const pollRate: Rate = {
  perSecond: limits.pollsPerSecondPerSessionMax,
  burst: limits.pollsBurstPerSessionMax,
}
const LOOK_MS = 50
const statuses: Partial<Record<CodeName, string>> = {
  no_such_session: '404 Not Found',
  bad_position: '409 Conflict',
  rate_limited: '429 Too Many Requests',
}

export function createPollSessions(options: PollSessionsOptions): PollSessions {
  const { clock, hub } = options
  const sessions = new Map<string, Session>()

  function refuse(reply: Reply, code: CodeName, retryAfterMs: number | null = null): void {
    reply.send(statuses[code] ?? '400 Bad Request', refusalBody(code, codes[code].text, retryAfterMs))
  }

  function remove(session: Session): void {
    sessions.delete(session.id)
    session.cancelRemoval()
    session.seat.leave()
    letGo(session)
    if (session.connection) hub.closed(session.connection)
    session.connection = null
    drop(session.queue)
  }

  function removeSoon(session: Session): void {
    session.cancelRemoval()
    session.cancelRemoval = clock.after(limits.pollLingerMs, () => remove(session))
  }

  /** Ends the poll that hangs, with what there is. */
  function letGo(session: Session): void {
    const { hanging } = session
    session.hanging = null
    if (!hanging) return
    hanging.cancel()
    answer(session, hanging.reply, hanging.isFirst)
  }

  function answer(session: Session, reply: Reply, isFirst: boolean): void {
    const { cursor, frames } = answerOf(session.queue, queueLimits)
    const isLast = frames.length === session.queue.frames.length
    const ended = isLast ? session.ended : null
    reply.send('200 OK', answerBody({ session: isFirst ? session.id : null, cursor, frames, ended }))
    // Who was not let in begins anew, whether or not this answer comes.
    if (ended !== null && !session.isIn) remove(session)
  }

  /** Its end is answered even where it has no frames. */
  const hasNews = ({ queue, ended }: Session): boolean => queue.frames.length > 0 || ended !== null

  /** At the end of this turn, so that one answer has all that it brings, and the end behind a bye. */
  function wake(session: Session): void {
    if (session.waking || !session.hanging) return
    session.waking = true
    queueMicrotask(() => {
      session.waking = false
      if (session.hanging && hasNews(session)) letGo(session)
    })
  }

  function fetch(session: Session, reply: Reply, waitMs: number, isFirst = false): void {
    // Two polls of one session: the frames go to the later one alone.
    const { hanging } = session
    session.hanging = null
    hanging?.cancel()
    hanging?.reply.send(
      '200 OK',
      answerBody({ session: null, cursor: session.queue.confirmed, frames: [], ended: null }),
    )
    if (hasNews(session) || waitMs === 0) {
      answer(session, reply, isFirst)
      return
    }
    const mine = { reply, isFirst, cancel: clock.after(waitMs, () => letGo(session)) }
    session.hanging = mine
    reply.onGone(() => {
      if (session.hanging !== mine) return
      mine.cancel()
      session.hanging = null
    })
  }

  /** A poll that hangs is a sign of life, if it ends within the period that was agreed on. */
  function waitMsOf({ connection }: Session, asked: number | null): number {
    const session = connection?.session
    const beatMs = session?.phase === 'open' ? session.heartbeatMs : limits.loginTimeoutMs
    return Math.min(asked ?? limits.pollWaitMsDefault, limits.pollWaitMsMax, beatMs)
  }

  function socketOf(session: Session): Socket {
    return {
      send(bytes) {
        if (session.ended !== null || !enqueue(session.queue, bytes, queueLimits)) return false
        wake(session)
        return true
      },
      cork: (fn) => fn(),
      // Frames always wait here; there is a jam when one answer does not hold them.
      buffered: () => (session.queue.bytes > limits.pollAnswerBytesMax ? session.queue.bytes : 0),
      holds: () => session.queue.frames.length > 0,
      replace: (before, after) => replace(session.queue, before, after),
      entered() {
        session.isIn = true
        session.seat.entered()
      },
      end(_code, reason) {
        if (session.ended !== null) return
        session.ended = reason
        // The queue is full: what is in it is of no use without what was dropped.
        if (reason === 'slow_consumer') drop(session.queue)
        const { connection } = session
        session.connection = null
        if (connection) hub.closed(connection)
        removeSoon(session)
        // Logins are bounded by their rate; what waits to tell of a refusal keeps nobody else out.
        if (!session.isIn) session.seat.leave()
        wake(session)
      },
    }
  }

  function handOver(session: Session, frames: readonly Buffer[]): void {
    for (const frame of frames) if (session.connection) hub.received(session.connection, frame)
  }

  return {
    open(address, request, reply) {
      const session: Session = {
        id: `${options.gatewayId}.${options.secretName()}`,
        queue: newQueue(),
        seat: options.addresses.take(address),
        connection: null,
        isIn: false,
        hanging: null,
        waking: false,
        rate: fullBucket(pollRate, clock.now()),
        ended: null,
        cancelRemoval: () => {},
      }
      sessions.set(session.id, session)
      session.connection = hub.connected(socketOf(session), 'json', { address, transport: 'poll' })
      removeSoon(session)
      session.queue.taken = request.frames.length
      handOver(session, request.frames)
      fetch(session, reply, waitMsOf(session, request.waitMs), true)
    },
    poll(id, request, reply) {
      const session = sessions.get(id)
      if (!session) {
        refuse(reply, 'no_such_session')
        return
      }
      const taken = take(session.rate, pollRate, clock.now())
      session.rate = taken.bucket
      if (taken.retryAfterMs !== null) {
        refuse(reply, 'rate_limited', taken.retryAfterMs)
        return
      }
      const { after, sent } = request
      const isKnown = after === null || confirm(session.queue, after)
      const fresh = isKnown ? takeNew(session.queue, sent, request.frames) : null
      if (fresh === null) {
        refuse(reply, 'bad_position')
        return
      }
      // Somebody has the answer to the login.
      if (session.ended === null) session.cancelRemoval()
      if (session.connection) hub.input(session.connection, { kind: 'seen' })
      handOver(session, fresh)
      if (after !== null) fetch(session, reply, waitMsOf(session, request.waitMs))
      else reply.send('200 OK', Buffer.from(`{"taken":${session.queue.taken}}`))
    },
    knows: (id) => sessions.has(id),
    leave(id, reply) {
      const session = sessions.get(id)
      if (session) {
        session.ended ??= 'logout'
        remove(session)
      }
      reply.send('200 OK', Buffer.from('{}'))
    },
    async toldAll() {
      const until = clock.now() + limits.pollDrainMsMax
      const isUntold = ({ ended, queue }: Session): boolean =>
        ended !== null && queue.answered < queue.confirmed + queue.frames.length
      while (clock.now() < until && [...sessions.values()].some(isUntold)) await sleepOf(clock)(LOOK_MS)
    },
    levels() {
      let hanging = 0
      for (const session of sessions.values()) if (session.hanging) hanging += 1
      return { poll_sessions: sessions.size, polls_hanging: hanging }
    },
    stop() {
      for (const session of [...sessions.values()]) {
        session.cancelRemoval()
        session.hanging?.cancel()
      }
      sessions.clear()
    },
  }
}
