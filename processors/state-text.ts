/** A stream's state as one line of JSON text, for snapshots. Equal states give equal text. */
import { answerTo, type FirstAnswer } from './answers.ts'
import { type AddPolicy, initialState, type JoinPolicy, type Messages, type StreamState } from './state.ts'

const ROWS_PER_PIECE = 1_000

export const serializeState = (state: StreamState): string => [...textOf(state)].join('')

/** The text in pieces of at most ROWS_PER_PIECE rows, so that a group of any size needs no long turn. */
export function* textOf(state: StreamState): Generator<string> {
  const { stream, seq, ordinal, broken, answers, body } = state
  yield `[${JSON.stringify([stream, seq, ordinal, broken, answers.floor]).slice(1, -1)},`
  yield* listText(answers.order, answerRow)
  if (body.kind === 'user') {
    yield ','
    yield* listText(body.reads, ([conversation, read]) => [conversation, read.seq, read.ordinal])
    yield ','
    yield* listText(body.settings)
    yield ']'
    return
  }
  yield ','
  yield* listText(body.recent, (message) => recentRow(state, message))
  yield ','
  yield* listText(body.recalled)
  yield `,${JSON.stringify([body.pinned, body.observers]).slice(1, -1)},`
  if (body.kind === 'p2p') yield `${JSON.stringify([body.friends, body.askedBy, body.blockers])}]`
  else if (body.kind === 'room') yield '[]]'
  else {
    const { exists, dissolved, large, name, joinPolicy, addPolicy, allMuted, staff } = body
    const flags = [exists, dissolved, large, name, joinPolicy, addPolicy, allMuted, [...staff]]
    yield `[${JSON.stringify(flags).slice(1, -1)},`
    yield* listText(body.members)
    yield ','
    yield* listText(body.mutes)
    yield ','
    yield* listText(body.requests)
    yield ']]'
  }
}

function* listText<T>(rows: Iterable<T>, rowOf: (row: T) => unknown = (row) => row): Generator<string> {
  let piece: unknown[] = []
  let lead = '['
  for (const row of rows) {
    piece.push(rowOf(row))
    if (piece.length < ROWS_PER_PIECE) continue
    yield lead + JSON.stringify(piece).slice(1, -1)
    lead = ','
    piece = []
  }
  if (piece.length > 0) yield lead + JSON.stringify(piece).slice(1, -1)
  else if (lead === '[') yield lead
  yield ']'
}

type AnswerRow = [string, number, number, number, FirstAnswer['code'], number]

const answerRow = (a: FirstAnswer): AnswerRow => [a.key, a.seq, a.ordinal, a.time, a.code, a.bodyHash]

/** A message whose answer is remembered needs only its seq: the facts stand there. */
function recentRow(state: StreamState, message: FirstAnswer): number | AnswerRow {
  return answerTo(state.answers, message.key)?.seq === message.seq ? message.seq : answerRow(message)
}

const answerOf = ([key, seq, ordinal, time, code, bodyHash]: AnswerRow): FirstAnswer => ({
  key,
  seq,
  ordinal,
  time,
  code,
  bodyHash,
})

type Head = [string, number, number, boolean, number, AnswerRow[]]
type UserRest = [[string, number, number][], [string, number][]]
type ConversationRest = [(number | AnswerRow)[], number[], number[], string[], unknown[]]
type P2pRest = [boolean, string | null, string[]]
type GroupRest = [
  boolean,
  boolean,
  boolean,
  string,
  JoinPolicy,
  AddPolicy,
  boolean,
  [string, 'owner' | 'admin'][],
  string[],
  [string, number][],
  string[],
]

/** Inverse of serializeState. Throws on anything else. */
export function parseState(text: string): StreamState {
  const row = JSON.parse(text) as [...Head, ...unknown[]]
  const [stream, seq, ordinal, broken, floor, answers, ...rest] = row
  const state = initialState(stream)
  if (!state) throw new Error('a snapshot names no stream')
  Object.assign(state, { seq, ordinal, broken })
  state.answers.floor = floor
  for (const answer of answers) state.answers.order.push(answerOf(answer))
  const { body } = state
  if (body.kind === 'user') {
    const [reads, settings] = rest as UserRest
    for (const [conversation, s, o] of reads) body.reads.set(conversation, { seq: s, ordinal: o })
    for (const [key, bytes] of settings) {
      body.settings.set(key, bytes)
      body.settingsBytes += bytes
    }
    return state
  }
  const own = parseMessages(state, body, rest as ConversationRest)
  if (body.kind === 'p2p') {
    const [friends, askedBy, blockers] = own as P2pRest
    Object.assign(body, { friends, askedBy })
    body.blockers.push(...blockers)
    return state
  }
  if (body.kind === 'room') return state
  const [exists, dissolved, large, name, joinPolicy, addPolicy, allMuted, staff, members, mutes, requests] =
    own as GroupRest
  Object.assign(body, { exists, dissolved, large, name, joinPolicy, addPolicy, allMuted })
  for (const [user, role] of staff) body.staff.set(user, role)
  for (const user of members) body.members.add(user)
  for (const [user, until] of mutes) body.mutes.set(user, until)
  for (const user of requests) body.requests.add(user)
  return state
}

/** Answers what stands behind the part that all conversations have. */
function parseMessages(state: StreamState, body: Messages, rest: ConversationRest): unknown[] {
  const [recent, recalled, pinned, observers, own] = rest
  const bySeq = new Map(state.answers.order.map((answer) => [answer.seq, answer]))
  for (const row of recent) {
    const message = typeof row === 'number' ? bySeq.get(row) : answerOf(row)
    if (!message) throw new Error('a snapshot names a message without its facts')
    body.recent.push(message)
  }
  for (const value of recalled) body.recalled.push(value)
  body.pinned.push(...pinned)
  body.observers.push(...observers)
  return own
}
