/** The online map and the heads in Redis: fan-out's store and the gateway's registry. */
import type { FanoutStore, OnlineEntry } from '../../processors/fanout/ports.ts'

export interface OnlineRecord {
  readonly user: string
  readonly entry: OnlineEntry
}

/** The gateway's side. Every call rejects with Fault `redis_unavailable` within 500 ms when Redis does not answer; all are idempotent. */
export interface OnlineRegistry {
  register(record: OnlineRecord): Promise<void>
  /** Removes the field only if it is of this boot. `lastOfUser`: the user has no other connection on this gateway. */
  unregister(record: {
    readonly user: string
    readonly gateway: string
    readonly boot: string
    readonly connection: string
    readonly lastOfUser: boolean
  }): Promise<void>
  /** Rewrites fields with their new expiry; answers the connections whose field had been lost (tell those clients to resync). */
  refresh(records: readonly OnlineRecord[]): Promise<string[]>
  /** Says that all sockets of this boot are registered. */
  announce(gateway: string, boot: string): Promise<void>
  /** Takes the announcement back, if it is of this boot. */
  retract(gateway: string, boot: string): Promise<void>
  /** At start: removes what earlier boots of this gateway left. Answers how many records went. */
  clearGateway(gateway: string, bootNow: string): Promise<number>
  /** Removes records of this gateway that have expired or are of another boot than `liveBoot` (null: none lives). */
  sweep(gateway: string, liveBoot: string | null, now: number): Promise<number>
  connectionsOf(user: string): Promise<OnlineEntry[]>
  connection(user: string, connection: string): Promise<OnlineEntry | null>
  usersOf(gateway: string): Promise<string[]>
}

export type OnlineMap = FanoutStore & OnlineRegistry
