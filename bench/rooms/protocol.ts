/** What the bench and its processes of listeners in a room say to each other. */
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
      readonly roomId: string
    }
  /** From now on what is shown counts. */
  | { readonly do: 'listen'; readonly run: number }
  /** Waits until everyone was shown the room up to this seq, or nothing has come for a while. */
  | { readonly do: 'tell'; readonly upTo: number }
  | { readonly do: 'close' }

export interface Shown {
  readonly listeners: number
  /** Messages shown, to all together. */
  readonly shown: number
  /** Said to be skipped, to all together. */
  readonly skipped: number
  readonly frames: number
  /** Messages neither shown nor said to be skipped, or shown twice. */
  readonly wrong: number
  /** Connections that ended by themselves. */
  readonly closed: number
  readonly fromMs: number
  readonly toMs: number
  /** From when a message was due. */
  readonly shownMs: Float32Array
}

export type Answer =
  | { readonly done: 'ready' }
  | { readonly done: 'connected'; readonly ms: number }
  | { readonly done: 'listening' }
  | { readonly done: 'told'; readonly shown: Shown }
  | { readonly done: 'closed' }
  | Failed
