/** What the bench and its process of listeners say to each other. */
import type { Failed } from '../support/child.ts'

export type Order =
  | {
      readonly do: 'connect'
      readonly url: string
      readonly secret: Uint8Array
      /** Users are `<prefix><first>` and on. */
      readonly prefix: string
      readonly first: number
      readonly count: number
      readonly atOnce: number
    }
  /** From now on messages of this run are counted, at the first `listeners` connections. */
  | {
      readonly do: 'listen'
      readonly run: number
      readonly listeners: number
      readonly messages: number
    }
  /** Waits until all has come, or nothing has for a while. */
  | { readonly do: 'tell' }
  | { readonly do: 'close' }

export interface Heard {
  readonly received: number
  /** (message, listener) pairs that never came. */
  readonly missing: number
  readonly doubled: number
  readonly outOfOrder: number
  /** Connections that ended by themselves. */
  readonly closed: number
  /** From when a message was due. */
  readonly receivedMs: Float32Array
}

export type Answer =
  | { readonly done: 'ready' }
  | { readonly done: 'connected'; readonly ms: number }
  | { readonly done: 'listening' }
  | { readonly done: 'heard'; readonly heard: Heard }
  | { readonly done: 'closed' }
  | Failed
