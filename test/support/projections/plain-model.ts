/**
 * What the read models must say, computed the plain way: every stream as a list, every unread count as a set of unread
 * messages, every role, relation and setting as an entry in a map. Shares no code with the projections.
 */
import type { Item, Reaction } from '../../../schemas/frames.ts'
import { formatPackId } from '../../../schemas/ids.ts'
import type { Envelope, EventPayload } from '../../../schemas/records.ts'
import { type PlainPeople, plainPeople } from './plain-people.ts'

interface Message {
  readonly sender: string
  mentions: readonly string[]
  mentionAll: boolean
  /** `<emoji> <user>` → since which seq, in the order of coming. */
  readonly reactions: Map<string, number>
}

type Version = Pick<Item, 'seq' | 'contentType' | 'content' | 'mentions' | 'mentionAll'>

interface Stream {
  readonly items: Item[]
  /** Of messages, by seq: everything they ever said. */
  readonly versions: Map<number, Version[]>
  /** By ordinal. */
  readonly messages: Map<number, Message>
  /** Since which seq. */
  readonly members: Map<string, number>
  readonly observers: Set<string>
  /** Per user: the seqs he may read, and which ordinals he has not read. */
  readonly visible: Map<string, Set<number>>
  readonly unread: Map<string, Set<number>>
  readonly left: Map<string, { readonly seq: number; readonly time: number }>
  readonly roles: Map<string, string>
  readonly mutes: Map<string, number>
  readonly requests: Map<string, string>
  readonly fields: Record<string, string>
  /** The newest pin last. */
  readonly pinned: number[]
  allMuted: boolean
  dissolved: boolean
  time: number
  ordinal: number
}

/** What stands in one user's list of conversations. */
export interface PlainEntry {
  readonly conversationId: string
  readonly unread: number
  readonly mentions: number
  readonly mentionsAll: number
  readonly pinned: boolean
  readonly muted: boolean
  readonly draft: string | null
  readonly name: string | null
  readonly avatar: string | null
  readonly dissolved: boolean
  readonly memberCount: number
  readonly peerReadSeq: number
  readonly lastTime: number
}

export interface PlainGroup {
  readonly name: string
  readonly avatar: string | null
  readonly announcement: string | null
  readonly custom: string | null
  readonly joinPolicy: string
  readonly addPolicy: string
  readonly memberCount: number
  readonly dissolved: boolean
  readonly allMuted: boolean
  readonly role: string | null
  readonly mutedUntil: number
  readonly pinned: number[]
  readonly asked: boolean
  readonly requests: { readonly userId: string; readonly note: string }[]
}

export interface PlainModel {
  readonly people: PlainPeople
  apply(envelope: Envelope, payload: EventPayload | null): void
  streams(): string[]
  users(): string[]
  /** Null: never a reader. */
  visible(user: string, stream: string): Set<number> | null
  items(stream: string): readonly Item[]
  /** The item as this user may see it, if he may see its seq at all. */
  itemFor(user: string, stream: string, seq: number): Item
  /** In the order of the list. */
  list(user: string): PlainEntry[]
  /** Of what the group is to somebody who is a member. */
  group(user: string, stream: string): PlainGroup
  /** In the order of joining. */
  members(stream: string): {
    readonly userId: string
    readonly role: string
    readonly joinedSeq: number
    readonly mutedUntil: number
  }[]
  reactions(user: string, stream: string): Reaction[]
  readers(stream: string, seq: number): string[]
}

const byPlace = (a: PlainEntry, b: PlainEntry): number =>
  Number(b.pinned) - Number(a.pinned) ||
  b.lastTime - a.lastTime ||
  (a.conversationId < b.conversationId ? -1 : 1)

const hidden = (conversationId: string, seq: number): Item => ({
  conversationId,
  seq,
  ordinal: 0,
  kind: 'hidden',
  time: 0,
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
  on: null,
  key: null,
  value: null,
  until: null,
})

