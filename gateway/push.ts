/**
 * What one connection was pushed and has not acknowledged, per stream. Frames are kept by reference, so a group's message
 * stands in memory once. The state is owned by its connection and changed in place: this is the hottest path of a
 * gateway. Pure otherwise; time is passed in.
 */
import type { Item } from '../schemas/frames.ts'
import { editedMessage, recalledMessage } from '../schemas/item.ts'

/** A message of which the ledger is to be told; shared by all pushes of it. */
export interface LedgerMessage {
  readonly conversation: string
  readonly seq: number
  /** The broker's. */
  readonly time: number
  /** When fan-out wrote the delivery. */
  readonly fannedAt: number
  /** It stands for so many messages. */
  readonly oneOf: number
}

/** One event, encoded at most once per encoding. */
export interface PushedEvent {
  readonly item: Item
  /** Rough size in memory. */
  readonly bytes: number
  readonly ledger?: LedgerMessage | null
}

export interface Unacked<E extends PushedEvent = PushedEvent> {
  event: E
  readonly firstAt: number
  /** The last time. */
  pushedAt: number
  resends: number
}

interface StreamState<E extends PushedEvent> {
  /** Seq pushed last; what is not above it is dropped. */
  last: number
  /** In seq order. */
  unacked: Unacked<E>[]
}

export interface PushState<E extends PushedEvent> {
  readonly streams: Map<string, StreamState<E>>
  count: number
  bytes: number
  /** No entry is due for a resend before this. */
  dueAt: number
}

export interface PushLimits {
  readonly framesMax: number
  readonly bytesMax: number
  readonly streamsMax: number
  readonly ackTimeoutMs: number
  readonly resendsMax: number
}

export const newPushState = <E extends PushedEvent>(): PushState<E> => ({
  streams: new Map(),
  count: 0,
  bytes: 0,
  dueAt: Number.POSITIVE_INFINITY,
})

/** `send`: new to this connection. `drop`: it had this seq. `slow`: the window is full, the connection must go. */
export type PushVerdict = 'send' | 'drop' | 'slow'

export function push<E extends PushedEvent>(
  state: PushState<E>,
  event: E,
  now: number,
  limits: PushLimits,
): PushVerdict {
  const { conversationId, seq } = event.item
  const stream = streamOf(state, conversationId, limits)
  if (seq <= stream.last) return 'drop'
  if (state.count >= limits.framesMax || state.bytes + event.bytes > limits.bytesMax) return 'slow'
  stream.last = seq
  stream.unacked.push({ event, firstAt: now, pushedAt: now, resends: 0 })
  state.count += 1
  state.bytes += event.bytes
  if (state.count === 1) state.dueAt = now + limits.ackTimeoutMs
  return 'send'
}

function streamOf<E extends PushedEvent>(
  state: PushState<E>,
  conversationId: string,
  limits: PushLimits,
): StreamState<E> {
  let stream = state.streams.get(conversationId)
  if (stream) return stream
  if (state.streams.size >= limits.streamsMax) forgetOne(state)
  stream = { last: 0, unacked: [] }
  state.streams.set(conversationId, stream)
  return stream
}

/** The oldest stream with nothing unacked goes; the client drops by itself what it then may get twice. */
function forgetOne<E extends PushedEvent>(state: PushState<E>): void {
  for (const [id, stream] of state.streams) {
    if (stream.unacked.length > 0) continue
    state.streams.delete(id)
    return
  }
}

/** The client knows this seq by other means (its own committed message). */
export function noteKnown<E extends PushedEvent>(
  state: PushState<E>,
  conversationId: string,
  seq: number,
  limits: PushLimits,
): void {
  const stream = streamOf(state, conversationId, limits)
  if (seq > stream.last) stream.last = seq
}

/** True if a head hint for this seq tells the connection something new. */
export const isBehind = <E extends PushedEvent>(
  state: PushState<E>,
  conversationId: string,
  seq: number,
): boolean => seq > (state.streams.get(conversationId)?.last ?? 0)

