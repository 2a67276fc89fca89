/**
 * One partition as its owner sees it, pure: what it has read back (`tail`), what it has decided on top of that, and
 * which claim it holds. The shell around it appends, reads and waits.
 *
 * A claim is appended, then the log is folded up to it, then commands go on at the last accepted source + 1. Any claim
 * above one's own, and any sign of a lost append, means: throw the decided state away and claim again.
 */
import { encodeEventPayload, sealEnvelope } from '../../schemas/codec.ts'
import type { LogRecord } from '../../schemas/ports.ts'
import type { Read } from '../../schemas/read.ts'
import type { Envelope } from '../../schemas/records.ts'
import { emptyFold, evolveInto, type Fold, foldRecord } from '../fold.ts'
import type { Decide } from '../processor.ts'
import { cloneState, initialState, type StreamState } from '../state.ts'
import { answerCommand, type Written } from '../write.ts'

export interface OwnerOptions {
  /** Generation that this writer writes. */
  readonly generation: number
  /** Name of the writer, for the claim. */
  readonly owner: string
  readonly decide: Decide
}

type Phase =
  /** Folding what there is; no claim is out. */
  | { readonly name: 'reading' }
  /** A claim is being appended. */
  | { readonly name: 'claiming' }
  /** The claim stands at this offset; folding up to it. */
  | { readonly name: 'catching-up'; readonly claim: number }
  /** Deciding under this epoch. */
  | { readonly name: 'owning'; readonly epoch: number }

export interface Owner {
  phase(): Phase['name']
  tail(): Fold
  /** Greatest source decided under the claim in force. */
  decidedSource(): number
  /** The claim to append now. `firstSource` counts only if it opens a later generation. */
  claim(firstSource: number): Buffer
  /** The claim got this offset. */
  claimed(offset: number): void
  /**
   * The append of what was decided up to `lastSource` was acknowledged, ending below offset `end`. An acknowledgement alone
   * proves nothing: if the log, read back that far, does not hold it, the claim is treated as lost.
   */
  appended(end: number, lastSource: number): void
  /** An append failed or its outcome is unknown; or the shell learnt otherwise that its claim is lost. */
  lost(): void
  /** Folds records read back. Check `phase()` afterwards: it may have become owning, or reading (claim again). */
  fold(records: readonly LogRecord[], seen?: (read: Read, record: LogRecord) => void): void
  /** Decides commands in order while owning; records at or below decidedSource() are passed over. Throws SourceGap. */
  decide(records: readonly LogRecord[]): Written[]
}

/** im.commands does not continue where im.events ends: the logs are not of one generation. */
export class SourceGap extends Error {
  readonly expected: number
  readonly found: number
  constructor(expected: number, found: number) {
    super(`im.commands goes on at ${found}, im.events expects ${expected}`)
    this.name = 'SourceGap'
    this.expected = expected
    this.found = found
  }
}

/** A record of a claim that was never seen: this reader's log has a hole. */
export class MissedClaim extends Error {
  constructor(offset: number) {
    super(`record ${offset} of im.events belongs to a claim that was never read`)
    this.name = 'MissedClaim'
  }
}

export function createOwner(options: OwnerOptions, start: Fold = emptyFold()): Owner {
  const { generation, owner, decide } = options
  const tail = start
  let phase: Phase = { name: 'reading' }
  let decided = new Map<string, StreamState>()
  let decidedLast = -1
  let now = 0
  /** Acknowledged appends that were not read back yet, oldest first. */
  let acknowledged: { end: number; lastSource: number }[] = []

  /** Decided state begins anew on top of what was read back. */
  const forget = () => {
    decided = new Map()
    tail.twin = decided
  }

  const giveUp = () => {
    phase = { name: 'reading' }
    forget()
    acknowledged = []
  }

  /** Decided state is the tail's until this claim first touches the stream: no other writer's record counts since the claim. */
  const stateOf = (stream: string): StreamState | null => {
    const known = decided.get(stream)
    if (known) return known
    const read = tail.streams.get(stream)
    const state = read ? cloneState(read) : initialState(stream)
    if (state) decided.set(stream, state)
    return state
  }

  const settle = () => {
    if (phase.name === 'catching-up' && tail.position.offset > phase.claim) {
      if (tail.position.epoch !== phase.claim) return giveUp()
      forget()
      decidedLast = tail.position.last
      now = tail.now
      phase = { name: 'owning', epoch: phase.claim }
    } else if (phase.name === 'owning' && tail.position.epoch !== phase.epoch) giveUp()
    checkAcknowledged()
  }

  const checkAcknowledged = () => {
    while (acknowledged[0] && tail.position.offset >= acknowledged[0].end) {
      if (tail.position.last < acknowledged[0].lastSource) return giveUp()
      acknowledged.shift()
    }
  }

  return {
    phase: () => phase.name,
    tail: () => tail,
    decidedSource: () => decidedLast,
    claim(firstSource) {
      phase = { name: 'claiming' }
      return sealEnvelope(claimRecord(generation, firstSource, owner))
    },
    claimed(offset) {
      if (phase.name !== 'claiming') return
      phase = { name: 'catching-up', claim: offset }
      settle()
    },
    appended(end, lastSource) {
      if (phase.name !== 'owning') return
      acknowledged.push({ end, lastSource })
      checkAcknowledged()
    },
    lost: giveUp,
    fold(records, seen) {
      for (const record of records) {
        const read = foldRecord(tail, record)
        if (read.verdict === 'missed-claim') throw new MissedClaim(record.offset)
        // A hole under one's own claim: an append of ours went missing.
        if (read.verdict === 'hole' && phase.name === 'owning') giveUp()
        seen?.(read, record)
      }
      settle()
    },
    decide(records) {
      const written: Written[] = []
      for (const record of records) {
        if (phase.name !== 'owning') break
        if (record.offset <= decidedLast) continue
        if (record.offset !== decidedLast + 1) throw new SourceGap(decidedLast + 1, record.offset)
        now = Math.max(now, record.timestamp)
        const answer = answerCommand({ generation, epoch: phase.epoch, now, decide, stateOf }, record)
        evolveInto(
          { ...tail, streams: decided, beforeChange: null, twin: null },
          answer.envelope,
          answer.payload,
        )
        decidedLast = record.offset
        written.push(answer)
      }
      return written
    },
  }
}

/** The record that claims a partition, of the generation that its writer writes. */
export function claimRecord(generation: number, firstSource: number, owner: string): Envelope {
  return {
    kind: 'claim',
    generation,
    epoch: -1,
    source: firstSource,
    stream: '',
    seq: 0,
    ordinal: 0,
    time: 0,
    trace: null,
    reply: null,
    ...encodeEventPayload({ type: 'Claim', owner }),
  }
}
