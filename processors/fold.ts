/** The fold of one partition of im.events: which records count, and the state of every stream in it. */
import { advance, type Position, START, type Verdict, verdictOf } from '../schemas/accept.ts'
import { decodeEventPayload, openEnvelope } from '../schemas/codec.ts'
import type { LogRecord } from '../schemas/ports.ts'
import type { Envelope, EventPayload } from '../schemas/records.ts'
import { evolve } from './evolve.ts'
import { initialState, type StreamState } from './state.ts'

export interface Fold {
  position: Position
  /** Greatest record time seen, in ms: the partition's clock. */
  now: number
  readonly streams: Map<string, StreamState>
  /** Told of a stream before it changes; a running snapshot copies it then. */
  beforeChange: ((state: StreamState) => void) | null
}

export interface Folded {
  readonly verdict: Verdict | 'unreadable'
  readonly offset: number
  readonly envelope: Envelope | null
  /** Decoded only where a reader above needs it; null also where it cannot be decoded. */
  readonly payload: EventPayload | null
  /** Why payload is null. */
  readonly fault: unknown
}

export const emptyFold = (position: Position = START): Fold => ({
  position,
  now: 0,
  streams: new Map(),
  beforeChange: null,
})

/** State of a stream, made at first use. Null when the id names no stream. */
export function streamIn(streams: Map<string, StreamState>, stream: string): StreamState | null {
  const known = streams.get(stream)
  if (known) return known
  const fresh = initialState(stream)
  if (fresh) streams.set(stream, fresh)
  return fresh
}

/** Judges one record by accept() and, where it counts, evolves its stream. A record that is no envelope is passed over by all readers alike. */
export function foldRecord(fold: Fold, record: LogRecord): Folded {
  const read = readRecord(fold.position, record)
  if (read.envelope === null) {
    fold.position = { ...fold.position, offset: Math.max(fold.position.offset, record.offset + 1) }
    return read
  }
  if (read.verdict === 'missed-claim') return read
  if (record.offset >= fold.position.offset) {
    fold.position = advance(fold.position, record.offset, read.envelope, read.verdict as Verdict)
  }
  if (read.verdict === 'accept') evolveInto(fold, read.envelope, read.payload)
  return read
}

/** Verdict and decoded payload of one record, nothing changed. */
export function readRecord(at: Position, record: LogRecord): Folded {
  const { offset } = record
  let envelope: Envelope
  try {
    if (!record.value) throw new Error('no value')
    envelope = openEnvelope(record.value)
  } catch (fault) {
    return { verdict: 'unreadable', offset, envelope: null, payload: null, fault }
  }
  const verdict = verdictOf(at, offset, envelope)
  if (verdict !== 'accept') return { verdict, offset, envelope, payload: null, fault: null }
  try {
    return { verdict, offset, envelope, payload: decodeEventPayload(envelope), fault: null }
  } catch (fault) {
    return { verdict, offset, envelope, payload: null, fault }
  }
}

/** The stream breaks, and only the stream, when its payload cannot be folded. */
export function evolveInto(fold: Fold, envelope: Envelope, payload: EventPayload | null): void {
  fold.now = Math.max(fold.now, envelope.time)
  const state = streamIn(fold.streams, envelope.stream)
  if (!state) return
  fold.beforeChange?.(state)
  try {
    if (payload === null) throw new Error('payload cannot be decoded')
    evolve(state, envelope, payload)
  } catch {
    // Seq and ordinal still follow the envelope, so that numbering agrees with readers that could read it.
    if (envelope.kind === 'event') {
      state.seq = envelope.seq
      state.ordinal = envelope.ordinal
    }
    state.broken = true
  }
}
