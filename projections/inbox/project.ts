/** What unread counts are made of: read positions, ordinals of one's own, recalled ones, mentions. */
import { isRoom } from '../../schemas/ids.ts'
import type { Accepted, Projection } from '../projection.ts'

export type InboxWrite =
  | { readonly kind: 'own'; readonly user: string; readonly conversationId: string; readonly ordinal: number }
  | {
      readonly kind: 'read'
      readonly user: string
      readonly conversationId: string
      readonly seq: number
      readonly ordinal: number
    }
  | {
      readonly kind: 'recalled'
      readonly conversationId: string
      readonly ordinal: number
      readonly author: string
    }
  | {
      /** Whom but its author the message at this ordinal names since the event at `seq`. */
      readonly kind: 'mentioned'
      readonly conversationId: string
      readonly ordinal: number
      readonly seq: number
      readonly author: string
      readonly users: readonly string[]
      readonly all: boolean
    }

export const inbox: Projection<InboxWrite> = {
  name: 'inbox',
  project({ envelope, payload }: Accepted) {
    if (envelope.kind !== 'event' || !payload) return []
    const { stream: conversationId, ordinal, seq } = envelope
    // What passes in a live room counts nowhere as unread.
    if (isRoom(conversationId)) return []
    switch (payload.type) {
      case 'MessageSent': {
        const own: InboxWrite = { kind: 'own', user: payload.sender, conversationId, ordinal }
        const named = mentionedIn(payload)
        if (!named.all && named.users.length === 0) return [own]
        return [own, { kind: 'mentioned', conversationId, ordinal, seq, ...named }]
      }
      // Named or no longer named: what counts is the message as it stands now.
      case 'MessageEdited':
        return [
          {
            kind: 'mentioned',
            conversationId,
            ordinal: payload.target.ordinal,
            seq,
            ...mentionedIn(payload),
          },
        ]
      case 'MessageRecalled': {
        const { ordinal: of, sender: author } = payload.target
        return [
          { kind: 'recalled', conversationId, ordinal: of, author },
          { kind: 'mentioned', conversationId, ordinal: of, seq, author, users: [], all: false },
        ]
      }
      case 'ReadMarked':
        return [
          {
            kind: 'read',
            user: payload.sender,
            conversationId: payload.conversationId,
            seq: payload.seq,
            ordinal: payload.ordinal,
          },
        ]
      default:
        return []
    }
  },
}

const mentionedIn = (payload: {
  readonly sender: string
  readonly mentions: readonly string[]
  readonly mentionAll: boolean
}) => ({
  author: payload.sender,
  users: [...new Set(payload.mentions)].filter((user) => user !== payload.sender),
  all: payload.mentionAll,
})
