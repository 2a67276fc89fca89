/**
 * The pattern: a decision is data, made by pure functions from a stream's state and one command; facts that no single
 * stream owns come in with the command, and so does time.
 */
import type { CodeName } from '../schemas/codes.ts'
import type { Command, CommandPayload, CommandType, EventPayload } from '../schemas/records.ts'
import type { Windows } from '../schemas/windows.ts'
import type { FirstAnswer } from './answers.ts'
import type { StreamState } from './state.ts'

/** Fields that every event, rejection and repeat begins with. */
export type Origin = Pick<EventPayload & { type: 'Rejection' }, 'packId' | 'sender' | 'device' | 'bodyHash'>

export type CommandOf<T extends CommandType> = Extract<CommandPayload, { type: T }>
/** What changes the state of a stream. */
export type StreamEvent = Exclude<EventPayload, { type: 'Rejection' | 'Repeat' | 'Claim' }>

type WithoutOrigin<P> = P extends { type: infer T } ? { type: T } & Omit<P, 'type' | keyof Origin> : never
/** An event as the rules make it, before its origin is put in front. */
export type EventBody = WithoutOrigin<StreamEvent>

export type Decision =
  | { readonly kind: 'event'; readonly event: EventBody }
  | { readonly kind: 'rejection'; readonly code: CodeName }
  | { readonly kind: 'repeat'; readonly first: FirstAnswer; readonly conflict: boolean }

/** Who asks, when, and at which point of the stream. */
export interface Asked {
  readonly sender: string
  readonly packId: Buffer
  /** Broker time in ms, never stepping back within a partition. */
  readonly now: number
  /** Seq of the newest event of the stream. */
  readonly head: number
  readonly windows: Windows
}

export type Decide = (state: StreamState, command: Command, payload: CommandPayload, now: number) => Decision

export const reject = (code: CodeName): Decision => ({ kind: 'rejection', code })
export const happened = (event: EventBody): Decision => ({ kind: 'event', event })
