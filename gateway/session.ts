/** State machine of one connection: (state, input, now) → (state, effects). Pure; `now` is server time in ms. */
import { type CodeName, codes } from '../schemas/codes.ts'
import type { ClientFrame, ClientFrames, ServerFrame } from '../schemas/frames.ts'
import { isId } from '../schemas/ids.ts'
import { limits } from '../schemas/limits.ts'
import { PROTOCOL_VERSION } from '../schemas/protocol.ts'
import { type Bucket, fullBucket, type Rate, take } from './bucket.ts'
import { type CommandFrame, commandOf, type Refusal } from './command-of.ts'
import type { ParsedContent } from './frames/frame-codec.ts'
import { type RequestFrame, requestOf } from './requests.ts'
import type { Effect, Entering, Fresh, Input, Open, Session, Step } from './session-types.ts'

export interface SessionSettings {
  /** Asked of clients that ask for nothing themselves. */
  readonly heartbeatMs: number
}

const rates: Readonly<Record<'commands' | 'reads' | 'others', Rate>> = {
  commands: {
    perSecond: limits.commandsPerSecondPerConnectionMax,
    burst: limits.commandsBurstPerConnectionMax,
  },
  reads: { perSecond: limits.readsPerSecondPerConnectionMax, burst: limits.readsBurstPerConnectionMax },
  others: {
    perSecond: limits.commandsPerSecondPerConnectionMax,
    burst: limits.commandsBurstPerConnectionMax,
  },
}
const RETRY_AFTER_MS = 500
const none: readonly Effect[] = []
const closed: Session = { phase: 'closed' }

export const newSession = (now: number): Session => ({ phase: 'fresh', openedAt: now })

export function step(session: Session, input: Input, now: number, settings: SessionSettings): Step {
  switch (session.phase) {
    case 'fresh':
      return stepFresh(session, input, now, settings)
    case 'entering':
      return stepEntering(session, input, now)
    case 'open':
      return stepOpen(session, input, now)
    case 'closed':
      return { session, effects: none }
  }
}

/** Says why and closes. */
function bye(
  code: CodeName,
  reconnectAfterMs: number | null = null,
  message: string = codes[code].text,
): Step {
  return {
    session: closed,
    effects: [
      { do: 'send', frame: { type: 'bye', code, message, reconnectAfterMs } },
      { do: 'close', code },
    ],
  }
}

function stepFresh(session: Fresh, input: Input, now: number, settings: SessionSettings): Step {
  switch (input.kind) {
    case 'frame':
      return input.frame.type === 'login' ? login(input.frame, settings) : bye('not_logged_in')
    case 'unreadable':
      return bye(input.problem.code, null, input.problem.message)
    case 'tick':
      return now - session.openedAt >= limits.loginTimeoutMs
        ? bye('login_timeout')
        : { session, effects: none }
    case 'drain':
      return bye('draining', input.reconnectAfterMs)
    default:
      return { session, effects: none }
  }
}

function login(frame: ClientFrames['login'], settings: SessionSettings): Step {
  if (frame.protocol !== PROTOCOL_VERSION) return bye('unsupported')
  if (!isId(frame.deviceId) || !isId(frame.deviceType)) return bye('bad_id')
  const heartbeatMs =
    frame.heartbeatMs === null
      ? settings.heartbeatMs
      : Math.min(limits.heartbeatMsMax, Math.max(limits.heartbeatMsMin, frame.heartbeatMs))
  const device = { deviceId: frame.deviceId, deviceType: frame.deviceType }
  return {
    session: { phase: 'entering', userId: null, device, heartbeatMs, tokenExpiresAt: 0 },
    effects: [{ do: 'verify', token: frame.token }],
  }
}

