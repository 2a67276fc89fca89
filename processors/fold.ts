/** The fold of one partition of im.events: which records count, and the state of every stream in it. */
import { type Position, START } from '../schemas/accept.ts'
import type { LogRecord } from '../schemas/ports.ts'
import { type Read, readRecord } from '../schemas/read.ts'
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
  /** Streams of another fold of the same records, which is ahead: what is equal is shared, to save memory. */
  twin: ReadonlyMap<string, StreamState> | null
}

export const emptyFold = (position: Position = START): Fold => ({
  position,
  now: 0,
  streams: new Map(),
  beforeChange: null,
  twin: null,
})

/** State of a stream, made at first use. Null when the id names no stream. */
export function streamIn(streams: Map<string, StreamState>, stream: string): StreamState | null {
  const known = streams.get(stream)
  if (known) return known
  const fresh = initialState(stream)
  if (fresh) streams.set(stream, fresh)
  return fresh
}

/** Judges one record by accept() and, where it counts, evolves its stream. */
export function foldRecord(fold: Fold, record: LogRecord): Read {
  const read = readRecord(fold.position, record)
  fold.position = read.next
  if (read.verdict === 'accept' && read.envelope) evolveInto(fold, read.envelope, read.payload)
  return read
}

/** The stream breaks, and only the stream, when its payload cannot be folded. */
export function evolveInto(fold: Fold, envelope: Envelope, payload: EventPayload | null): void {
  fold.now = Math.max(fold.now, envelope.time)
  const state = streamIn(fold.streams, envelope.stream)
  if (!state) return
  fold.beforeChange?.(state)
  try {
    if (payload === null) throw new Error('payload cannot be decoded')
    evolve(state, envelope, payload, fold.twin?.get(envelope.stream)?.answers)
  } catch {
    // Seq and ordinal still follow the envelope, so that numbering agrees with readers that could read it.
    if (envelope.kind === 'event') {
      state.seq = envelope.seq
      state.ordinal = envelope.ordinal
    }
    state.broken = true
  }
}
