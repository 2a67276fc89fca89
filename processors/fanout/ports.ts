/** What fan-out needs from the outside beside the log. infra/redis implements it; tests use a map. */

export interface StreamHead {
  readonly stream: string
  readonly seq: number
  readonly ordinal: number
  readonly time: number
}

/** One connection of a user, as its gateway registered it. Valid only while that boot of that gateway lives and it has not expired. */
export interface OnlineEntry {
  readonly gateway: string
  readonly boot: string
  readonly connection: string
  readonly deviceId: string
  readonly deviceType: string
  readonly loginAt: number
  readonly expiresAt: number
}

/** A gateway that has members of a large group, or somebody in a room. Valid only while that boot of it lives and it has not expired. */
export interface Interest {
  readonly gateway: string
  readonly boot: string
  readonly expiresAt: number
}

export interface ListEntry {
  readonly user: string
  readonly conversationId: string
}

/** Every call rejects with a Fault within 500 ms when the store does not answer. */
export interface FanoutStore {
  /** Raises heads (never lowers) and adds conversations to the lists of users. Idempotent. */
  writeHeads(heads: readonly StreamHead[], lists: readonly ListEntry[]): Promise<void>
  /** All connections of these users that the map knows, expired ones included. */
  locate(users: readonly string[]): Promise<Map<string, OnlineEntry[]>>
  /** Boot id under which each gateway said that all its sockets are registered; missing = not said, or lost. */
  announced(gateways: readonly string[]): Promise<Map<string, string>>
  /** Gateways that registered interest in these large groups, expired ones included; missing = none has, or it was lost. */
  interested(streams: readonly string[]): Promise<Map<string, readonly Interest[]>>
  /** Friends of each of these users, of whom neither blocks the other, at most `max` each. */
  friends(users: readonly string[], max: number): Promise<Map<string, string[]>>
}
