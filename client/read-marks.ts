/** Read marks: at most one per conversation in 2 s. */
import type { Clock } from '../schemas/ports.ts'
import { type Coalescer, createCoalescer } from './coalesce.ts'

const EVERY_MS = 2_000

export interface ReadMarksDeps {
  readonly clock: Clock
  /** The message at or before `seq` that a mark can name; null: there is none. */
  readonly placeOf: (conversationId: string, seq: number) => Promise<{ seq: number; ordinal: number } | null>
  readonly submit: (conversationId: string, seq: number, ordinal: number) => Promise<unknown>
}

export const createReadMarks = ({ clock, placeOf, submit }: ReadMarksDeps): Coalescer =>
  createCoalescer({
    clock,
    everyMs: EVERY_MS,
    async run(conversationId, seq, done) {
      const place = await placeOf(conversationId, seq)
      if (place && place.seq > done) await submit(conversationId, place.seq, place.ordinal)
    },
  })
