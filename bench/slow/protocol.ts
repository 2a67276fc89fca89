/** What the bench and its process of slow clients say to each other. */
import type { Failed } from '../support/child.ts'

export type Order =
  | {
      readonly do: 'connect'
      readonly url: string
      readonly secret: Uint8Array
      /** Users are `<prefix><n>`. */
      readonly prefix: string
      readonly count: number
      readonly atOnce: number
    }
  /** They read no more. */
  | { readonly do: 'stop-reading' }
  | { readonly do: 'close' }

export type Answer =
  | { readonly done: 'ready' }
  | { readonly done: 'connected'; readonly ms: number }
  | { readonly done: 'silent' }
  | { readonly done: 'closed' }
  | Failed
