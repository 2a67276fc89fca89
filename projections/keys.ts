/** Names of the Redis keys. Conversation keys carry `{<conversationId>}`, user keys `{<userId>}`, so that a Cluster keeps each group together. */
const PREFIX = 'lw:'

export const keys = {
  /** Hash: seq, ordinal, time (raised by fan-out and timeline), applied, message, floor (timeline's). */
  head: (conversationId: string): string => `${PREFIX}head:{${conversationId}}`,
  /** List of the newest items; the last one is of seq `applied`. */
  timeline: (conversationId: string): string => `${PREFIX}tl:{${conversationId}}`,
  /** Sorted set of changes, score = event seq, member = `<event seq>:<target seq>:<e|r>`. */
  changes: (conversationId: string): string => `${PREFIX}chg:{${conversationId}}`,
  /** Sorted set of recalled ordinals. */
  recalled: (conversationId: string): string => `${PREFIX}rec:{${conversationId}}`,
  /** Sorted set of mentions, score = ordinal, member = `<ordinal>:<user or *>`. */
  mentions: (conversationId: string): string => `${PREFIX}men:{${conversationId}}`,
  /** Sorted set of members, score = seq of the last change, negative for those who left. */
  members: (conversationId: string): string => `${PREFIX}members:{${conversationId}}`,
  /** Hash: name. */
  group: (conversationId: string): string => `${PREFIX}grp:{${conversationId}}`,
  /** Set of conversation ids. */
  conversations: (user: string): string => `${PREFIX}convs:{${user}}`,
  /** Hash: group stream → membership facts. */
  memberships: (user: string): string => `${PREFIX}mem:{${user}}`,
  /** Hash: conversation → `<seq>:<ordinal>`. */
  reads: (user: string): string => `${PREFIX}read:{${user}}`,
  /** Sorted set of the ordinals of one's own messages above the read position. */
  own: (user: string, conversationId: string): string => `${PREFIX}own:{${user}}:${conversationId}`,
  /** Hash: partition → position of the Redis projections. */
  positions: (): string => `${PREFIX}pos:live`,
  connect: (user: string): string => `${PREFIX}connect:{${user}}`,
  connectUsers: (gateway: string): string => `${PREFIX}connectUsers:${gateway}`,
  announced: (gateway: string): string => `${PREFIX}announced:${gateway}`,
} as const
