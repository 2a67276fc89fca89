/** A session that is logged in: commands, requests and all else within their rates. Pure. */
import type { ClientFrame, ClientFrames } from '../schemas/frames.ts'
import { isId, isRoom } from '../schemas/ids.ts'
import { limits } from '../schemas/limits.ts'
import { type Bucket, fullBucket, type Rate, take } from './bucket.ts'
import { type CommandFrame, commandOf, conversationFor, withTarget } from './command-of.ts'
import type { ParsedContent } from './frames/frame-codec.ts'
import type { Refusal } from './refusal.ts'
import { type RequestFrame, requestOf } from './requests.ts'
import {
  bye,
  closed,
  ended,
  failed,
  RETRY_AFTER_MS,
  rejected,
  retryAfter,
  revoked,
} from './session-answers.ts'
import { noRoom, onJoined, onRoomFrame, takeRoomCommand } from './session-room.ts'
import type { Check, Effect, Input, Open, Step } from './session-types.ts'

const rates: Readonly<Record<'commands' | 'reads' | 'others' | 'typing', Rate>> = {
  commands: {
    perSecond: limits.commandsPerSecondPerConnectionMax,
    burst: limits.commandsBurstPerConnectionMax,
  },
  reads: { perSecond: limits.readsPerSecondPerConnectionMax, burst: limits.readsBurstPerConnectionMax },
  others: {
    perSecond: limits.commandsPerSecondPerConnectionMax,
    burst: limits.commandsBurstPerConnectionMax,
  },
  typing: { perSecond: limits.typingPerSecondPerConnectionMax, burst: limits.typingBurstPerConnectionMax },
}
const none: readonly Effect[] = []

/** With nothing used up yet. */
export const openSession = (
  of: Pick<Open, 'userId' | 'deviceId' | 'rights' | 'heartbeatMs' | 'tokenIssuedAt' | 'tokenExpiresAt'>,
  now: number,
): Open => ({
  ...of,
  phase: 'open',
  lastSeenAt: now,
  commands: fullBucket(rates.commands, now),
  reads: fullBucket(rates.reads, now),
  others: fullBucket(rates.others, now),
  typing: fullBucket(rates.typing, now),
  appending: 0,
  reading: 0,
  overviewing: false,
  ...noRoom(now),
})

export function stepOpen(session: Open, input: Input, now: number): Step {
  switch (input.kind) {
    case 'frame':
      return onFrame({ ...session, lastSeenAt: now }, input.frame, input.content, now)
    case 'unreadable': {
      const { code, message, packId, id } = input.problem
      if (code === 'frame_too_large') return bye(code)
      const refusal = { code, detail: message }
      return withOther({ ...session, lastSeenAt: now }, now, () =>
        packId === null ? [failed(id, refusal)] : [rejected(packId, refusal)],
      )
    }
    case 'appended':
      return {
        session: { ...session, appending: session.appending - 1 },
        effects: [
          input.code === null
            ? { do: 'send', frame: { type: 'accepted', packId: input.packId } }
            : rejected(input.packId, { code: input.code }, input.retryAfterMs ?? retryAfter(input.code)),
        ],
      }
    case 'checked':
      return onChecked(session, input)
    case 'read':
      return {
        session: {
          ...session,
          reading: session.reading - 1,
          overviewing: session.overviewing && input.of !== 'overview',
        },
        effects: input.answers.map((frame) => ({ do: 'send', frame })),
      }
    case 'seen':
      return { session: { ...session, lastSeenAt: now }, effects: none }
    case 'revoked':
      return session.tokenIssuedAt < input.notBefore ? revoked() : { session, effects: none }
    case 'joined':
      return onJoined(session, input)
    case 'tick':
      return onTick(session, now)
    case 'drain':
      return bye('draining', input.reconnectAfterMs)
    case 'ended':
      return ended(input.ending, input.by)
    case 'slow':
      return bye('slow_consumer')
    default:
      return { session, effects: none }
  }
}

function onChecked(session: Open, { draft, packId, result }: Extract<Input, { kind: 'checked' }>): Step {
  const { code, target } = result
  if (code !== null)
    return {
      session: { ...session, appending: session.appending - 1 },
      effects: [rejected(packId, { code }, retryAfter(code))],
    }
  return {
    session,
    effects: [{ do: 'append', draft: target ? withTarget(draft, target) : draft, packId, checked: true }],
  }
}

function onTick(session: Open, now: number): Step {
  if (now - session.lastSeenAt > 2 * session.heartbeatMs) return bye('heartbeat_timeout')
  if (now >= session.tokenExpiresAt) return bye('token_expired')
  return { session, effects: none }
}

