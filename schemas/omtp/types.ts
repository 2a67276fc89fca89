/**
 * Type numbers of OMTP frames, in both directions, by business area: hundreds are areas, and each leaves room. A number never
 * changes and is never given again; a new frame takes a free one of its area.
 */
import type { ClientFrames, ServerFrames } from '../frames.ts'

/** What a client may send. */
export const clientTypes = {
  // 100: the connection
  login: 101,
  logout: 103,
  ping: 105,
  // 200: messages
  send: 201,
  recall: 211,
  edit: 213,
  react: 215,
  pin: 217,
  markRead: 219,
  ack: 221,
  typing: 223,
  // 300: lists, history, sync
  heads: 301,
  conversations: 303,
  overview: 305,
  history: 307,
  sync: 309,
  lookup: 311,
  search: 313,
  readers: 315,
  // 400: groups
  createGroup: 401,
  dissolveGroup: 403,
  addMembers: 405,
  removeMembers: 407,
  setGroup: 409,
  setRole: 411,
  mute: 413,
  muteAll: 415,
  requestJoin: 417,
  answerJoin: 419,
  group: 421,
  members: 423,
  observe: 431,
  // 500: people
  requestFriend: 501,
  answerFriend: 503,
  deleteFriend: 505,
  block: 507,
  relations: 509,
  setProfile: 521,
  profiles: 523,
  setSetting: 531,
  settings: 533,
  presence: 541,
  // 600: live rooms
  joinRoom: 601,
  leaveRoom: 603,
} as const satisfies Record<keyof ClientFrames, number>

/** What a gateway sends. Odd numbers are the clients', even ones the server's. */
export const serverTypes = {
  // 100: the connection
  welcome: 102,
  bye: 104,
  pong: 106,
  error: 108,
  resync: 110,
  // 200: messages
  accepted: 202,
  committed: 204,
  rejected: 206,
  event: 208,
  receipt: 220,
  userTyping: 224,
  // 300: lists, history, sync
  headsResult: 302,
  conversationsResult: 304,
  packed: 306,
  historyResult: 308,
  syncResult: 310,
  lookupResult: 312,
  searchResult: 314,
  readersResult: 316,
  head: 318,
  // 400: groups
  groupResult: 422,
  membersResult: 424,
  // 500: people
  relationsResult: 510,
  profileChanged: 522,
  profilesResult: 524,
  settingsResult: 534,
  presenceResult: 542,
  presenceChanges: 544,
  // 600: live rooms
  roomResult: 602,
  roomItems: 604,
} as const satisfies Record<keyof ServerFrames, number>

const invert = <T extends string>(table: Readonly<Record<T, number>>): ReadonlyMap<number, T> =>
  new Map(Object.entries(table).map(([type, number]) => [number as number, type as T]))

export const clientTypeOf = invert(clientTypes)
export const serverTypeOf = invert(serverTypes)
