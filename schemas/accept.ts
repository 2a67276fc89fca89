/**
 * The one rule by which every reader of im.events decides which records count. It reads the envelope only, is strict
 * (a stale writer's record never counts) and dense (each source exactly once, in order).
 */
import type { Envelope } from './records.ts'

/** Where a reader stands in one partition. Valid only within the generation it names. */
export interface Position {
  readonly generation: number
  /** Next offset to read. */
  readonly offset: number
  /** Offset of the claim in force; −1 before the first. */
  readonly epoch: number
  /** Greatest source accepted in this generation; −1 before the first. */
  readonly last: number
}

export const START: Position = { generation: -1, offset: 0, epoch: -1, last: -1 }

export type Verdict =
  | 'accept'
  /** A claim in force from here on. */
  | 'claim'
  /** Of an older claim or generation: its writer had lost the partition. */
  | 'stale'
  /** A source that was accepted before. */
  | 'duplicate'
  /** A source above the next one in the current epoch. Dropped by all; the owner claims again, others raise an alarm. */
  | 'hole'
  /** Of a claim that this reader never saw: it must stop loudly. */
  | 'missed-claim'

type Head = Pick<Envelope, 'kind' | 'generation' | 'epoch' | 'source'>

export function verdictOf(at: Position, offset: number, record: Head): Verdict {
  if (offset < at.offset) return 'duplicate'
  if (record.kind === 'claim') return record.generation < at.generation ? 'stale' : 'claim'
  if (record.generation !== at.generation) return record.generation < at.generation ? 'stale' : 'missed-claim'
  if (record.epoch !== at.epoch) return record.epoch < at.epoch ? 'stale' : 'missed-claim'
  if (record.source === at.last + 1) return 'accept'
  return record.source <= at.last ? 'duplicate' : 'hole'
}

/** The position behind a record with this verdict. A claim moves `last` only where it opens a later generation. */
export function advance(at: Position, offset: number, record: Head, verdict: Verdict): Position {
  const next = offset + 1
  if (verdict === 'accept') return { ...at, offset: next, last: record.source }
  if (verdict !== 'claim') return { ...at, offset: next }
  const last = record.generation > at.generation ? record.source - 1 : at.last
  return { generation: record.generation, offset: next, epoch: offset, last }
}

/** Text form for commit metadata and stores: generation.offset.epoch.last */
export const formatPosition = (at: Position): string => `${at.generation}.${at.offset}.${at.epoch}.${at.last}`

/** Null for anything that formatPosition did not write. */
export function parsePosition(text: string | null | undefined): Position | null {
  const parts = text?.split('.').map(Number)
  if (parts?.length !== 4 || !parts.every(Number.isSafeInteger)) return null
  const [generation, offset, epoch, last] = parts as [number, number, number, number]
  return { generation, offset, epoch, last }
}