function stepEntering(session: Entering, input: Input, now: number): Step {
  switch (input.kind) {
    case 'verified': {
      if (!input.verdict.ok) return bye(input.verdict.code)
      const { userId, expiresAt } = input.verdict
      return {
        session: { ...session, userId, tokenExpiresAt: expiresAt },
        effects: [{ do: 'enter', userId, device: session.device }],
      }
    }
    case 'refused':
      return bye(input.code)
    case 'entered':
      return session.userId === null
        ? { session, effects: none }
        : welcome(session, session.userId, input, now)
    case 'frame':
      return bye(input.frame.type === 'login' ? 'already_logged_in' : 'not_logged_in')
    case 'unreadable':
      return bye(input.problem.code, null, input.problem.message)
    case 'drain':
      return bye('draining', input.reconnectAfterMs)
    default:
      return { session, effects: none }
  }
}

function welcome(
  session: Entering,
  userId: string,
  input: Extract<Input, { kind: 'entered' }>,
  now: number,
): Step {
  const { heartbeatMs, tokenExpiresAt } = session
  const { connectionId, gatewayId } = input
  const frame: ServerFrame = {
    type: 'welcome',
    userId,
    connectionId,
    gatewayId,
    serverTime: now,
    heartbeatMs,
  }
  return {
    session: {
      phase: 'open',
      userId,
      deviceId: session.device.deviceId,
      heartbeatMs,
      tokenExpiresAt,
      lastSeenAt: now,
      commands: fullBucket(rates.commands, now),
      reads: fullBucket(rates.reads, now),
      others: fullBucket(rates.others, now),
      appending: 0,
      reading: 0,
    },
    effects: [{ do: 'send', frame }],
  }
}

function stepOpen(session: Open, input: Input, now: number): Step {
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
            : rejected(input.packId, { code: input.code }, retryAfter(input.code)),
        ],
      }
    case 'markChecked':
      if (input.code === null)
        return { session, effects: [{ do: 'append', draft: input.draft, packId: input.packId }] }
      return {
        session: { ...session, appending: session.appending - 1 },
        effects: [rejected(input.packId, { code: input.code }, retryAfter(input.code))],
      }
    case 'read':
      return {
        session: { ...session, reading: session.reading - 1 },
        effects: [{ do: 'send', frame: input.answer }],
      }
    case 'tick':
      return onTick(session, now)
    case 'drain':
      return bye('draining', input.reconnectAfterMs)
    case 'slow':
      return bye('slow_consumer')
    default:
      return { session, effects: none }
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
    case 'heads':
    case 'conversations':
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
  const { packId } = frame
  return {
    session: { ...next, appending: session.appending + 1 },
    effects: [
      frame.type === 'markRead'
        ? { do: 'checkMark', draft, packId, mark: frame }
        : { do: 'append', draft, packId },
    ],
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
  const request = requestOf(frame, session)
  if ('code' in request) return refuse(request)
  return {
    session: { ...next, reading: session.reading + 1 },
    effects: [{ do: 'read', id: frame.id, request }],
  }
}

/** What neither appends nor reads: over its rate the client is broken, since no healthy one comes near it. */
function withOther(session: Open, now: number, effects: () => readonly Effect[]): Step {
  const taken: { bucket: Bucket; retryAfterMs: number | null } = take(session.others, rates.others, now)
  if (taken.retryAfterMs !== null) return bye('rate_limited')
  return { session: { ...session, others: taken.bucket }, effects: effects() }
}

const retryAfter = (code: CodeName): number | null => (codes[code].retry === 'same' ? RETRY_AFTER_MS : null)

const PACK_ID_CHARS_MAX = 64
function rejected(packId: string, refusal: Refusal, retryAfterMs: number | null = null): Effect {
  const { code, detail } = refusal
  // A packId may be anything here; it is shown back so that the client knows which command is meant.
  const frame: ServerFrame = {
    type: 'rejected',
    packId: packId.slice(0, PACK_ID_CHARS_MAX),
    code,
    message: detail ?? codes[code].text,
    retryAfterMs,
  }
  return { do: 'send', frame }
}

const failed = (
  id: number | null,
  { code, detail }: Refusal,
  retryAfterMs: number | null = null,
): Effect => ({
  do: 'send',
  frame: { type: 'error', id, code, message: detail ?? codes[code].text, retryAfterMs },
})