function onFrame(session: Open, frame: ClientFrame, content: ParsedContent | null, now: number): Step {
  switch (frame.type) {
    case 'login':
      return withOther(session, now, () => [failed(null, { code: 'already_logged_in' })])
    case 'logout':
      return { session: closed, effects: [{ do: 'close', code: null }] }
    case 'ping':
      return withOther(session, now, () => [
        { do: 'send', frame: { type: 'pong', id: frame.id, serverTime: now } },
      ])
    case 'ack':
      return withOther(session, now, () =>
        frame.acks.length > limits.acksPerFrameMax
          ? [failed(null, { code: 'too_many' })]
          : [{ do: 'ack', acks: frame.acks }],
      )
    case 'typing':
      return onTyping(session, frame, now)
    case 'presence':
      return onPresence(session, frame, now)
    case 'joinRoom':
    case 'leaveRoom':
      return onRoomFrame(session, frame, now)
    case 'heads':
    case 'conversations':
    case 'overview':
    case 'group':
    case 'members':
    case 'readers':
    case 'search':
    case 'relations':
    case 'profiles':
    case 'settings':
    case 'history':
    case 'sync':
    case 'lookup':
      return onRequest(session, frame, now)
    default:
      return onCommand(session, frame, content, now)
  }
}

function onCommand(session: Open, frame: CommandFrame, content: ParsedContent | null, now: number): Step {
  const taken = take(session.commands, rates.commands, now)
  const next = { ...session, commands: taken.bucket }
  const refuse = (refusal: Refusal, retryAfterMs: number | null = null): Step => ({
    session: next,
    effects: [rejected(frame.packId, refusal, retryAfterMs)],
  })
  if (taken.retryAfterMs !== null) return refuse({ code: 'rate_limited' }, taken.retryAfterMs)
  if (session.appending >= limits.commandsInFlightPerConnectionMax)
    return refuse({ code: 'overloaded' }, RETRY_AFTER_MS)
  const draft = commandOf(frame, content, session, now)
  if ('code' in draft) return refuse(draft)
  const room = takeRoomCommand(next, draft.stream, now)
  if (room.retryAfterMs !== null) return refuse({ code: 'rate_limited' }, room.retryAfterMs)
  const { packId } = frame
  const check = checkOf(frame)
  return {
    session: { ...room.session, appending: session.appending + 1 },
    effects: [
      check ? { do: 'check', draft, packId, check } : { do: 'append', draft, packId, checked: false },
    ],
  }
}

/** Null: the stream can judge the command by itself. */
function checkOf(frame: CommandFrame): Check | null {
  switch (frame.type) {
    case 'markRead': {
      const { conversationId, seq, ordinal } = frame
      return { of: 'mark', conversationId, seq, ordinal }
    }
    case 'recall':
      // A room's messages are recalled while its fold knows them.
      if (isRoom(frame.conversationId)) return null
      return { of: 'target', conversationId: frame.conversationId, seq: frame.seq }
    case 'edit':
    case 'react':
    case 'pin':
      return { of: 'target', conversationId: frame.conversationId, seq: frame.seq }
    default:
      return null
  }
}

function onRequest(session: Open, frame: RequestFrame, now: number): Step {
  const taken = take(session.reads, rates.reads, now)
  const next = { ...session, reads: taken.bucket }
  const refuse = (refusal: Refusal, retryAfterMs: number | null = null): Step => ({
    session: next,
    effects: [failed(frame.id, refusal, retryAfterMs)],
  })
  if (taken.retryAfterMs !== null) return refuse({ code: 'rate_limited' }, taken.retryAfterMs)
  if (session.reading >= limits.readsInFlightPerConnectionMax)
    return refuse({ code: 'overloaded' }, RETRY_AFTER_MS)
  const isOverview = frame.type === 'overview'
  if (isOverview && session.overviewing) return refuse({ code: 'rate_limited' }, RETRY_AFTER_MS)
  const request = requestOf(frame, session)
  if ('code' in request) return refuse(request)
  return {
    session: { ...next, reading: session.reading + 1, overviewing: session.overviewing || isOverview },
    effects: [{ do: 'read', id: frame.id, request }],
  }
}

/** Too fast is dropped in silence: whoever types faster is seen to type all the same. */
function onTyping(session: Open, { conversationId }: ClientFrames['typing'], now: number): Step {
  const conversation = conversationFor(conversationId, session.userId)
  if (typeof conversation !== 'string') return withOther(session, now, () => [failed(null, conversation)])
  const taken = take(session.typing, rates.typing, now)
  return {
    session: { ...session, typing: taken.bucket },
    effects: taken.retryAfterMs === null ? [{ do: 'typing', conversationId }] : none,
  }
}

function onPresence(session: Open, frame: ClientFrames['presence'], now: number): Step {
  const { id, subscribe, unsubscribe } = frame
  const taken = take(session.reads, rates.reads, now)
  const then = (effect: Effect): Step => ({ session: { ...session, reads: taken.bucket }, effects: [effect] })
  if (taken.retryAfterMs !== null) return then(failed(id, { code: 'rate_limited' }, taken.retryAfterMs))
  if (subscribe.length + unsubscribe.length > limits.presencePerRequestMax)
    return then(failed(id, { code: 'too_many' }))
  if (!subscribe.every(isId) || !unsubscribe.every(isId)) return then(failed(id, { code: 'bad_id' }))
  return then({ do: 'presence', id, subscribe, unsubscribe })
}

/** What neither appends nor reads: over its rate the client is broken, since no healthy one comes near it. */
function withOther(session: Open, now: number, effects: () => readonly Effect[]): Step {
  const taken: { bucket: Bucket; retryAfterMs: number | null } = take(session.others, rates.others, now)
  if (taken.retryAfterMs !== null) return bye('rate_limited')
  return { session: { ...session, others: taken.bucket }, effects: effects() }
}
