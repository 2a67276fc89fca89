/**
 * State of one stream: a fold of its accepted records. Mutable for speed; only `evolve` changes it, and nothing in it
 * refers to a clock, a client or another stream.
 */
import { parseStream } from '../schemas/ids.ts'
import { type Answers, emptyAnswers, type FirstAnswer } from './answers.ts'

/** What single chats, groups and rooms have in common. */
export interface Messages {
  /** Newest messages in order of seq, at most limits.recentMessagesMax. */
  readonly recent: FirstAnswer[]
  /** Seqs of recalled messages, for ever, as sorted pairs [from, to, from, to, …]. */
  readonly recalled: number[]
  /** Seqs of pinned messages, the newest pin last. */
  readonly pinned: number[]
  /** Who follows without being a member. A list, like all that is mostly empty: a set takes 150 bytes for nothing. */
  readonly observers: string[]
}

export interface P2pState extends Messages {
  readonly kind: 'p2p'
  readonly users: readonly [string, string]
  friends: boolean
  /** Whose friend request waits for an answer. */
  askedBy: string | null
  /** Those of the two who block the other. */
  readonly blockers: string[]
}

export type JoinPolicy = 'open' | 'approval' | 'closed'
export type AddPolicy = 'members' | 'admins'

export interface GroupState extends Messages {
  readonly kind: 'group'
  exists: boolean
  dissolved: boolean
  /** Once over limits.groupNamedMembersMax, for ever. */
  large: boolean
  name: string
  /** A set copies ten times as fast as a map; roles other than `member` stand in `staff`. */
  readonly members: Set<string>
  /** Those members who are more than that. */
  readonly staff: Map<string, 'owner' | 'admin'>
  joinPolicy: JoinPolicy
  addPolicy: AddPolicy
  /** Only owner and admins may speak. */
  allMuted: boolean
  /** Until when a user is muted, broker time in ms. Outlives leaving, so that coming back is no way around it. */
  readonly mutes: Map<string, number>
  /** Who has asked to join. */
  readonly requests: Set<string>
}

/** Everyone who is in it may speak: that he is, his gateway knows. */
export interface RoomState extends Messages {
  readonly kind: 'room'
}

export interface UserState {
  readonly kind: 'user'
  readonly userId: string
  readonly reads: Map<string, { readonly seq: number; readonly ordinal: number }>
  /** Settings that are set: key → bytes of key and value. */
  readonly settings: Map<string, number>
  /** Their sum. */
  settingsBytes: number
}

/** With people who are in it for good. */
export type Lasting = P2pState | GroupState
export type Conversation = Lasting | RoomState

export interface StreamState {
  readonly stream: string
  seq: number
  ordinal: number
  /** A released event met an `evolve` that throws: the stream takes no commands, its partition goes on. */
  broken: boolean
  readonly answers: Answers
  readonly body: Conversation | UserState
}

/** The state before the first record; null when the id names no stream. */
export function initialState(stream: string): StreamState | null {
  const ref = parseStream(stream)
  return ref && { stream, seq: 0, ordinal: 0, broken: false, answers: emptyAnswers(), body: initialBody(ref) }
}

function initialBody(ref: NonNullable<ReturnType<typeof parseStream>>): StreamState['body'] {
  if (ref.kind === 'user')
    return { kind: 'user', userId: ref.userId, reads: new Map(), settings: new Map(), settingsBytes: 0 }
  const messages: Messages = { recent: [], recalled: [], pinned: [], observers: [] }
  if (ref.kind === 'p2p')
    return { kind: 'p2p', users: ref.users, ...messages, friends: false, askedBy: null, blockers: [] }
  if (ref.kind === 'room') return { kind: 'room', ...messages }
  return {
    kind: 'group',
    ...messages,
    exists: false,
    dissolved: false,
    large: false,
    name: '',
    members: new Set(),
    staff: new Map(),
    joinPolicy: 'approval',
    addPolicy: 'members',
    allMuted: false,
    mutes: new Map(),
    requests: new Set(),
  }
}

/** A copy that shares nothing mutable with the original. */
export const cloneState = (state: StreamState): StreamState => ({
  ...state,
  answers: { order: [...state.answers.order], floor: state.answers.floor },
  body: cloneBody(state.body),
})

function cloneBody(body: StreamState['body']): StreamState['body'] {
  if (body.kind === 'user') return { ...body, reads: new Map(body.reads), settings: new Map(body.settings) }
  const messages: Messages = {
    recent: [...body.recent],
    recalled: [...body.recalled],
    pinned: [...body.pinned],
    observers: [...body.observers],
  }
  if (body.kind === 'p2p') return { ...body, ...messages, blockers: [...body.blockers] }
  if (body.kind === 'room') return { ...body, ...messages }
  return {
    ...body,
    ...messages,
    members: new Set(body.members),
    staff: new Map(body.staff),
    mutes: new Map(body.mutes),
    requests: new Set(body.requests),
  }
}
