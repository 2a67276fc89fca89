/** Who must hear of an accepted record: pure. */
import { isRoom, parseStream } from '../../schemas/ids.ts'
import { limits } from '../../schemas/limits.ts'
import { listedIn } from '../../schemas/listed.ts'
import type { Answer, Envelope, EventPayload, Signal } from '../../schemas/records.ts'
import type { ListEntry, StreamHead } from './ports.ts'
import { foldRoster, membersOf, observersOf, type RosterChange, type Rosters } from './roster.ts'

/** What one accepted record asks of fan-out. */
export interface Plan {
  readonly stream: string
  readonly head: StreamHead | null
  /** Users who learn of the conversation by this record: it goes into their lists before the online map is read. */
  readonly lists: readonly ListEntry[]
  /** How the event goes to a large group or a room, whose members only gateways know; null: to those named, and to nobody else. */
  readonly channel: ChannelPlan | null
  /** Users whose devices get the event; of a large group, those whom it lets in or puts out. */
  readonly recipients: readonly string[]
  /** Get it without being members. */
  readonly observers: readonly string[]
  /** Bytes of the record; null when nothing is pushed. */
  readonly event: Buffer | null
  readonly signal: SignalPlan | null
  /** Are told nothing, but may be told less of another from now on, or more. */
  readonly related: readonly string[]
  readonly answer: { readonly gateway: string; readonly answer: Answer } | null
}

export interface ChannelPlan {
  /** The group became large a moment ago: whoever has members of it may not have said so yet. */
  readonly everywhere: boolean
}

/** Told to people of another stream, once. `to` null: to the friends of `signal.user`, who are to be looked up. */
export interface SignalPlan {
  readonly signal: Signal
  readonly to: readonly string[] | null
}

const nobody: readonly string[] = []
const nothing = {
  head: null,
  lists: [],
  channel: null,
  recipients: nobody,
  observers: nobody,
  event: null,
  signal: null,
  related: nobody,
} as const

/** Plans one accepted record and folds its roster change. `now`: when fan-out handles it, ms. */
export function planRecord(
  rosters: Rosters,
  envelope: Envelope,
  payload: EventPayload | null,
  bytes: Buffer,
  now: number,
): Plan {
  const { stream, seq, ordinal, time } = envelope
  // Older than this, everybody who was online has long been told by heads.
  const late = now - time > limits.pushAgeMsMax
  const answer = late ? null : answerOf(envelope, payload)
  if (envelope.kind !== 'event' || payload === null) return { ...nothing, stream, answer }
  const observedBefore = observersOf(stream, rosters)
  const change = foldRoster(rosters, stream, payload, time)
  const isUserStream = stream.startsWith('u:')
  const told = {
    stream,
    head: isUserStream ? null : { stream, seq, ordinal, time },
    lists: isUserStream ? [] : listsOf(envelope, payload, change.joined),
    answer,
  }
  const largeSince = rosters.get(stream)?.largeSince ?? null
  const movesMembers = change.joined.length + change.left.length > 0
  // A gateway that is not told who came and went would keep a large group's members wrong for good.
  if (late && !(largeSince !== null && movesMembers)) return { ...nothing, ...told }
  return {
    ...told,
    channel: channelOf(stream, largeSince, time),
    ...audienceOf(stream, payload, rosters, change, observedBefore),
    event: bytes,
    signal: late ? null : signalOf(stream, payload),
    related: relatedBy(stream, payload),
  }
}

function channelOf(stream: string, largeSince: number | null, time: number): ChannelPlan | null {
  if (largeSince !== null) return { everywhere: time - largeSince < limits.becomingLargeMs }
  return isRoom(stream) ? { everywhere: false } : null
}

function audienceOf(
  stream: string,
  payload: EventPayload,
  rosters: Rosters,
  change: RosterChange,
  observedBefore: readonly string[],
): Pick<Plan, 'recipients' | 'observers'> {
  if (payload.type === 'Blocked' || payload.type === 'FriendDeleted')
    return { recipients: [payload.sender], observers: nobody }
  const recipients = recipientsOf(stream, rosters, change)
  const observedNow = observersOf(stream, rosters)
  if (observedBefore.length + observedNow.length === 0) return { recipients, observers: nobody }
  // Those who stop observing hear of it, and then no more.
  const observers = new Set([...observedBefore, ...observedNow])
  for (const user of recipients) observers.delete(user)
  return { recipients, observers: [...observers] }
}

/** The event itself is its sender's alone. */
function relatedBy(stream: string, payload: EventPayload): readonly string[] {
  if (payload.type !== 'Blocked' && payload.type !== 'FriendDeleted') return nobody
  const peer = peerIn(stream, payload.sender)
  return peer === null ? nobody : [peer]
}

function recipientsOf(stream: string, rosters: Rosters, change: RosterChange): readonly string[] {
  // Their gateways learn by their names whom they have of a group that has just become large.
  if (rosters.get(stream)?.largeSince != null && !change.becameLarge)
    return change.left.length > 0 ? change.left : change.joined
  const members = membersOf(stream, rosters)
  // Those who were removed hear of it, and then no more.
  return change.left.length > 0 ? [...members, ...change.left] : members
}

function signalOf(stream: string, payload: EventPayload): SignalPlan | null {
  if (!stream.startsWith('u:') || (payload.type !== 'ReadMarked' && payload.type !== 'ProfileSet'))
    return null
  const user = payload.sender
  if (payload.type === 'ProfileSet')
    return { signal: { kind: 'profile', user, conversationId: '', seq: 0 }, to: null }
  const { conversationId, seq } = payload
  const peer = peerIn(conversationId, user)
  return peer === null ? null : { signal: { kind: 'receipt', user, conversationId, seq }, to: [peer] }
}

function peerIn(stream: string, user: string): string | null {
  const ref = parseStream(stream)
  if (ref?.kind !== 'p2p' || !ref.users.includes(user)) return null
  return ref.users.find((other) => other !== user) ?? null
}

function listsOf(envelope: Envelope, payload: EventPayload, joined: readonly string[]): readonly ListEntry[] {
  const { stream: conversationId } = envelope
  const ref = parseStream(conversationId)
  const users = ref?.kind === 'p2p' ? listedIn(envelope, payload, ref.users) : joined
  return users.map((user) => ({ user, conversationId }))
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