/** Cumulative: everything of the stream up to `seq` is stored by the client. Answers how many were let go; `note` is shown those for the ledger. */
export function acknowledge<E extends PushedEvent>(
  state: PushState<E>,
  conversationId: string,
  seq: number,
  note?: (entry: Unacked<E>) => void,
): number {
  const unacked = state.streams.get(conversationId)?.unacked
  if (!unacked || unacked.length === 0) return 0
  let count = 0
  for (const entry of unacked) {
    if (entry.event.item.seq > seq) break
    state.bytes -= entry.event.bytes
    if (note && entry.event.ledger) note(entry)
    count += 1
  }
  if (count === unacked.length) unacked.length = 0
  else if (count > 0) unacked.splice(0, count)
  state.count -= count
  return count
}

export type Resend<E extends PushedEvent> =
  | { readonly kind: 'none' }
  | { readonly kind: 'resend'; readonly events: readonly E[] }
  /** Sent resendsMax times again without an ack. */
  | { readonly kind: 'slow' }

const nothing = { kind: 'none' } as const

/**
 * What is due to be sent again at `now`, by seq within each stream; streams in which something was recalled or edited come first,
 * so that nobody is shown longer than needed what was taken back. Counts it as sent.
 */
export function resend<E extends PushedEvent>(
  state: PushState<E>,
  now: number,
  limits: PushLimits,
): Resend<E> {
  if (state.count === 0 || now < state.dueAt) return nothing
  const urgent: E[] = []
  const others: E[] = []
  let dueAt = Number.POSITIVE_INFINITY
  for (const { unacked } of state.streams.values()) {
    const due: E[] = []
    for (const entry of unacked) {
      if (now - entry.pushedAt >= limits.ackTimeoutMs) {
        if (entry.resends >= limits.resendsMax) return { kind: 'slow' }
        entry.resends += 1
        entry.pushedAt = now
        due.push(entry.event)
      }
      dueAt = Math.min(dueAt, entry.pushedAt + limits.ackTimeoutMs)
    }
    const into = due.some(({ item }) => isChange(item)) ? urgent : others
    for (const event of due) into.push(event)
  }
  state.dueAt = dueAt
  const events = urgent.length === 0 ? others : urgent.concat(others)
  return events.length === 0 ? nothing : { kind: 'resend', events }
}

const isChange = ({ kind }: Item): boolean => kind === 'recalled' || kind === 'edited'

/**
 * A recall or an edit: what still waits for its ack is replaced, so that a resend never shows what was taken back: the
 * message itself, and after a recall the earlier edits of it. `make` builds the event that stands in its place; `replaced` hears of
 * each, since what was written may not have left yet.
 */
export function replaceChanged<E extends PushedEvent>(
  state: PushState<E>,
  change: Item,
  make: (item: Item, before: E) => E,
  replaced: (before: E, after: E) => void = () => {},
): void {
  if (change.targetSeq === null || !isChange(change)) return
  for (const entry of state.streams.get(change.conversationId)?.unacked ?? []) {
    const replacement = changedBy(change, entry.event.item)
    if (!replacement) continue
    const before = entry.event
    entry.event = make(replacement, before)
    state.bytes += entry.event.bytes - before.bytes
    replaced(before, entry.event)
  }
}

/** The item as it stands after a recall or an edit; null: that does not concern it. */
export function changedBy(change: Item, item: Item): Item | null {
  if (change.targetSeq === null || !isChange(change)) return null
  // What was recalled has no content left, and an edit brings none back.
  if (item.content === null) return null
  if (item.kind === 'message' && item.seq === change.targetSeq)
    return change.kind === 'recalled' ? recalledMessage(item, change) : editedMessage(item, change)
  if (item.kind === 'edited' && item.targetSeq === change.targetSeq && change.kind === 'recalled')
    return { ...recalledMessage(item, change), targetSeq: item.targetSeq }
  return null
}
