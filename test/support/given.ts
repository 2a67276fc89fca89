/**
 * `given(stream, commands…).when(command).then(…)` over the real writer, decide, evolve and codecs. What happened before
 * is told as commands that must all have been taken; every record goes through bytes on its way into the state.
 */
import { expect } from 'vitest'
import { decide } from '../../processors/decide.ts'
import { emptyFold, evolveInto, type Fold, streamIn } from '../../processors/fold.ts'
import type { Decide } from '../../processors/processor.ts'
import type { StreamState } from '../../processors/state.ts'
import { answerCommand, type Written } from '../../processors/write.ts'
import { decodeEventPayload, openEnvelope, sealEnvelope } from '../../schemas/codec.ts'
import type { CodeName } from '../../schemas/codes.ts'
import type { Command, CommandPayload, Envelope, EventPayload, EventType } from '../../schemas/records.ts'
import { commandOf, commandRecord, packId, T0 } from './commands.ts'

export interface Said {
  readonly by: string
  readonly payload: CommandPayload
  /** Ms after T0 at the broker. Default: one more than the command before. */
  readonly at?: number
  /** Default: one of its own, made at `at`. */
  readonly packId?: Buffer
  readonly command?: Partial<Command>
  /** Raw bytes in place of the whole command. */
  readonly raw?: Buffer
}

export const by = (user: string, payload: CommandPayload, more: Partial<Said> = {}): Said => ({
  by: user,
  payload,
  ...more,
})

export interface Scene {
  readonly fold: Fold
  readonly stream: string
  /** Answers one command, folds the answer, and returns both as they came out of their bytes. */
  say(said: Said): Answer
  state(): StreamState
}

export interface Answer {
  readonly envelope: Envelope
  readonly payload: EventPayload
  readonly defect: Written['defect']
}

export function scene(stream: string, rules: Decide = decide): Scene {
  const fold = emptyFold()
  let source = 0
  let at = 0
  return {
    fold,
    stream,
    say(said) {
      at = said.at ?? at + 1
      const offset = source++
      const id = said.packId ?? packId(T0 + at, offset + 1)
      const command = said.raw ?? commandOf(stream, said.by, id, said.payload, said.command)
      const written = answerCommand(
        { generation: 0, epoch: 0, now: T0 + at, decide: rules, stateOf: (of) => streamIn(fold.streams, of) },
        commandRecord(offset, T0 + at, command),
      )
      const envelope = openEnvelope(sealEnvelope(written.envelope))
      const payload = decodeEventPayload(envelope)
      expect(payload).toEqual(written.payload)
      evolveInto(fold, envelope, payload)
      return { envelope, payload, defect: written.defect }
    },
    state: () => streamIn(fold.streams, stream) as StreamState,
  }
}

export interface Then {
  /** The command became this event; fields that are not named are free. */
  event<T extends EventType>(type: T, fields?: Partial<Extract<EventPayload, { type: T }>>): Answer
  rejection(code: CodeName): Answer
  repeat(fields?: Partial<Extract<EventPayload, { type: 'Repeat' }>>): Answer
}

export const given = (stream: string, ...before: Said[]) => givenBy(decide, stream, ...before)

/** The same by other rules. */
export function givenBy(
  rules: Decide,
  stream: string,
  ...before: Said[]
): { when(said: Said): Then; scene: Scene } {
  const on = scene(stream, rules)
  for (const said of before) {
    const { envelope, payload } = on.say(said)
    if (envelope.kind !== 'event') throw new Error(`given ${said.payload.type}: ${JSON.stringify(payload)}`)
  }
  return {
    scene: on,
    when(said) {
      const answer = on.say(said)
      const { envelope, payload } = answer
      return {
        event(type, fields = {}) {
          expect({ kind: envelope.kind, ...payload }).toMatchObject({ kind: 'event', type, ...fields })
          return answer
        },
        rejection(code) {
          expect({ kind: envelope.kind, ...payload, seq: envelope.seq }).toMatchObject({
            kind: 'rejection',
            type: 'Rejection',
            code,
            seq: 0,
          })
          return answer
        },
        repeat(fields = {}) {
          expect({ kind: envelope.kind, ...payload, at: envelope.seq }).toMatchObject({
            kind: 'repeat',
            type: 'Repeat',
            at: 0,
            ...fields,
          })
          return answer
        },
      }
    },
  }
}
