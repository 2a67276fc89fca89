/** State machine of one connection: (state, input, now) → (state, effects). Pure; `now` is server time in ms. */
import { codes } from '../schemas/codes.ts'
import type { ClientFrames, ServerFrame } from '../schemas/frames.ts'
import { isId } from '../schemas/ids.ts'
import { limits } from '../schemas/limits.ts'
import { PROTOCOL_VERSION } from '../schemas/protocol.ts'
import type { Windows } from '../schemas/windows.ts'
import type { LoginAnswer } from './login-answer.ts'
import { bye, ended, retryAfter, revoked } from './session-answers.ts'
import { openSession, stepOpen } from './session-open.ts'
import type { Entering, Fresh, Input, Session, Step } from './session-types.ts'
import type { Verdict } from './tokens/verdict.ts'

export interface SessionSettings {
  /** Asked of clients that ask for nothing themselves. */
  readonly heartbeatMs: number
  /** Told to clients, so that they offer what will be taken. */
  readonly windows: Windows
}

export const newSession = (now: number): Session => ({ phase: 'fresh', openedAt: now })

export function step(session: Session, input: Input, now: number, settings: SessionSettings): Step {
  if (input.kind === 'broken' && session.phase !== 'closed')
    return bye(input.code, null, input.message ?? codes[input.code].text)
  switch (session.phase) {
    case 'fresh':
      return stepFresh(session, input, now, settings)
    case 'entering':
      return stepEntering(session, input, now, settings)
    case 'open':
      return stepOpen(session, input, now)
    case 'closed':
      return { session, effects: [] }
  }
}

function stepFresh(session: Fresh, input: Input, now: number, settings: SessionSettings): Step {
  switch (input.kind) {
    case 'frame':
      return input.frame.type === 'login' ? login(input.frame, settings) : bye('not_logged_in')
    case 'unreadable':
      return bye(input.problem.code, null, input.problem.message)
    case 'tick':
      return now - session.openedAt >= limits.loginTimeoutMs ? bye('login_timeout') : { session, effects: [] }
    case 'drain':
      return bye('draining', input.reconnectAfterMs)
    default:
      return { session, effects: [] }
  }
}

function login(frame: ClientFrames['login'], settings: SessionSettings): Step {
  if (frame.protocol !== PROTOCOL_VERSION) return bye('unsupported')
  if (!isId(frame.deviceId) || !isId(frame.deviceType)) return bye('bad_id')
  const { proof = null } = frame
  if (proof !== null && Buffer.byteLength(proof) > limits.proofBytesMax) return bye('bad_content')
  const heartbeatMs =
    frame.heartbeatMs === null
      ? settings.heartbeatMs
      : Math.min(limits.heartbeatMsMax, Math.max(limits.heartbeatMsMin, frame.heartbeatMs))
  const device = { deviceId: frame.deviceId, deviceType: frame.deviceType }
  return {
    session: {
      phase: 'entering',
      stage: 'verify',
      userId: null,
      rights: [],
      device,
      proof,
      heartbeatMs,
      tokenIssuedAt: 0,
      tokenExpiresAt: 0,
    },
    effects: [{ do: 'verify', token: frame.token }],
  }
}

function stepEntering(session: Entering, input: Input, now: number, settings: SessionSettings): Step {
  switch (input.kind) {
    case 'verified':
      return session.stage === 'verify' ? verified(session, input.verdict) : { session, effects: [] }
    case 'asked':
      return session.stage === 'ask' ? asked(session, input.answer) : { session, effects: [] }
    case 'refused':
      return bye(input.code, input.retryAfterMs ?? null)
    case 'revoked':
      return session.userId !== null && session.tokenIssuedAt < input.notBefore
        ? revoked()
        : { session, effects: [] }
    case 'entered':
      return session.userId === null || session.stage !== 'enter'
        ? { session, effects: [] }
        : welcome(session, session.userId, input, now, settings.windows)
    case 'frame':
      return bye(input.frame.type === 'login' ? 'already_logged_in' : 'not_logged_in')
    case 'unreadable':
      return bye(input.problem.code, null, input.problem.message)
    case 'drain':
      return bye('draining', input.reconnectAfterMs)
    case 'ended':
      return ended(input.ending, input.by)
    default:
      return { session, effects: [] }
  }
}

function verified(session: Entering, verdict: Verdict): Step {
  if (!verdict.ok)
    return verdict.code === 'token_revoked' ? revoked() : bye(verdict.code, retryAfter(verdict.code))
  const { userId, rights, issuedAt, expiresAt } = verdict
  const { device, proof } = session
  return {
    session: {
      ...session,
      stage: 'ask',
      userId,
      rights,
      proof: null,
      tokenIssuedAt: issuedAt,
      tokenExpiresAt: expiresAt,
    },
    effects: [{ do: 'ask', userId, device, proof }],
  }
}

function asked(session: Entering, answer: LoginAnswer): Step {
  const { userId, device } = session
  switch (answer.decision) {
    case 'allow':
      return userId === null
        ? { session, effects: [] }
        : { session: { ...session, stage: 'enter' }, effects: [{ do: 'enter', userId, device }] }
    case 'refuse':
      return bye('login_refused')
    case 'challenge':
      return bye('proof_required', null, undefined, { challenge: answer.challenge })
    case 'unavailable':
      return bye('unavailable', retryAfter('unavailable'))
  }
}

function welcome(
  session: Entering,
  userId: string,
  input: Extract<Input, { kind: 'entered' }>,
  now: number,
  windows: Windows,
): Step {
  const { heartbeatMs, rights, tokenIssuedAt, tokenExpiresAt } = session
  const { connectionId, gatewayId } = input
  const frame: ServerFrame = {
    type: 'welcome',
    userId,
    connectionId,
    gatewayId,
    serverTime: now,
    heartbeatMs,
    recallWindowMs: windows.recallMs,
    editWindowMs: windows.editMs,
  }
  const { deviceId } = session.device
  return {
    session: openSession({ userId, deviceId, rights, heartbeatMs, tokenIssuedAt, tokenExpiresAt }, now),
    effects: [{ do: 'send', frame }],
  }
}
