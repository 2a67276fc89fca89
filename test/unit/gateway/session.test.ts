import { describe, expect, it } from 'vitest'
import type { LoginAnswer } from '../../../gateway/login-answer.ts'
import { newSession, step } from '../../../gateway/session.ts'
import type { Effect, Input, Session } from '../../../gateway/session-types.ts'
import type { ClientFrame, ClientFrames } from '../../../schemas/frames.ts'
import { parsePackId } from '../../../schemas/ids.ts'
import { limits } from '../../../schemas/limits.ts'
import { newPackId } from '../../support/gateway.ts'

const T0 = 1_800_000_000_000
const settings = { heartbeatMs: 30_000, windows: { recallMs: 1, editMs: 2 } }
const login = (part: Partial<ClientFrames['login']> = {}): Input =>
  frame({
    type: 'login',
    token: 't',
    deviceId: 'd1',
    deviceType: 'web',
    protocol: 1,
    heartbeatMs: null,
    proof: null,
    ...part,
  })
const frame = (of: ClientFrame, value: unknown = null): Input => ({
  kind: 'frame',
  frame: of,
  content: { value },
})
const verified: Input = {
  kind: 'verified',
  verdict: { ok: true, userId: 'alice', rights: [], issuedAt: 0, expiresAt: T0 + 3_600_000 },
}
const allowed: Input = { kind: 'asked', answer: { decision: 'allow' } }
const entered: Input = { kind: 'entered', connectionId: 'c1', gatewayId: 'gw' }
const tick: Input = { kind: 'tick' }
const ping = frame({ type: 'ping', id: 1 })

/** Runs inputs, each at its time after T0 (default 0), and answers the state and the last effects. */
function given(...inputs: (Input | readonly [Input, number])[]): {
  session: Session
  effects: readonly Effect[]
} {
  let session = newSession(T0)
  let effects: readonly Effect[] = []
  for (const entry of inputs) {
    const [input, at] = 'kind' in entry ? [entry, 0] : entry
    ;({ session, effects } = step(session, input, T0 + at, settings))
  }
  return { session, effects }
}
const open = [login(), verified, allowed, entered] as const
const byeOf = (effects: readonly Effect[]) => {
  const sent = effects.find((effect) => effect.do === 'send')
  return sent?.do === 'send' && sent.frame.type === 'bye' ? sent.frame.code : null
}

