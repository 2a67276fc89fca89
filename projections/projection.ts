/**
 * The pattern: `project(accepted) → writes` is pure and says only what its own stream says; a sink applies writes idempotently
 * and keeps the position. A rebuild is the same code from offset 0.
 */

import type { Position } from '../schemas/accept.ts'
import type { LogRange } from '../schemas/ports.ts'
import type { Envelope, EventPayload } from '../schemas/records.ts'

/** A record of im.events that counts. */
export interface Accepted {
  readonly partition: number
  readonly offset: number
  /** When the log took it. */
  readonly loggedAt?: number
  readonly envelope: Envelope
  /** Null where the payload could not be decoded: its seq still has to be answered. */
  readonly payload: EventPayload | null
}

export interface Projection<Write> {
  readonly name: string
  project(record: Accepted): readonly Write[]
}

/** Where accepted records end up, with the position they stand for. All calls may be repeated; rejections are retried by the reader. */
export interface Sink {
  /**
   * Takes a partition over: where to go on reading. A missing position, one of another generation or beyond the log means 0,
   * and so does `fresh`: the stored one has turned out not to fit this log. Whether the log still holds what comes there is the
   * reader's to see to.
   */
  begin(partition: number, range: LogRange, fresh: boolean): Promise<Position>
  /** Writes the records and then, now or soon, the position behind them. `lost`: the sink misses earlier records, begin again. */
  apply(partition: number, records: readonly Accepted[], next: Position): Promise<'applied' | 'lost'>
  /** Resolves once all that was applied is there, for a sink that answers before; from this call on it answers when it is. */
  settled?(): Promise<void>
  /** Called often: persists positions, looks for losses. Answers the partitions that must begin again. */
  tick(): Promise<readonly number[]>
  release(partition: number): void
}
