/** Names of the Redis keys. Conversation keys carry `{<conversationId>}`, user keys `{<userId>}`, so that a Cluster keeps each group together. */
export const KEY_PREFIX = 'lw:'

/** What the keys of one namespace of the projections begin with. */
export const prefixOf = (namespace: string): string => (namespace === '' ? KEY_PREFIX : `lw@${namespace}:`)

/** What follows the prefix of a key, up to the next colon, in those that are no projection's: they are in no namespace. */
export const onlineKinds = [
  'connect',
  'connectUsers',
  'gateways',
  'announced',
  'interest',
  'signals',
] as const

/** Raised by each release that keeps anything more or in another form: its Redis is then built from the log anew. */
const FORM = 3

/**
 * A hash of which it says `latest` holds `<seq>;<value>` per field: only a higher seq replaces it, and `<seq>` alone stands for
 * what was taken away. So what comes twice or late changes nothing.
 */
export const keys = {
  /** Hash: seq, ordinal, time (raised by fan-out and timeline); applied, message, last, floor (timeline's). */
  head: (conversationId: string): string => `${KEY_PREFIX}head:{${conversationId}}`,
  /** List of the newest items; the last one is of seq `applied`. */
  timeline: (conversationId: string): string => `${KEY_PREFIX}tl:{${conversationId}}`,
  /** Sorted set of changes, score = event seq, member = `<event seq>:<target seq>:<e|r>`. */
  changes: (conversationId: string): string => `${KEY_PREFIX}chg:{${conversationId}}`,
  /** Sorted set of recalled ordinals. */
  recalled: (conversationId: string): string => `${KEY_PREFIX}rec:{${conversationId}}`,
  /** Sorted set of the same by their text, `<author>:<ordinal in 16 digits>`. */
  recalledBy: (conversationId: string): string => `${KEY_PREFIX}recBy:{${conversationId}}`,
  /** Sorted set by text, `<user>:<ordinal in 16 digits>`: messages that name the user, above what he has read. */
  mentions: (conversationId: string): string => `${KEY_PREFIX}men:{${conversationId}}`,
  /** Sorted set of messages that name everyone, score = ordinal, member = `<ordinal>:<author>`. */
  mentionsAll: (conversationId: string): string => `${KEY_PREFIX}menAll:{${conversationId}}`,
  /** Sorted set of the ordinals in `named`. */
  naming: (conversationId: string): string => `${KEY_PREFIX}men:order:{${conversationId}}`,
  /** Hash, latest: ordinal → whom that message names as it stands now, as `ann,bob`. */
  named: (conversationId: string): string => `${KEY_PREFIX}men:by:{${conversationId}}`,
  /** Sorted set of reactions, score = seq of the message, member = `<seq>:<user>:<emoji>`. */
  reactions: (conversationId: string): string => `${KEY_PREFIX}react:{${conversationId}}`,
  /** Hash, latest: member of `reactions` → empty. */
  reacted: (conversationId: string): string => `${KEY_PREFIX}reacted:{${conversationId}}`,
  /** Hash, latest: seq of a pinned message → empty. */
  pinned: (conversationId: string): string => `${KEY_PREFIX}pinned:{${conversationId}}`,
  /** Sorted set: user → seq up to which he has read. */
  readers: (conversationId: string): string => `${KEY_PREFIX}readers:{${conversationId}}`,
  /** Sorted set of members, score = seq of the last change, negative for those who left. */
  members: (conversationId: string): string => `${KEY_PREFIX}members:{${conversationId}}`,
  /** Hash, latest: name, avatar, announcement, custom, joinPolicy, addPolicy, allMuted, dissolved, large. */
  group: (conversationId: string): string => `${KEY_PREFIX}group:{${conversationId}}`,
  /** Hash, latest: user → owner or admin. Counts only if it is not older than the user's membership. */
  roles: (conversationId: string): string => `${KEY_PREFIX}roles:{${conversationId}}`,
  /** Hash, latest: user → until when, broker time in ms. */
  muted: (conversationId: string): string => `${KEY_PREFIX}muted:{${conversationId}}`,
  /** Hash, latest: who waits for an answer → `<time>:<note>`. */
  joins: (conversationId: string): string => `${KEY_PREFIX}joins:{${conversationId}}`,
  /** Set of conversation ids. */
  conversations: (user: string): string => `${KEY_PREFIX}convs:{${user}}`,
  /** Hash: group stream → membership facts. */
  memberships: (user: string): string => `${KEY_PREFIX}mem:{${user}}`,
  /** Hash: stream → facts of observing. */
  observing: (user: string): string => `${KEY_PREFIX}obs:{${user}}`,
  /** Hash: conversation → `<seq>:<ordinal>`. */
  reads: (user: string): string => `${KEY_PREFIX}read:{${user}}`,
  /** Hash: chunk of ordinals → which of them are one's own messages; what lies below the read position goes. */
  own: (user: string, conversationId: string): string => `${KEY_PREFIX}mine:{${user}}:${conversationId}`,
  /** Hash, latest: key → value. */
  settings: (user: string): string => `${KEY_PREFIX}set:{${user}}`,
  /** Hash, latest: those settings that say what stands in the conversation list, and where: `pin:…` and `deleted:…`. */
  listSettings: (user: string): string => `${KEY_PREFIX}lset:{${user}}`,
  /** Hash, latest: field of the profile → value. */
  profile: (user: string): string => `${KEY_PREFIX}prof:{${user}}`,
  /** Hash, latest: `f:<other>` → `<state>:<time>:<note>`, `b:<other>` → empty while this user blocks the other. */
  relations: (user: string): string => `${KEY_PREFIX}rel:{${user}}`,
  /** Hash: partition → position of the Redis projections. */
  positions: (): string => `${KEY_PREFIX}pos:live:${FORM}`,
  connect: (user: string): string => `${KEY_PREFIX}connect:{${user}}`,
  /** Set of gateways that have announced themselves. */
  gateways: (): string => `${KEY_PREFIX}gateways`,
  connectUsers: (gateway: string): string => `${KEY_PREFIX}connectUsers:${gateway}`,
  announced: (gateway: string): string => `${KEY_PREFIX}announced:${gateway}`,
  /** Hash: gateway that has members of this large group → `<boot>;<when it expires, ms>`. */
  interest: (conversationId: string): string => `${KEY_PREFIX}interest:{${conversationId}}`,
  /** Channel of what other gateways tell this one. */
  signals: (gateway: string): string => `${KEY_PREFIX}signals:${gateway}`,
} as const
