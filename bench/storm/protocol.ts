/** What the bench and its crowd say to each other. */
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
  /** All sockets at once, as when a load balancer dies; waits until all are back, for at most so long. */
  | { readonly do: 'drop'; readonly waitMsMax: number }
  | { readonly do: 'close' }

export interface Back {
  readonly count: number
  /** Those who are not. */
  readonly missing: number
  /** Logins that were tried, and those of them that the gateway turned away. */
  readonly tries: number
  readonly turnedAway: number
  /** From the drop, each one's. */
  readonly backMs: Float32Array
}

export type Answer =
  | { readonly done: 'ready' }
  | { readonly done: 'connected'; readonly ms: number }
  | { readonly done: 'back'; readonly back: Back }
  | { readonly done: 'closed' }
  | Failed