describe('a login', () => {
  it('is verified, asked about, registered, and only then welcomed', () => {
    expect(given(login()).effects).toEqual([{ do: 'verify', token: 't' }])
    const device = { deviceId: 'd1', deviceType: 'web' }
    expect(given(login({ proof: '1234' }), verified).effects).toEqual([
      { do: 'ask', userId: 'alice', device, proof: '1234' },
    ])
    expect(given(login(), verified, allowed).effects).toEqual([
      { do: 'enter', userId: 'alice', device: { deviceId: 'd1', deviceType: 'web' } },
    ])
    const { session, effects } = given(...open)
    expect(session.phase).toBe('open')
    expect(effects).toMatchObject([
      {
        frame: {
          type: 'welcome',
          userId: 'alice',
          connectionId: 'c1',
          serverTime: T0,
          heartbeatMs: 30_000,
          recallWindowMs: 1,
          editWindowMs: 2,
        },
      },
    ])
  })

  it('negotiates the heartbeat within its limits', () => {
    const heartbeat = (asked: number) =>
      given(login({ heartbeatMs: asked }), verified, allowed, entered).effects.map((e) =>
        e.do === 'send' && e.frame.type === 'welcome' ? e.frame.heartbeatMs : 0,
      )[0]
    expect(heartbeat(20_000)).toBe(20_000)
    expect(heartbeat(1)).toBe(limits.heartbeatMsMin)
    expect(heartbeat(9_999_999)).toBe(limits.heartbeatMsMax)
  })

  it('is ended, challenged or put off as the hook says', () => {
    const answered = (answer: LoginAnswer) => given(login(), verified, { kind: 'asked', answer })
    expect(byeOf(answered({ decision: 'refuse' }).effects)).toBe('login_refused')
    const challenge = '{"kind":"sms"}'
    const challenged = answered({ decision: 'challenge', challenge })
    expect(challenged.session.phase).toBe('closed')
    expect(challenged.effects[0]).toMatchObject({ frame: { type: 'bye', code: 'proof_required', challenge } })
    expect(answered({ decision: 'unavailable' }).effects[0]).toMatchObject({
      frame: { code: 'unavailable', reconnectAfterMs: 500, challenge: null },
    })
  })

  it('does not come: closed after the limit', () => {
    expect(given([tick, limits.loginTimeoutMs - 1]).session.phase).toBe('fresh')
    expect(byeOf(given([tick, limits.loginTimeoutMs]).effects)).toBe('login_timeout')
  })

  it('anything else as first frame, or before the welcome, ends the connection', () => {
    expect(byeOf(given(ping).effects)).toBe('not_logged_in')
    expect(byeOf(given(login(), ping).effects)).toBe('not_logged_in')
    expect(byeOf(given(login(), login()).effects)).toBe('already_logged_in')
  })

  it('turned away for its number is told when to come again', () => {
    const { effects } = given(login(), { kind: 'refused', code: 'overloaded', retryAfterMs: 3_000 })
    expect(effects).toMatchObject([
      { do: 'send', frame: { type: 'bye', code: 'overloaded', reconnectAfterMs: 3_000 } },
      { do: 'close', code: 'overloaded' },
    ])
  })

  it('refused gets its code, and nothing that comes later counts', () => {
    const refused: Input = { kind: 'verified', verdict: { ok: false, code: 'token_expired' } }
    expect(byeOf(given(login(), refused).effects)).toBe('token_expired')
    expect(given(login(), refused, verified, allowed, entered, ping)).toEqual({
      session: { phase: 'closed' },
      effects: [],
    })
    expect(byeOf(given(login({ proof: 'é'.repeat(limits.proofBytesMax / 2 + 1) })).effects)).toBe(
      'bad_content',
    )
    expect(byeOf(given(login({ deviceId: 'a b' })).effects)).toBe('bad_id')
    expect(byeOf(given(login({ protocol: 2 })).effects)).toBe('unsupported')
  })
})

