/** Who must hear of an accepted record: pure. The roster is fan-out's own fold, so that no read model stands in the way of a push. */
import { parseStream } from '../../schemas/ids.ts'
import { limits } from '../../schemas/limits.ts'
import type { Answer, Envelope, EventPayload } from '../../schemas/records.ts'
import type { ListEntry, StreamHead } from './ports.ts'

/** Members of each group of a partition, as of the last record folded. */
export type Rosters = Map<string, Set<string>>

/** What one accepted record asks of fan-out. */
export interface Plan {
  readonly stream: string
  readonly head: StreamHead | null
  /** Users who learn of the conversation by this record: it goes into their lists before the online map is read. */
  readonly lists: readonly ListEntry[]
  /** Users whose devices get the event. */
  readonly recipients: readonly string[]
  /** Bytes of the record; null when nothing is pushed. */
  readonly event: Buffer | null
  readonly answer: { readonly gateway: string; readonly answer: Answer } | null
}

/** Plans one accepted record and folds its roster change. `now`: when fan-out handles it, ms. */
export function planRecord(
  rosters: Rosters,
  envelope: Envelope,
  payload: EventPayload | null,
  bytes: Buffer,
  now: number,
): Plan {
  const { stream, seq, ordinal, time } = envelope
  const answer = answerOf(envelope, payload)
  if (envelope.kind !== 'event' || payload === null)
    return { stream, head: null, lists: [], recipients: [], event: null, answer }
  const added = foldRoster(rosters, stream, payload)
  const recipients = recipientsOf(stream, payload, rosters)
  // Older than this, everybody who was online has long been told by heads.
  const late = now - time > limits.pushAgeMsMax
  const isUserStream = stream.startsWith('u:')
  return {
    stream,
    head: isUserStream ? null : { stream, seq, ordinal, time },
    lists: isUserStream ? [] : listsOf(stream, seq, added),
    recipients: late ? [] : recipients,
    event: late ? null : bytes,
    answer: late ? null : answer,
  }
}

/** Folds only; nobody is told. Used up to the position that was committed. */
export function foldRoster(rosters: Rosters, stream: string, payload: EventPayload): readonly string[] {
  switch (payload.type) {
    case 'GroupCreated':
      rosters.set(stream, new Set(payload.members))
      return payload.members
    case 'MembersAdded': {
      const roster = rosters.get(stream)
      for (const user of payload.members) roster?.add(user)
      return payload.members
    }
    case 'MembersRemoved': {
      const roster = rosters.get(stream)
      for (const user of payload.members) roster?.delete(user)
      return []
    }
    default:
      return []
  }
}

/** Members of a conversation now. */
export function membersOf(stream: string, rosters: Rosters): readonly string[] {
  const ref = parseStream(stream)
  if (ref?.kind === 'p2p') return ref.users[0] === ref.users[1] ? [ref.users[0]] : ref.users
  if (ref?.kind === 'user') return [ref.userId]
  return [...(rosters.get(stream) ?? [])]
}

function recipientsOf(stream: string, payload: EventPayload, rosters: Rosters): readonly string[] {
  const members = membersOf(stream, rosters)
  // Those who were removed hear of it, and then no more.
  return payload.type === 'MembersRemoved' ? [...members, ...payload.members] : members
}

function listsOf(stream: string, seq: number, added: readonly string[]): readonly ListEntry[] {
  const ref = parseStream(stream)
  // A single chat enters both lists with its first message; a stranger's first message must be found at once.
  if (ref?.kind === 'p2p') return seq === 1 ? ref.users.map((user) => ({ user, conversationId: stream })) : []
  return added.map((user) => ({ user, conversationId: stream }))
}

function answerOf(envelope: Envelope, payload: EventPayload | null): Plan['answer'] {
  const { reply, seq, ordinal, time } = envelope
  if (!reply || payload === null || payload.type === 'Claim') return null
  const { packId } = payload
  const base = { boot: reply.boot, connection: reply.connection, packId, repeat: false, conflict: false }
  const { gateway } = reply
  if (payload.type === 'Rejection')
    return { gateway, answer: { ...base, code: payload.code, seq: 0, ordinal, time } }
  if (payload.type === 'Repeat')
    return {
      gateway,
      answer: {
        ...base,
        code: payload.code,
        seq: payload.seq,
        ordinal: payload.ordinal,
        time: payload.time,
        repeat: true,
        conflict: payload.conflict,
      },
    }
  return { gateway, answer: { ...base, code: null, seq, ordinal, time } }
}
