/** The states of one connection, what can happen to it, and what follows, all as data. */
import type { CodeName } from '../schemas/codes.ts'
import type { ClientFrame, ClientFrames, Item, ServerFrame } from '../schemas/frames.ts'
import type { Target } from '../schemas/records.ts'
import type { Bucket } from './bucket.ts'
import type { CommandDraft } from './command-of.ts'
import type { Ending, Login } from './devices.ts'
import type { ParsedContent, Unreadable } from './frames/frame-codec.ts'
import type { LoginAnswer } from './login-answer.ts'
import type { ReadRequest } from './requests.ts'
import type { Right, Verdict } from './tokens/verdict.ts'

export interface Device {
  readonly deviceId: string
  readonly deviceType: string
}

/** Nothing came yet; it must be a login, and soon. */
export interface Fresh {
  readonly phase: 'fresh'
  readonly openedAt: number
}

/** The client waits for `welcome`. */
export interface Entering {
  readonly phase: 'entering'
  /** What is under way: the token's verification, the question to the login hook, the registration. */
  readonly stage: 'verify' | 'ask' | 'enter'
  readonly userId: string | null
  readonly rights: readonly Right[]
  readonly device: Device
  /** Until the hook was asked. */
  readonly proof: string | null
  readonly heartbeatMs: number
  readonly tokenIssuedAt: number
  readonly tokenExpiresAt: number
}

export interface Open {
  readonly phase: 'open'
  readonly userId: string
  readonly deviceId: string
  readonly rights: readonly Right[]
  readonly heartbeatMs: number
  readonly tokenIssuedAt: number
  readonly tokenExpiresAt: number
  readonly lastSeenAt: number
  readonly commands: Bucket
  readonly reads: Bucket
  /** Pings, acks and frames that could not be read. */
  readonly others: Bucket
  readonly typing: Bucket
  /** Commands whose append is not acknowledged yet. */
  readonly appending: number
  readonly reading: number
  /** Whether an overview is on its way: it is large, and one at a time is enough. */
  readonly overviewing: boolean
  /** Live room (`r:…`) that this connection is in, answered or not. */
  readonly room: string | null
  /** Counts what was asked of rooms. */
  readonly roomTicket: number
  /** Id of the joinRoom that is not answered yet. */
  readonly roomAsked: number | null
  /** Commands for rooms. */
  readonly roomCommands: Bucket
}

export interface Closed {
  readonly phase: 'closed'
}

export type Session = Fresh | Entering | Open | Closed

/** What the read models must say before a command may be appended. */
export type Check =
  | { readonly of: 'mark'; readonly conversationId: string; readonly seq: number; readonly ordinal: number }
  /** Of a message that may be older than what the stream's fold keeps. */
  | { readonly of: 'target'; readonly conversationId: string; readonly seq: number }

export interface Checked {
  /** Null: it may be appended. */
  readonly code: CodeName | null
  /** To be attached, where the stream itself may no longer know it. */
  readonly target: Target | null
}

export type Input =
  | { readonly kind: 'frame'; readonly frame: ClientFrame; readonly content: ParsedContent | null }
  | { readonly kind: 'unreadable'; readonly problem: Unreadable }
  /** What comes can no longer be told apart into frames. */
  | { readonly kind: 'broken'; readonly code: CodeName; readonly message: string | null }
  | { readonly kind: 'verified'; readonly verdict: Verdict }
  | { readonly kind: 'asked'; readonly answer: LoginAnswer }
  /** The attempt to register has ended, well or not. */
  | { readonly kind: 'entered'; readonly connectionId: string; readonly gatewayId: string }
  | { readonly kind: 'refused'; readonly code: CodeName; readonly retryAfterMs?: number }
  /** The log has the command (null), or may not have it. */
  | {
      readonly kind: 'appended'
      readonly packId: string
      readonly code: CodeName | null
      readonly retryAfterMs?: number
    }
  | {
      readonly kind: 'checked'
      readonly draft: CommandDraft
      readonly packId: string
      readonly result: Checked
    }
  /** An answer is one frame, or the batches of an overview. */
  | { readonly kind: 'read'; readonly of: ReadRequest['kind']; readonly answers: readonly ServerFrame[] }
  /** A sign of life without a frame. */
  | { readonly kind: 'seen' }
  /** Tokens of this user that were issued before count no more. */
  | { readonly kind: 'revoked'; readonly notBefore: number }
  /** The newest of a room were read, for the joinRoom of this ticket. */
  | {
      readonly kind: 'joined'
      readonly ticket: number
      readonly partial: boolean
      readonly headSeq: number
      readonly items: readonly Item[]
    }
  | { readonly kind: 'tick' }
  | { readonly kind: 'drain'; readonly reconnectAfterMs: number }
  | { readonly kind: 'slow' }
  /** A newer login of the user took its place. */
  | { readonly kind: 'ended'; readonly ending: Ending; readonly by: Login }

export type Effect =
  | { readonly do: 'send'; readonly frame: ServerFrame }
  | { readonly do: 'verify'; readonly token: string }
  /** May this login go on? Answered by `asked`, at once where there is no hook. */
  | {
      readonly do: 'ask'
      readonly userId: string
      readonly device: Device
      readonly proof: string | null
    }
  | { readonly do: 'enter'; readonly userId: string; readonly device: Device }
  /** `checked`: it was asked for by a `check` before, and counts towards its user's rate once. */
  | {
      readonly do: 'append'
      readonly draft: CommandDraft
      readonly packId: string
      readonly checked: boolean
    }
  | { readonly do: 'check'; readonly draft: CommandDraft; readonly packId: string; readonly check: Check }
  | { readonly do: 'read'; readonly id: number; readonly request: ReadRequest }
  | { readonly do: 'ack'; readonly acks: ClientFrames['ack']['acks'] }
  /** Shown to those who are online, or to nobody; never answered. */
  | { readonly do: 'typing'; readonly conversationId: string }
  /** Both lists hold well-formed ids and are within limits; answered by presenceResult under `id`. */
  | {
      readonly do: 'presence'
      readonly id: number
      readonly subscribe: readonly string[]
      readonly unsubscribe: readonly string[]
    }
  /** Out of any other room; answered by `joined` under this ticket. */
  | {
      readonly do: 'joinRoom'
      readonly ticket: number
      readonly conversationId: string
      readonly newest: number
    }
  | { readonly do: 'leaveRoom' }
  /** Null: the client logged out. */
  | { readonly do: 'close'; readonly code: CodeName | null }

export interface Step {
  readonly session: Session
  readonly effects: readonly Effect[]
}
