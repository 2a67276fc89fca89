import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { frameCodecs } from '../../../gateway/frames/codecs.ts'
import { newSession, step } from '../../../gateway/session.ts'
import type { Effect, Input, Session } from '../../../gateway/session-types.ts'
import { encodeCommandPayload, sealCommand } from '../../../schemas/codec.ts'
import { isCode } from '../../../schemas/codes.ts'
import { type ClientFrame, clientFrames } from '../../../schemas/frames.ts'
import { type Choose, framesOf } from '../../support/any-frame.ts'
import { newPackId } from '../../support/gateway.ts'
import { encodeClientAvro } from '../../support/gateway-client.ts'

const T0 = 1_800_000_000_000
const settings = { heartbeatMs: 30_000, windows: { recallMs: 1, editMs: 2 } }

/** Now and then what fits, else what people who mean harm would send. */
const strings: Readonly<Record<string, readonly string[]>> = {
  packId: [newPackId(T0), newPackId(T0 - 1), newPackId(T0 + 100_000)],
  conversationId: [
    'g:x',
    'p2p:alice:bob',
    'p2p:bob:carol',
    'u:alice',
    'u:bob',
    'g:__proto__',
    'r:hall',
    'p2p:bob:alice',
  ],
  roomId: ['hall', '__proto__', 'a:b'],
  userId: ['bob', 'alice', '__proto__', 'constructor', 'a}b'],
  to: ['bob', 'alice', '__proto__'],
  contentType: ['text', 'image', 'location', 'card', 'custom', 'system', 'toString'],
  content: [
    '{"text":"hi"}',
    '{"latitude":1,"longitude":1e400}',
    '{"__proto__":1}',
    '{"userId":"bob"}',
    'null',
  ],
  emoji: ['👍', '👩‍👩‍👧‍👦', '\u0000', 'ab', '\u202e'],
  role: ['owner', 'admin', 'member', 'hasOwnProperty'],
  key: ['pin:g:x', 'theme', '__proto__', 'deleted:g:x'],
  value: ['1', '12', ''],
  query: ['hi', '%_\\\'"', ' '],
  birthday: ['2000-02-29', '2001-02-29', ''],
  custom: ['{}', '{"a":{"__proto__":1}}', '[', ''],
  avatar: ['https://example.com/a.png', 'javascript:1', ''],
  joinPolicy: ['open', 'valueOf'],
  before: ['abc', '\n'],
  after: ['abc', 'x'.repeat(300)],
}
const longs = [0, 1, -1, 2 ** 31, Number.MAX_SAFE_INTEGER - 1, Number.MIN_SAFE_INTEGER + 1, 2 ** 53]
const choose: Choose = (name, type) => {
  if (type === 'long') return fc.oneof(fc.constantFrom(...longs), fc.integer())
  const known = strings[name]
  const wild = name === 'content' ? fc.json() : fc.string({ unit: 'binary', maxLength: 40 })
  return (
    known && fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...known) }, { weight: 1, arbitrary: wild })
  )
}
const frames = framesOf<ClientFrame>(clientFrames, choose)
/** All that an open session does not answer by itself. */
const askedTypes = (Object.keys(clientFrames) as ClientFrame['type'][]).filter(
  (type) => type !== 'login' && type !== 'ping',
)

const open: readonly Input[] = [
  {
    kind: 'frame',
    frame: {
      type: 'login',
      token: 't',
      deviceId: 'd',
      deviceType: 'x',
      protocol: 1,
      heartbeatMs: null,
      proof: null,
    },
    content: null,
  },
  {
    kind: 'verified',
    verdict: { ok: true, userId: 'alice', rights: ['observe'], issuedAt: 0, expiresAt: T0 + 3_600_000 },
  },
  { kind: 'asked', answer: { decision: 'allow' } },
  { kind: 'entered', connectionId: 'c', gatewayId: 'gw' },
]
const opened = open.reduce<Session>(
  (session, input) => step(session, input, T0, settings).session,
  newSession(T0),
)

/** What follows from one frame's bytes at an open session. */
function answered(encoding: 'json' | 'avro', bytes: Buffer): readonly Effect[] {
  const decoded = frameCodecs[encoding].decode(bytes)
  const input: Input = decoded.ok
    ? { kind: 'frame', frame: decoded.frame, content: decoded.content }
    : { kind: 'unreadable', problem: decoded }
  return step(opened, input, T0, settings).effects
}

