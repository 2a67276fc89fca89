/**
 * Streams of which everything is folded. They are drawn by a number made of the name, so that which they are does not depend on the
 * order of things, and the draw grows finer when there come to be too many.
 */
import type { Envelope, EventPayload } from '../../schemas/records.ts'
import { type ContentOpener, noContentKeys, withContent } from '../content-keys/follower.ts'
import { type PlainStream, plainStream } from './conversation.ts'
import { textHash } from './fingerprints.ts'

export interface Mark {
  readonly seq: number
  readonly ordinal: number
}

export interface Sample {
  apply(envelope: Envelope, payload: EventPayload | null): void
  readonly streams: ReadonlyMap<string, PlainStream>
  /** The furthest read mark. */
  mark(user: string, conversation: string): Mark
}

const NO_MARK: Mark = { seq: 0, ordinal: 0 }
const WHOLE = 2 ** 32

/** `max`: streams, Infinity for all. */
export function createSample(max: number, opener: Pick<ContentOpener, 'opened'> = noContentKeys): Sample {
  const streams = new Map<string, PlainStream>()
  /** By conversation and user. */
  const marks = new Map<string, Map<string, Mark>>()
  let below = WHOLE

  const isDrawn = (name: string): boolean => below === WHOLE || textHash(name).high < below

  function thin(): void {
    while (streams.size > max) {
      below = below / 2
      for (const name of streams.keys()) if (!isDrawn(name)) streams.delete(name)
      for (const name of marks.keys()) if (!isDrawn(name)) marks.delete(name)
    }
  }

  return {
    streams,
    mark: (user, conversation) => marks.get(conversation)?.get(user) ?? NO_MARK,
    apply(envelope, payload) {
      if (payload?.type === 'ReadMarked' && isDrawn(payload.conversationId)) {
        const { conversationId, sender, seq, ordinal } = payload
        const of = marks.get(conversationId) ?? new Map<string, Mark>()
        marks.set(conversationId, of)
        if (seq > (of.get(sender) ?? NO_MARK).seq) of.set(sender, { seq, ordinal })
      }
      const { stream } = envelope
      const found = streams.get(stream)
      if (!found && !isDrawn(stream)) return
      const plain = found ?? plainStream(stream)
      plain.apply(envelope, payload && (opener.opened(payload) ?? withContent(payload, null)))
      if (found) return
      streams.set(stream, plain)
      if (streams.size > max) thin()
    },
  }
}
