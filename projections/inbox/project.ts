/** What unread counts are made of: read positions, ordinals of one's own, recalled ones, mentions. */
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
  | { readonly kind: 'recalled'; readonly conversationId: string; readonly ordinal: number }
  | {
      /** Whom the message at this ordinal names since the event at `seq`. */
      readonly kind: 'mentioned'
      readonly conversationId: string
      readonly ordinal: number
      readonly seq: number
      readonly users: readonly string[]
    }

/** Stands for everyone in a list of mentions; no user id looks like it. */
export const EVERYONE = '*'

export const inbox: Projection<InboxWrite> = {
  name: 'inbox',
  project({ envelope, payload }: Accepted) {
    if (envelope.kind !== 'event' || !payload) return []
    const { stream: conversationId, ordinal, seq } = envelope
    switch (payload.type) {
      case 'MessageSent': {
        const own: InboxWrite = { kind: 'own', user: payload.sender, conversationId, ordinal }
        const users = mentionedIn(payload)
        return users.length === 0 ? [own] : [own, { kind: 'mentioned', conversationId, ordinal, seq, users }]
      }
      // Named or no longer named: what counts is the message as it stands now.
      case 'MessageEdited':
        return [
          {
            kind: 'mentioned',
            conversationId,
            ordinal: payload.target.ordinal,
            seq,
            users: mentionedIn(payload),
          },
        ]
      case 'MessageRecalled':
        return [{ kind: 'recalled', conversationId, ordinal: payload.target.ordinal }]
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

const mentionedIn = (payload: { mentions: readonly string[]; mentionAll: boolean }): string[] => [
  ...new Set(payload.mentions),
  ...(payload.mentionAll ? [EVERYONE] : []),
]