export function plainModel(): PlainModel {
  const streams = new Map<string, Stream>()
  const users = new Set<string>()
  const people = plainPeople()

  const streamOf = (id: string): Stream => {
    let stream = streams.get(id)
    if (!stream) {
      stream = {
        items: [],
        versions: new Map(),
        messages: new Map(),
        members: new Map(),
        observers: new Set(),
        visible: new Map(),
        unread: new Map(),
        left: new Map(),
        roles: new Map(),
        mutes: new Map(),
        requests: new Map(),
        fields: {},
        pinned: [],
        allMuted: false,
        dissolved: false,
        time: 0,
        ordinal: 0,
      }
      streams.set(id, stream)
      const [kind, a, b] = id.split(':')
      const fixed = kind === 'p2p' ? [a, b] : kind === 'u' ? [a] : []
      for (const user of fixed) if (user) join(stream, user, 0)
    }
    return stream
  }

  const see = (stream: Stream, user: string) => {
    users.add(user)
    if (!stream.visible.has(user)) stream.visible.set(user, new Set())
  }

  const join = (stream: Stream, user: string, seq: number) => {
    see(stream, user)
    stream.members.set(user, seq)
    stream.roles.delete(user)
    stream.left.delete(user)
    stream.observers.delete(user)
    stream.requests.delete(user)
    // Unread begins anew with each join; a mark made meanwhile holds.
    stream.unread.set(user, new Set())
  }

  const say = (
    stream: Stream,
    item: Item,
    payload: EventPayload & { type: 'MessageSent' | 'MessageEdited' },
  ) => {
    item.contentType = payload.contentType
    item.content = payload.content.toString()
    item.mentions = payload.mentions
    item.mentionAll = payload.mentionAll
    const message = stream.messages.get(item.ordinal)
    if (!message) return
    message.mentions = payload.mentions
    message.mentionAll = payload.mentionAll
  }

  const silence = (item: Item) => {
    item.contentType = null
    item.content = null
    item.mentions = []
    item.mentionAll = false
  }

  /** What the event says goes into the item, what it does into the stream. Answers who is out after it. */
  function fold(id: string, stream: Stream, item: Item, payload: EventPayload): string[] {
    const changed = (fields: Record<string, string | null>) => {
      item.value = JSON.stringify(Object.fromEntries(Object.entries(fields).filter(([, v]) => v !== null)))
      for (const [field, value] of Object.entries(fields)) if (value !== null) stream.fields[field] = value
    }
    switch (payload.type) {
      case 'MessageSent': {
        item.kind = 'message'
        item.replyTo = payload.replyTo
        const { sender } = payload
        stream.messages.set(item.ordinal, { sender, mentions: [], mentionAll: false, reactions: new Map() })
        say(stream, item, payload)
        stream.versions.set(item.seq, [{ ...item }])
        for (const user of stream.members.keys())
          if (user !== sender && item.ordinal > people.readOf(user, id).ordinal)
            stream.unread.get(user)?.add(item.ordinal)
        return []
      }
      case 'MessageEdited': {
        const target = stream.items[payload.target.seq - 1] as Item
        item.kind = 'edited'
        item.targetSeq = target.seq
        say(stream, target, payload)
        target.targetSeq = item.seq
        stream.versions.get(target.seq)?.push({ ...target, seq: item.seq })
        Object.assign(item, {
          contentType: target.contentType,
          content: target.content,
          mentions: target.mentions,
          mentionAll: target.mentionAll,
        })
        return []
      }
      case 'MessageRecalled': {
        const target = stream.items[payload.target.seq - 1] as Item
        item.kind = 'recalled'
        item.targetSeq = target.seq
        for (const gone of stream.items)
          if (gone === target || (gone.kind === 'edited' && gone.targetSeq === target.seq)) silence(gone)
        target.targetSeq = item.seq
        target.replyTo = null
        for (const unread of stream.unread.values()) unread.delete(target.ordinal)
        unpin(stream, target.seq)
        return []
      }
      case 'Reacted': {
        Object.assign(item, {
          kind: 'reacted',
          targetSeq: payload.target.seq,
          value: payload.emoji,
          on: payload.on,
        })
        const reactions = stream.messages.get(payload.target.ordinal)?.reactions
        const text = `${payload.emoji} ${payload.sender}`
        if (payload.on) reactions?.set(text, item.seq)
        else reactions?.delete(text)
        return []
      }
      case 'MessagePinned':
        Object.assign(item, { kind: 'pinned', targetSeq: payload.target.seq, on: payload.on })
        unpin(stream, payload.target.seq)
        if (payload.on) stream.pinned.push(payload.target.seq)
        return []
      case 'GroupCreated':
        Object.assign(item, { kind: 'created', members: payload.members, name: payload.name })
        stream.fields.name = payload.name
        for (const user of payload.members) join(stream, user, item.seq)
        stream.roles.set(payload.sender, 'owner')
        return []
      case 'MembersAdded':
        Object.assign(item, { kind: 'added', members: payload.members })
        for (const user of payload.members) join(stream, user, item.seq)
        return []
      case 'MembersRemoved':
        Object.assign(item, { kind: 'removed', members: payload.members })
        return payload.members
      case 'JoinRequested':
        Object.assign(item, { kind: 'joinRequested' })
        stream.requests.set(payload.sender, payload.note)
        return []
      case 'JoinAnswered':
        Object.assign(item, { kind: 'joinAnswered', members: [payload.user], on: payload.accept })
        stream.requests.delete(payload.user)
        if (payload.accept) join(stream, payload.user, item.seq)
        return []
      case 'RoleSet':
        Object.assign(item, { kind: 'roleSet', members: [payload.user], value: payload.role })
        if (payload.role === 'owner') stream.roles.set(payload.sender, 'admin')
        stream.roles.set(payload.user, payload.role)
        return []
      case 'MemberMuted':
        Object.assign(item, { kind: 'muted', members: [payload.user], until: payload.until })
        stream.mutes.set(payload.user, payload.until)
        return []
      case 'AllMuted':
        Object.assign(item, { kind: 'allMuted', on: payload.on })
        stream.allMuted = payload.on
        return []
      case 'GroupSet': {
        const { name, avatar, announcement, custom, joinPolicy, addPolicy } = payload
        Object.assign(item, { kind: 'groupSet', name })
        changed({ name, avatar, announcement, custom, joinPolicy, addPolicy })
        return []
      }
      case 'GroupDissolved':
        item.kind = 'dissolved'
        stream.dissolved = true
        return []
      case 'Observing':
        Object.assign(item, { kind: 'observing', on: payload.on })
        see(stream, payload.sender)
        if (payload.on) stream.observers.add(payload.sender)
        return payload.on ? [] : [payload.sender]
      case 'ReadMarked': {
        Object.assign(item, {
          kind: 'read',
          readConversationId: payload.conversationId,
          readSeq: payload.seq,
          readOrdinal: payload.ordinal,
        })
        const unread = streams.get(payload.conversationId)?.unread.get(payload.sender)
        for (const at of unread ?? []) if (at <= payload.ordinal) unread?.delete(at)
        return []
      }
      default:
        return []
    }
  }

  return {
    people,
    apply(envelope, payload) {
      const { stream: id, seq, ordinal, time } = envelope
      const stream = streamOf(id)
      stream.time = time
      stream.ordinal = ordinal
      const item = hidden(id, seq)
      stream.items.push(item)
      let out: string[] = []
      if (payload !== null && 'packId' in payload) {
        Object.assign(item, { ordinal, time, senderId: payload.sender, packId: formatPackId(payload.packId) })
        out = fold(id, stream, item, payload)
        people.fold(id, item, payload)
      }
      for (const user of new Set([...stream.members.keys(), ...stream.observers]))
        stream.visible.get(user)?.add(seq)
      for (const user of out) {
        if (stream.members.delete(user)) stream.left.set(user, { seq, time })
        stream.observers.delete(user)
      }
    },
    streams: () => [...streams.keys()],
    users: () => [...users],
    visible: (user, stream) => streams.get(stream)?.visible.get(user) ?? null,
    items: (stream) => streams.get(stream)?.items ?? [],
    itemFor(user, stream, seq) {
      const of = streams.get(stream) as Stream
      const item = of.items[seq - 1] as Item
      const secret = item.kind === 'blocked' || item.kind === 'friendDeleted'
      if (secret && item.senderId !== user) return hidden(stream, seq)
      if (item.kind !== 'message' || item.content === null) return item
      const version = of.versions.get(seq)?.findLast((one) => one.seq <= knownUpTo(of, user)) as Version
      return { ...item, ...version, seq, targetSeq: version.seq === seq ? null : version.seq }
    },
    list(user) {
      const entries: PlainEntry[] = []
      for (const [conversationId, stream] of streams) {
        const left = stream.left.get(user)
        const isP2p = conversationId.startsWith('p2p:')
        if (conversationId.startsWith('u:') || (!stream.members.has(user) && !left)) continue
        if (isP2p && stream.ordinal === 0) continue
        const deleted = Number(people.setting(user, `deleted:${conversationId}`) ?? 0)
        const lastSeq = left?.seq ?? stream.items.length
        const newest = stream.items.findLast(({ kind }) => kind === 'message')?.seq ?? 0
        if (deleted > 0 && (lastSeq <= deleted || newest <= deleted)) continue
        const unread = [...(stream.unread.get(user) ?? [])].map((at) => stream.messages.get(at))
        const peer = isP2p ? conversationId.split(':').find((part, i) => i > 0 && part !== user) : undefined
        entries.push({
          conversationId,
          unread: unread.length,
          mentions: unread.filter((message) => message?.mentions.includes(user)).length,
          mentionsAll: unread.filter((message) => message?.mentionAll).length,
          pinned: people.setting(user, `pin:${conversationId}`) === '1',
          muted: people.setting(user, `mute:${conversationId}`) === '1',
          draft: people.setting(user, `draft:${conversationId}`),
          name: stream.fields.name ?? null,
          avatar: stream.fields.avatar ?? null,
          dissolved: stream.dissolved,
          memberCount: stream.members.size,
          peerReadSeq: peer === undefined ? 0 : people.readOf(peer, conversationId).seq,
          lastTime: left?.time ?? stream.time,
        })
      }
      return entries.sort(byPlace)
    },
    group(user, id) {
      const stream = streams.get(id) as Stream
      const { fields } = stream
      const member = stream.members.has(user)
      const role = member ? (stream.roles.get(user) ?? 'member') : null
      const seen = stream.visible.get(user)
      return {
        name: fields.name ?? '',
        avatar: fields.avatar ?? null,
        announcement: fields.announcement ?? null,
        custom: member ? (fields.custom ?? null) : null,
        joinPolicy: fields.joinPolicy ?? 'approval',
        addPolicy: (member && fields.addPolicy) || 'members',
        memberCount: stream.members.size,
        dissolved: stream.dissolved,
        allMuted: member && stream.allMuted,
        role,
        mutedUntil: member ? (stream.mutes.get(user) ?? 0) : 0,
        pinned: member ? stream.pinned.filter((seq) => seen?.has(seq)).reverse() : [],
        asked: stream.requests.has(user),
        requests:
          role === 'owner' || role === 'admin'
            ? [...stream.requests].map(([userId, note]) => ({ userId, note }))
            : [],
      }
    },
    members(id) {
      const stream = streams.get(id) as Stream
      return [...stream.members]
        .map(([userId, joinedSeq]) => ({
          userId,
          joinedSeq,
          role: stream.roles.get(userId) ?? 'member',
          mutedUntil: stream.mutes.get(userId) ?? 0,
        }))
        .sort((a, b) => a.joinedSeq - b.joinedSeq || (a.userId < b.userId ? -1 : 1))
    },
    reactions(user, id) {
      const stream = streams.get(id) as Stream
      const seen = stream.visible.get(user)
      const found: Reaction[] = []
      for (const { kind, seq, ordinal, content } of stream.items) {
        if (kind !== 'message' || content === null || !seen?.has(seq)) continue
        const counts = new Map<string, Reaction>()
        for (const [text, since] of stream.messages.get(ordinal)?.reactions ?? []) {
          if (since > knownUpTo(stream, user)) continue
          const [emoji, by] = text.split(' ') as [string, string]
          const was = counts.get(emoji) ?? { seq, emoji, count: 0, mine: false }
          counts.set(emoji, { ...was, count: was.count + 1, mine: was.mine || by === user })
        }
        found.push(...counts.values())
      }
      return found
    },
    readers(id, seq) {
      const stream = streams.get(id) as Stream
      const sender = stream.items[seq - 1]?.senderId
      return [...stream.members]
        .filter(([user, joined]) => user !== sender && joined <= seq && people.readOf(user, id).seq >= seq)
        .map(([user]) => user)
        .sort()
    },
  }
}

/** He who is out knows what there was when he was last in. */
function knownUpTo(stream: Stream, user: string): number {
  const isIn = stream.members.has(user) || stream.observers.has(user)
  return isIn ? Number.POSITIVE_INFINITY : Math.max(...(stream.visible.get(user) ?? []))
}

function unpin(stream: Stream, seq: number): void {
  const at = stream.pinned.indexOf(seq)
  if (at >= 0) stream.pinned.splice(at, 1)
}
