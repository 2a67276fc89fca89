/**
 * State of one stream: a fold of its accepted records. Mutable for speed; only `evolve` changes it, and nothing in it
 * refers to a clock, a client or another stream.
 */
import { parseStream } from '../schemas/ids.ts'
import { type Answers, emptyAnswers, type FirstAnswer } from './answers.ts'

/** What recall and edit need to know of a message. */
export interface MessageFacts {
  readonly ordinal: number
  readonly sender: string
  readonly time: number
  /** Hex. */
  readonly packId: string
}

export type Role = 'owner' | 'member'

/** Messages of a single chat or group. */
export interface Messages {
  /** Newest messages by seq, oldest first, at most limits.recentMessagesMax. */
  readonly recent: Map<number, MessageFacts>
  /** Seqs of recalled messages, for ever, as sorted pairs [from, to, from, to, …]. */
  readonly recalled: number[]
}

export interface P2pState extends Messages {
  readonly kind: 'p2p'
  readonly users: readonly [string, string]
}

export interface GroupState extends Messages {
  readonly kind: 'group'
  exists: boolean
  name: string
  readonly members: Map<string, Role>
}

export interface UserState {
  readonly kind: 'user'
  readonly userId: string
  readonly reads: Map<string, { seq: number; ordinal: number }>
}

export interface StreamState {
  readonly stream: string
  seq: number
  ordinal: number
  /** A released event met an `evolve` that throws: the stream takes no commands, its partition goes on. */
  broken: boolean
  readonly answers: Answers
  readonly body: P2pState | GroupState | UserState
}

/** The state before the first record; null when the id names no stream. */
export function initialState(stream: string): StreamState | null {
  const ref = parseStream(stream)
  if (!ref) return null
  const messages = { recent: new Map<number, MessageFacts>(), recalled: [] }
  const body: StreamState['body'] =
    ref.kind === 'p2p'
      ? { kind: 'p2p', users: ref.users, ...messages }
      : ref.kind === 'group'
        ? { kind: 'group', exists: false, name: '', members: new Map(), ...messages }
        : { kind: 'user', userId: ref.userId, reads: new Map() }
  return { stream, seq: 0, ordinal: 0, broken: false, answers: emptyAnswers(), body }
}

/** A copy that shares nothing mutable with the original. */
export function cloneState(state: StreamState): StreamState {
  const { answers, body } = state
  return {
    ...state,
    answers: { byKey: new Map(answers.byKey), order: [...answers.order], floor: answers.floor },
    body:
      body.kind === 'user'
        ? { ...body, reads: new Map(body.reads) }
        : body.kind === 'p2p'
          ? { ...body, recent: new Map(body.recent), recalled: [...body.recalled] }
          : {
              ...body,
              recent: new Map(body.recent),
              recalled: [...body.recalled],
              members: new Map(body.members),
            },
  }
}

/** JSON text of a state; equal states give equal text. */
export function serializeState(state: StreamState): string {
  const { answers, body } = state
  const entries = answers.order.map((key) => {
    const a = answers.byKey.get(key) as FirstAnswer
    return [key, a.seq, a.ordinal, a.time, a.code, a.bodyHash]
  })
  const common = [state.stream, state.seq, state.ordinal, state.broken, answers.floor, entries]
  if (body.kind === 'user')
    return JSON.stringify([...common, [...body.reads].map(([c, r]) => [c, r.seq, r.ordinal])])
  const recent = [...body.recent].map(([seq, m]) => [seq, m.ordinal, m.sender, m.time, m.packId])
  const group = body.kind === 'group' ? [body.exists, body.name, [...body.members]] : null
  return JSON.stringify([...common, recent, body.recalled, group])
}

type Common = [
  string,
  number,
  number,
  boolean,
  number,
  [string, number, number, number, FirstAnswer['code'], number][],
]
type RecentRow = [number, number, string, number, string]

/** Inverse of serializeState. Throws on anything else. */
export function parseState(text: string): StreamState {
  const row = JSON.parse(text) as [...Common, ...unknown[]]
  const [stream, seq, ordinal, broken, floor, entries, ...rest] = row
  const state = initialState(stream)
  if (!state) throw new Error('a snapshot names no stream')
  Object.assign(state, { seq, ordinal, broken })
  state.answers.floor = floor
  for (const [key, s, o, time, code, bodyHash] of entries) {
    state.answers.order.push(key)
    state.answers.byKey.set(key, { seq: s, ordinal: o, time, code, bodyHash })
  }
  const { body } = state
  if (body.kind === 'user') {
    for (const [c, s, o] of rest[0] as [string, number, number][]) body.reads.set(c, { seq: s, ordinal: o })
    return state
  }
  for (const [s, o, sender, time, packId] of rest[0] as RecentRow[])
    body.recent.set(s, { ordinal: o, sender, time, packId })
  body.recalled.push(...(rest[1] as number[]))
  if (body.kind === 'group') {
    const [exists, name, members] = rest[2] as [boolean, string, [string, Role][]]
    Object.assign(body, { exists, name })
    for (const [user, role] of members) body.members.set(user, role)
  }
  return state
}
