/** What the bench and its load processes say to each other. */
import type { Failed } from '../support/child.ts'

export type Order =
  | {
      readonly do: 'connect'
      readonly url: string
      readonly secret: Uint8Array
      /** Users are `<prefix>-<first>` and on; an even one and the next are a pair. */
      readonly prefix: string
      readonly first: number
      readonly count: number
      readonly codec: 'json' | 'avro'
      readonly atOnce: number
    }
  | {
      readonly do: 'run'
      /** Different for each run, so that a straggler of an earlier one is not counted. */
      readonly run: number
      readonly perSec: number
      readonly seconds: number
      readonly textBytes: number
      /** Longest wait for what is still open when the last message was sent. */
      readonly drainMsMax: number
    }
  | { readonly do: 'close' }

export interface RunTally {
  readonly due: number
  readonly sent: number
  readonly committed: number
  readonly refused: number
  readonly received: number
  /** Committed, and never came to its receiver. */
  readonly lost: number
  /** Sent, and neither committed nor refused when the time was up: still on its way. */
  readonly unanswered: number
  readonly doubled: number
  readonly outOfOrder: number
  readonly resends: number
  readonly reconnects: number
  /** From when a message was due. */
  readonly committedMs: Float32Array
  readonly receivedMs: Float32Array
  /** How late the generator itself sent. */
  readonly sendLateMsMax: number
}

export type Answer =
  | { readonly done: 'ready' }
  | { readonly done: 'connected'; readonly count: number; readonly ms: number }
  | { readonly done: 'run'; readonly tally: RunTally }
  | { readonly done: 'closed' }
  | Failed