describe('an open session', () => {
  const send = (part: Partial<ClientFrames['send']> = {}): Input =>
    frame(
      {
        type: 'send',
        packId: newPackId(T0),
        to: 'bob',
        conversationId: null,
        contentType: 'text',
        content: '{"text":"hi"}',
        mentions: [],
        mentionAll: false,
        replyTo: null,
        ...part,
      },
      { text: 'hi' },
    )

  it('makes a command of a send: sender and device are the connection’s', () => {
    const packId = newPackId(T0)
    const { effects } = given(...open, send({ packId }))
    const [effect] = effects
    if (effect?.do !== 'append') throw new Error('no append')
    expect(effect.draft).toMatchObject({
      stream: 'p2p:alice:bob',
      sender: 'alice',
      device: 'd1',
      packId: parsePackId(packId),
    })
    expect(effect.draft.payload).toMatchObject({
      type: 'SendMessage',
      content: Buffer.from('{"text":"hi"}'),
    })
  })

  it('says accepted when the log has it, and the code when it may not', () => {
    const packId = newPackId(T0)
    const appended = (code: 'unavailable' | null): Input => ({ kind: 'appended', packId, code })
    expect(given(...open, send({ packId }), appended(null)).effects).toMatchObject([
      { frame: { type: 'accepted', packId } },
    ])
    expect(given(...open, send({ packId }), appended('unavailable')).effects).toMatchObject([
      { frame: { type: 'rejected', packId, code: 'unavailable', retryAfterMs: expect.any(Number) } },
    ])
  })

  it('sheds load above its commands in flight, and takes more once they are answered', () => {
    let session = given(...open).session
    let now = T0
    const run = (input: Input) => {
      now += 10
      const taken = step(session, input, now, { ...settings, heartbeatMs: 600_000 })
      session = taken.session
      return taken.effects
    }
    for (let i = 0; i < limits.commandsInFlightPerConnectionMax; i++)
      expect(run(send({ packId: newPackId(now) }))[0]?.do).toBe('append')
    expect(run(send())).toMatchObject([{ frame: { type: 'rejected', code: 'overloaded' } }])
    run({ kind: 'appended', packId: 'x', code: null })
    expect(run(send())[0]?.do).toBe('append')
  })

  it('holds a connection to its rate and says when to come again', () => {
    let session = given(...open).session
    for (let i = 0; i < limits.commandsBurstPerConnectionMax; i++)
      session = step(session, send(), T0, settings).session
    const { effects, session: after } = step(session, send(), T0, settings)
    expect(effects).toMatchObject([{ frame: { code: 'rate_limited', retryAfterMs: 5 } }])
    expect(step(after, send(), T0 + 5, settings).effects[0]?.do).toBe('append')
  })

  it('is closed after two silent periods; any frame counts', () => {
    expect(given(...open, [tick, 60_000]).session.phase).toBe('open')
    expect(byeOf(given(...open, [tick, 60_001]).effects)).toBe('heartbeat_timeout')
    expect(given(...open, [ping, 50_000], [tick, 100_000]).session.phase).toBe('open')
  })

  it('ends with its token', () => {
    const { session } = given(login({ heartbeatMs: 600_000 }), verified, allowed, entered, [ping, 3_599_000])
    expect(byeOf(step(session, tick, T0 + 3_600_000, settings).effects)).toBe('token_expired')
  })

  it.each([
    ['entering', [login(), verified]],
    ['open', open],
  ])('ends, %s, by a revocation that is younger than its token, and by no other', (phase, inputs) => {
    const issued: Input = {
      kind: 'verified',
      verdict: { ok: true, userId: 'alice', rights: [], issuedAt: T0, expiresAt: T0 + 3_600_000 },
    }
    const { session } = given(...inputs.map((input) => (input === verified ? issued : input)))
    const revoked = (notBefore: number) => step(session, { kind: 'revoked', notBefore }, T0, settings)
    expect(revoked(T0)).toMatchObject({ session: { phase }, effects: [] })
    expect(byeOf(revoked(T0 + 1).effects)).toBe('token_revoked')
  })

  it('checks a read mark before it is appended', () => {
    const mark = {
      type: 'markRead',
      packId: newPackId(T0),
      conversationId: 'g:x',
      seq: 2,
      ordinal: 2,
    } as const
    const [check] = given(...open, frame(mark)).effects
    if (check?.do !== 'check') throw new Error('no check')
    expect(check.check).toEqual({ of: 'mark', conversationId: 'g:x', seq: 2, ordinal: 2 })
    const checked = (code: 'bad_position' | null): Input => ({
      kind: 'checked',
      draft: check.draft,
      packId: mark.packId,
      result: { code, target: null },
    })
    expect(given(...open, frame(mark), checked(null)).effects).toMatchObject([
      { do: 'append', draft: { stream: 'u:alice' } },
    ])
    expect(given(...open, frame(mark), checked('bad_position')).effects).toMatchObject([
      { frame: { type: 'rejected', code: 'bad_position' } },
    ])
  })

  it('attaches what was found of an old message to the command that changes it', () => {
    const target = { seq: 2, ordinal: 2, sender: 'bob', time: 5, packId: Buffer.alloc(16, 1) }
    const react = {
      type: 'react',
      packId: newPackId(T0),
      conversationId: 'g:x',
      seq: 2,
      emoji: '👍',
      on: true,
    } as const
    const [check] = given(...open, frame(react)).effects
    if (check?.do !== 'check') throw new Error('no check')
    expect(check.check).toEqual({ of: 'target', conversationId: 'g:x', seq: 2 })
    const { draft } = check
    const payloadWith = (found: typeof target | null) => {
      const checked: Input = {
        kind: 'checked',
        draft,
        packId: react.packId,
        result: { code: null, target: found },
      }
      const [append] = given(...open, frame(react), checked).effects
      if (append?.do !== 'append') throw new Error('no append')
      return append.draft.payload
    }
    expect(payloadWith(null)).toMatchObject({ type: 'React', seq: 2, emoji: '👍', on: true, target: null })
    expect(payloadWith(target)).toMatchObject({ type: 'React', seq: 2, emoji: '👍', on: true, target })
  })

  it('is sent one overview at a time, in all of its batches', () => {
    const overview = frame({ type: 'overview', id: 7, limit: null, pages: null })
    const [asked] = given(...open, overview).effects
    expect(asked).toMatchObject({ do: 'read', id: 7, request: { kind: 'overview', limit: 50, pages: 20 } })
    expect(given(...open, overview, overview).effects).toMatchObject([
      { frame: { type: 'error', id: 7, code: 'rate_limited', retryAfterMs: expect.any(Number) } },
    ])
    const batch = { type: 'packed', id: 7, last: true, data: Buffer.alloc(1) } as const
    const read: Input = { kind: 'read', of: 'overview', answers: [{ ...batch, last: false }, batch] }
    expect(given(...open, overview, read).effects).toMatchObject([
      { frame: { last: false } },
      { frame: { last: true } },
    ])
    expect(given(...open, overview, read, overview).effects[0]?.do).toBe('read')
  })

  it('types at the rate of a person; what is faster is dropped without a word', () => {
    let session = given(...open).session
    const type = (conversationId: string) => {
      const taken = step(session, frame({ type: 'typing', conversationId }), T0, settings)
      session = taken.session
      return taken.effects
    }
    for (let i = 0; i < limits.typingBurstPerConnectionMax; i++)
      expect(type('p2p:alice:bob')).toEqual([{ do: 'typing', conversationId: 'p2p:alice:bob' }])
    expect(type('p2p:alice:bob')).toEqual([])
    expect(type('p2p:bob:carol')).toMatchObject([{ frame: { type: 'error', code: 'not_member' } }])
  })

  it('subscribes to the presence of users within limits', () => {
    const presence = (subscribe: string[], unsubscribe: string[] = []) =>
      given(...open, frame({ type: 'presence', id: 3, subscribe, unsubscribe })).effects
    expect(presence(['bob'], ['carol'])).toEqual([
      { do: 'presence', id: 3, subscribe: ['bob'], unsubscribe: ['carol'] },
    ])
    expect(presence(['a}b'])).toMatchObject([{ frame: { type: 'error', id: 3, code: 'bad_id' } }])
    const many = Array.from({ length: limits.presencePerRequestMax }, (_, i) => `u${i}`)
    expect(presence(many, ['x'])).toMatchObject([{ frame: { type: 'error', id: 3, code: 'too_many' } }])
  })

  it('answers what it cannot read by the best name it has', () => {
    const unreadable = (packId: string | null, id: number | null): Input => ({
      kind: 'unreadable',
      problem: { ok: false, code: 'bad_frame', message: 'm', packId, id },
    })
    expect(given(...open, unreadable('p', null)).effects).toMatchObject([
      { frame: { type: 'rejected', packId: 'p' } },
    ])
    expect(given(...open, unreadable(null, 3)).effects).toMatchObject([{ frame: { type: 'error', id: 3 } }])
    expect(given(...open, unreadable(null, null)).effects).toMatchObject([
      { frame: { type: 'error', id: null } },
    ])
  })

  it('a group’s id follows from its creator and packId, so that a retry meets the same stream', () => {
    const create = frame({ type: 'createGroup', packId: newPackId(T0), name: 'n', members: [] })
    const stream = () =>
      given(...open, create).effects.map((e) => (e.do === 'append' ? e.draft.stream : null))[0]
    expect(stream()).toMatch(/^g:[0-9a-f]{32}$/)
    expect(stream()).toBe(stream())
  })
})
