/** One record of im.events as any reader takes it: judged by accept(), its payload decoded where it counts. Pure. */
import { advance, type Position, type Verdict, verdictOf } from './accept.ts'
import { decodeEventPayload, openEnvelope } from './codec.ts'
import type { LogRecord } from './ports.ts'
import type { Envelope, EventPayload } from './records.ts'

export interface Read {
  /** `unreadable`: no envelope; all readers pass over it alike. */
  readonly verdict: Verdict | 'unreadable'
  readonly offset: number
  readonly envelope: Envelope | null
  /** Of an accepted record; null where this reader cannot decode it. */
  readonly payload: EventPayload | null
  /** Why envelope or payload could not be decoded; else null. */
  readonly fault: unknown
  /** The position behind the record; the one before it where a claim was missed. */
  readonly next: Position
}

export function readRecord(at: Position, record: LogRecord): Read {
  const { offset } = record
  let envelope: Envelope
  try {
    if (!record.value) throw new Error('no value')
    envelope = openEnvelope(record.value)
  } catch (fault) {
    const next = { ...at, offset: Math.max(at.offset, offset + 1) }
    return { verdict: 'unreadable', offset, envelope: null, payload: null, fault, next }
  }
  const verdict = verdictOf(at, offset, envelope)
  const next = verdict === 'missed-claim' || offset < at.offset ? at : advance(at, offset, envelope, verdict)
  if (verdict !== 'accept') return { verdict, offset, envelope, payload: null, fault: null, next }
  try {
    return { verdict, offset, envelope, payload: decodeEventPayload(envelope), fault: null, next }
  } catch (fault) {
    return { verdict, offset, envelope, payload: null, fault, next }
  }
}
