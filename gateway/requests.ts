/** Requests for what was: checked and brought within limits before a read model sees them. Pure. */
import type { ClientFrames, Range } from '../schemas/frames.ts'
import { parsePackId } from '../schemas/ids.ts'
import { limits } from '../schemas/limits.ts'
import { type Author, conversationFor, type Refusal } from './command-of.ts'

export type RequestFrame = ClientFrames['heads' | 'conversations' | 'history' | 'sync' | 'lookup']

export type ReadRequest =
  | { readonly kind: 'heads' }
  | { readonly kind: 'conversations'; readonly limit: number }
  | {
      readonly kind: 'history'
      readonly conversationId: string
      readonly before: number | null
      readonly after: number | null
      readonly limit: number
    }
  | {
      readonly kind: 'sync'
      readonly conversationId: string
      readonly ranges: readonly Range[]
      readonly changesUpTo: number
    }
  | { readonly kind: 'lookup'; readonly conversationId: string; readonly packId: string }

const clamp = (asked: number | null, standard: number, max: number): number =>
  Math.min(max, Math.max(1, asked ?? standard))
const isSeq = (value: number | null): boolean => value === null || value >= 0

export function requestOf(frame: RequestFrame, author: Author): ReadRequest | Refusal {
  if (frame.type === 'heads') return { kind: 'heads' }
  if (frame.type === 'conversations')
    return {
      kind: 'conversations',
      limit: clamp(frame.limit, limits.conversationsPageDefault, limits.conversationsPageMax),
    }
  const conversationId = readable(frame.conversationId, author.userId)
  if (typeof conversationId !== 'string') return conversationId
  switch (frame.type) {
    case 'history':
      if (frame.before !== null && frame.after !== null)
        return { code: 'bad_frame', detail: 'Give "before" or "after", not both.' }
      if (!isSeq(frame.before) || !isSeq(frame.after)) return { code: 'bad_position' }
      return {
        kind: 'history',
        conversationId,
        before: frame.before,
        after: frame.after,
        limit: clamp(frame.limit, limits.pageMessagesDefault, limits.pageMessagesMax),
      }
    case 'sync':
      if (frame.ranges.length > limits.rangesPerSyncMax) return { code: 'too_many' }
      if (frame.changesUpTo < 0 || frame.ranges.some((range) => range.from < 0 || range.to < range.from))
        return { code: 'bad_position' }
      return { kind: 'sync', conversationId, ranges: frame.ranges, changesUpTo: frame.changesUpTo }
    case 'lookup':
      if (!parsePackId(frame.packId)) return { code: 'pack_id_invalid' }
      return { kind: 'lookup', conversationId, packId: frame.packId }
  }
}

/** One's own user stream is readable too: read marks are caught up from it. */
function readable(conversationId: string, userId: string): string | Refusal {
  return conversationId === `u:${userId}` ? conversationId : conversationFor(conversationId, userId)
}
