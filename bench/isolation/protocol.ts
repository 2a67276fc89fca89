/** What the measurement and the process that disturbs say to each other. */
import type { Failed } from '../support/child.ts'

export type Order =
  | {
      readonly do: 'prepare'
      readonly url: string
      readonly secret: Uint8Array
      readonly prefix: string
      readonly members: number
      readonly everyone: number
    }
  | { readonly do: 'disturb'; readonly what: Disturbance; readonly perSec: number; readonly seconds: number }
  | { readonly do: 'close' }

/**
 * flood: messages to one group of which all members are online. notice: messages to a group that everyone is in. logins: connections
 * that log in, ask what a client asks, and go. silent: TCP connections from one other address that say nothing. hammer: commands of one
 * connection, far over its rate.
 */
export type Disturbance = 'flood' | 'notice' | 'logins' | 'silent' | 'hammer'

export type Answer =
  | { readonly done: 'ready' }
  | { readonly done: 'prepared' }
  | { readonly done: 'disturbed'; readonly did: number; readonly refused: number; readonly heard: number }
  | { readonly done: 'closed' }
  | Failed
