/**
 * What the read models must say, computed the plain way: every stream as a list, every unread count as a set of unread
 * messages. Shares no code with the projections.
 */
import type { Item } from '../../../schemas/frames.ts'
import { formatPackId } from '../../../schemas/ids.ts'
import type { Envelope, EventPayload } from '../../../schemas/records.ts'

interface Message {
  ordinal: number
  sender: string
  recalled: boolean
  mentions: Set<string>
}

interface Stream {
  readonly items: Item[]
  readonly messages: Map<number, Message>
  readonly members: Set<string>
  /** Per user: the seqs he may read, and which ordinals he has not read. */
  readonly visible: Map<string, Set<number>>
  readonly unread: Map<string, Set<number>>
  name: string | null
}

export interface PlainModel {
  apply(envelope: Envelope, payload: EventPayload | null): void
  streams(): string[]
  users(): string[]
  /** Null: never a reader. */
  visible(user: string, stream: string): Set<number> | null
  items(stream: string): readonly Item[]
  unread(user: string, stream: string): number
  members(stream: string): number
  name(stream: string): string | null
}

export function plainModel(): PlainModel {
  const streams = new Map<string, Stream>()
  const users = new Set<string>()
  const reads = new Map<string, number>()

  const streamOf = (id: string): Stream => {
    let stream = streams.get(id)
    if (!stream) {
      stream = {
        items: [],
        messages: new Map(),
        members: new Set(),
        visible: new Map(),
        unread: new Map(),
        name: null,
      }
      streams.set(id, stream)
      const [kind, a, b] = id.split(':')
      const fixed = kind === 'p2p' ? [a, b] : kind === 'u' ? [a] : []
      for (const user of fixed) if (user) join(id, stream, user)
    }
    return stream
  }

  const join = (id: string, stream: Stream, user: string) => {
    users.add(user)
    stream.members.add(user)
    if (!stream.visible.has(user)) stream.visible.set(user, new Set())
    // Unread begins anew with each join; a mark made meanwhile holds.
    stream.unread.set(user, new Set())
    void id
  }

  return {
    apply(envelope, payload) {
      const { stream: id, seq, ordinal, time } = envelope
      const stream = streamOf(id)
      const blank: Item = {
        conversationId: id,
        seq,
        ordinal,
        kind: 'hidden',
        time,
        senderId: '',
        packId: null,
        contentType: null,
        content: null,
        mentions: [],
        mentionAll: false,
        replyTo: null,
        targetSeq: null,
        members: [],
        name: null,
        readConversationId: null,
        readSeq: null,
        readOrdinal: null,
      }
      const left: string[] = []
      if (payload === null || !('packId' in payload)) {
        stream.items.push({ ...blank, ordinal: 0, time: 0 })
      } else {
        const item: Item = { ...blank, senderId: payload.sender, packId: formatPackId(payload.packId) }
        stream.items.push(item)
        switch (payload.type) {
          case 'MessageSent': {
            item.kind = 'message'
            item.contentType = payload.contentType
            item.content = payload.content.toString()
            item.mentions = payload.mentions
            item.mentionAll = payload.mentionAll
            item.replyTo = payload.replyTo
            const mentions = new Set(payload.mentions)
            stream.messages.set(seq, { ordinal, sender: payload.sender, recalled: false, mentions })
            for (const user of stream.members)
              if (user !== payload.sender && ordinal > (reads.get(`${user} ${id}`) ?? 0))
                stream.unread.get(user)?.add(ordinal)
            break
          }
          case 'MessageEdited':
          case 'MessageRecalled': {
            const target = stream.items[payload.target.seq - 1] as Item
            item.kind = payload.type === 'MessageEdited' ? 'edited' : 'recalled'
            item.targetSeq = target.seq
            target.targetSeq = seq
            if (payload.type === 'MessageEdited') {
              item.contentType = target.contentType = payload.contentType
              item.content = target.content = payload.content.toString()
              item.mentions = target.mentions = payload.mentions
              item.mentionAll = target.mentionAll = payload.mentionAll
            } else {
              for (const gone of stream.items)
                if (gone === target || (gone.kind === 'edited' && gone.targetSeq === target.seq)) {
                  gone.contentType = null
                  gone.content = null
                  gone.mentions = []
                  gone.mentionAll = false
                }
              target.replyTo = null
              for (const unread of stream.unread.values()) unread.delete(target.ordinal)
            }
            break
          }
          case 'GroupCreated':
          case 'MembersAdded':
            item.kind = payload.type === 'GroupCreated' ? 'created' : 'added'
            item.members = payload.members
            if (payload.type === 'GroupCreated') item.name = stream.name = payload.name
            for (const user of payload.members) join(id, stream, user)
            break
          case 'MembersRemoved':
            item.kind = 'removed'
            item.members = payload.members
            left.push(...payload.members)
            break
          case 'ReadMarked': {
            item.kind = 'read'
            item.readConversationId = payload.conversationId
            item.readSeq = payload.seq
            item.readOrdinal = payload.ordinal
            const key = `${payload.sender} ${payload.conversationId}`
            reads.set(key, Math.max(reads.get(key) ?? 0, payload.ordinal))
            const unread = streams.get(payload.conversationId)?.unread.get(payload.sender)
            for (const at of unread ?? []) if (at <= payload.ordinal) unread?.delete(at)
            break
          }
        }
      }
      for (const user of stream.members) stream.visible.get(user)?.add(seq)
      for (const user of left) stream.members.delete(user)
    },
    streams: () => [...streams.keys()],
    users: () => [...users],
    visible: (user, stream) => streams.get(stream)?.visible.get(user) ?? null,
    items: (stream) => streams.get(stream)?.items ?? [],
    unread: (user, stream) => streams.get(stream)?.unread.get(user)?.size ?? 0,
    members: (stream) => streams.get(stream)?.members.size ?? 0,
    name: (stream) => streams.get(stream)?.name ?? null,
  }
}