function expectAnswer(effects: readonly Effect[]): void {
  expect(effects.length).toBeGreaterThan(0)
  for (const effect of effects) {
    if (effect.do === 'send' && 'code' in effect.frame) expect(isCode(effect.frame.code)).toBe(true)
    if (effect.do === 'send') {
      for (const encoding of ['json', 'avro'] as const)
        expect(frameCodecs[encoding].encode(effect.frame).length).toBeLessThan(2_000)
    }
    if (effect.do === 'append' || effect.do === 'check') {
      const { draft } = effect
      expect(draft).toMatchObject({ sender: 'alice', device: 'd' })
      const { payload, ...command } = draft
      sealCommand({ ...command, ...encodeCommandPayload(payload), reply: null })
    }
  }
}

const jsonOf = (frame: ClientFrame): string =>
  `{${Object.entries(frame)
    .map(([name, value]) => `${JSON.stringify(name)}:${name === 'content' ? value : JSON.stringify(value)}`)
    .join(',')}}`

/** Undefined for a number that no client could write. */
function bytesOf(frame: ClientFrame, avro: boolean): Buffer | undefined {
  try {
    return avro ? (encodeClientAvro(frame) as Buffer) : Buffer.from(jsonOf(frame))
  } catch {
    return undefined
  }
}

describe('a login', () => {
  const inputs: readonly Input[] = [
    ...open,
    { kind: 'verified', verdict: { ok: false, code: 'token_invalid' } },
    { kind: 'asked', answer: { decision: 'refuse' } },
    { kind: 'asked', answer: { decision: 'challenge', challenge: '{}' } },
    { kind: 'asked', answer: { decision: 'unavailable' } },
    { kind: 'refused', code: 'too_many_connections' },
    { kind: 'revoked', notBefore: T0 },
    { kind: 'tick' },
    { kind: 'slow' },
  ]

  it('gets in only verified, then allowed, then registered, whatever comes in between', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...inputs), { maxLength: 12 }), (given) => {
        let session: Session = newSession(T0)
        const passed: Effect['do'][] = []
        for (const input of given) {
          const before = session
          const next = step(before, input, T0, settings)
          session = next.session
          for (const effect of next.effects) passed.push(effect.do)
          if (before.phase !== 'open' && next.session.phase === 'open')
            expect(passed).toEqual(['verify', 'ask', 'enter', 'send'])
        }
      }),
      { numRuns: 5_000 },
    )
  })
})

describe('an open session', () => {
  it('answers every frame of every type: with a code, an effect, never a throw', () => {
    fc.assert(
      fc.property(frames, fc.boolean(), (frame, avro) => {
        const bytes = bytesOf(frame, avro)
        if (bytes) expectAnswer(answered(avro ? 'avro' : 'json', bytes))
      }),
      { numRuns: 30_000 },
    )
  })

  // Were none of a type ever right, the frames above would prove little.
  it.each(askedTypes)('takes a right frame of type %s', (type) => {
    const isTaken = (frame: ClientFrame): boolean => {
      const bytes = bytesOf(frame, false)
      return bytes !== undefined && answered('json', bytes).some((effect) => effect.do !== 'send')
    }
    const tries = fc.sample(framesOf<ClientFrame>({ [type]: clientFrames[type] }, choose), 20_000)
    expect(tries.some(isTaken)).toBe(true)
  })

  it('answers frames that were changed on the way', () => {
    const change = fc.record({ at: fc.nat(), byte: fc.nat(255), cut: fc.nat(3) })
    fc.assert(
      fc.property(
        frames,
        fc.boolean(),
        fc.array(change, { minLength: 1, maxLength: 3 }),
        (frame, avro, changes) => {
          let bytes = bytesOf(frame, avro)
          if (!bytes) return
          for (const { at, byte, cut } of changes) {
            const place = at % (bytes.length + 1)
            bytes = Buffer.concat([
              bytes.subarray(0, place),
              Buffer.from([byte]),
              bytes.subarray(place + cut),
            ])
          }
          expectAnswer(answered(avro ? 'avro' : 'json', bytes))
        },
      ),
      { numRuns: 30_000 },
    )
  })
})
