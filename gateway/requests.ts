/** Requests for what was: checked and brought within limits before a read model sees them. Pure. */
import { parseCursor } from '../projections/reads/cursor.ts'
import { parsePlace } from '../projections/reads/members.ts'
import { placeIn } from '../projections/reads/search.ts'
import type { ClientFrame, Range } from '../schemas/frames.ts'
import { isId, parsePackId } from '../schemas/ids.ts'
import { limits } from '../schemas/limits.ts'
import { type Author, anyConversation, conversationFor, groupFor } from './command-of.ts'
import { type Refusal, refuse } from './refusal.ts'
import { problemIn, values } from './values.ts'

/** Frames with an id that are answered from the read models. */
export type RequestFrame = Exclude<
  Extract<ClientFrame, { id: number }>,
  { type: 'ping' | 'presence' | 'joinRoom' | 'leaveRoom' }
>

export type ReadRequest =
  | { readonly kind: 'heads' }
  | { readonly kind: 'relations' }
  | { readonly kind: 'settings' }
  | { readonly kind: 'conversations'; readonly before: string | null; readonly limit: number }
  | { readonly kind: 'overview'; readonly limit: number; readonly pages: number }
  | { readonly kind: 'group'; readonly conversationId: string }
  | {
      readonly kind: 'members'
      readonly conversationId: string
      readonly after: string | null
      readonly limit: number
    }
  | {
      readonly kind: 'readers'
      readonly conversationId: string
      readonly seq: number
      readonly after: string | null
      readonly limit: number
    }
  | {
      readonly kind: 'search'
      readonly query: string
      readonly conversationId: string | null
      readonly before: string | null
      readonly limit: number
    }
  | { readonly kind: 'profiles'; readonly userIds: readonly string[] }
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

export function requestOf(frame: RequestFrame, author: Author): ReadRequest | Refusal {
  switch (frame.type) {
    case 'heads':
    case 'relations':
    case 'settings':
      return { kind: frame.type }
    case 'conversations':
      return (
        cursorRefusal(frame.before, parseCursor) ?? {
          kind: 'conversations',
          before: frame.before,
          limit: clamp(frame.limit, limits.conversationsPageDefault, limits.conversationsPageMax),
        }
      )
    case 'overview':
      return {
        kind: 'overview',
        limit: clamp(frame.limit, limits.conversationsPageDefault, limits.conversationsPageMax),
        pages: clamp(frame.pages, limits.overviewPagesDefault, limits.overviewPagesMax, 0),
      }
    case 'profiles':
      if (frame.userIds.length > limits.profilesPerRequestMax) return refuse('too_many')
      return frame.userIds.every(isId) ? { kind: 'profiles', userIds: frame.userIds } : refuse('bad_id')
    case 'search':
      return searchOf(frame, author)
    case 'group': {
      // A single chat has pinned messages, too.
      const conversationId = legible(frame.conversationId, author)
      return typeof conversationId === 'string' ? { kind: 'group', conversationId } : conversationId
    }
    case 'members':
    case 'readers':
      return ofGroup(frame)
    default:
      return ofStream(frame, author)
  }
}

const clamp = (asked: number | null, standard: number, max: number, min = 1): number =>
  Math.min(max, Math.max(min, asked ?? standard))

/** `parse` is the read model's own: only what it made is a cursor. */
const cursorRefusal = (cursor: string | null, parse: (text: string) => unknown): Refusal | null =>
  cursor === null || parse(cursor) ? null : refuse('bad_position')

type Of<T extends RequestFrame['type']> = Extract<RequestFrame, { type: T }>

function searchOf(frame: Of<'search'>, author: Author): ReadRequest | Refusal {
  const { query, before } = frame
  const within = frame.conversationId === null ? null : legible(frame.conversationId, author)
  if (within !== null && typeof within !== 'string') return within
  const problem = problemIn(values.query, query, 'query')
  if (problem !== null) return refuse('bad_content', problem)
  const limit = clamp(frame.limit, limits.searchPageDefault, limits.searchPageMax)
  return cursorRefusal(before, placeIn) ?? { kind: 'search', query, conversationId: within, before, limit }
}

function ofGroup(frame: Of<'members' | 'readers'>): ReadRequest | Refusal {
  const conversationId = groupFor(frame.conversationId)
  if (typeof conversationId !== 'string') return conversationId
  const { after } = frame
  const refusal = cursorRefusal(after, frame.type === 'members' ? parsePlace : isId)
  if (refusal) return refusal
  if (frame.type === 'members') {
    const limit = clamp(frame.limit, limits.membersPageDefault, limits.membersPageMax)
    return { kind: 'members', conversationId, after, limit }
  }
  if (frame.seq < 1) return refuse('no_such_message')
  const limit = clamp(frame.limit, limits.readersPageDefault, limits.readersPageMax)
  return { kind: 'readers', conversationId, seq: frame.seq, after, limit }
}

function ofStream(frame: Of<'history' | 'sync' | 'lookup'>, author: Author): ReadRequest | Refusal {
  // One's own user stream is readable too: read marks, settings and profile are caught up from it.
  const conversationId =
    frame.conversationId === `u:${author.userId}`
      ? frame.conversationId
      : legible(frame.conversationId, author)
  if (typeof conversationId !== 'string') return conversationId
  switch (frame.type) {
    case 'history':
      if (frame.before !== null && frame.after !== null)
        return refuse('bad_frame', 'Give "before" or "after", not both.')
      if (!isSeq(frame.before) || !isSeq(frame.after)) return refuse('bad_position')
      return {
        kind: 'history',
        conversationId,
        before: frame.before,
        after: frame.after,
        limit: clamp(frame.limit, limits.pageMessagesDefault, limits.pageMessagesMax),
      }
    case 'sync':
      if (frame.ranges.length > limits.rangesPerSyncMax) return refuse('too_many')
      if (frame.changesUpTo < 0 || frame.ranges.some((range) => range.from < 0 || range.to < range.from))
        return refuse('bad_position')
      return { kind: 'sync', conversationId, ranges: frame.ranges, changesUpTo: frame.changesUpTo }
    case 'lookup':
      if (!parsePackId(frame.packId)) return refuse('pack_id_invalid')
      return { kind: 'lookup', conversationId, packId: frame.packId }
  }
}

const isSeq = (value: number | null): boolean => value === null || value >= 0

/** Who may observe may ask for any conversation; the read models hold him to the time in which he did. */
const legible = (conversationId: string, author: Author): string | Refusal =>
  author.rights.includes('observe')
    ? anyConversation(conversationId)
    : conversationFor(conversationId, author.userId)
