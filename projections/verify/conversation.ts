/**
 * What one stream must look like to its readers, folded the plain way: every message stands for itself, and what is unread is
 * counted one by one. It answers for any moment after the one before it was asked, so that it can be held against a read model that
 * is being written to. Pure, and on purpose without anything that the projections are made of.
 */
import { formatPackId } from '../../schemas/ids.ts'
import type { Envelope, EventPayload } from '../../schemas/records.ts'
import { contentHash } from './fingerprints.ts'

export interface Stay {
  readonly from: number
  /** Infinity while he is in. */
  readonly to: number
  /** Messages before and with the event that let him in. */
  readonly ordinal: number
  /** Broker time of the event that let him out; 0 while he is in. */
  readonly toTime: number
}

/** An event as a timeline must show it. */
export interface Shown {
  readonly seq: number
  readonly ordinal: number
  readonly time: number
  readonly kind: string
  readonly sender: string
  readonly packId: string
  readonly target: number | null
  /** Of what it says; null: it says nothing (any more). Undefined: sealed, only who has the key can tell. */
  readonly content: string | null
}

interface Entry extends Shown {
  /** Edits and recalls of it: since which seq it shows what. */
  readonly later: { readonly seq: number; readonly content: string | null; readonly by: number }[]
}

interface Naming {
  readonly seq: number
  readonly users: readonly string[]
  readonly all: boolean
}

export interface Counts {
  readonly unread: number
  readonly mentions: number
  readonly mentionsAll: number
}

export interface PlainStream {
  apply(envelope: Envelope, payload: EventPayload | null): void
  readonly seq: () => number
  /** In order; of a single chat, one without an end for each side. */
  stays(user: string): readonly Stay[]
  users(): Iterable<string>
  /** Of a member's last stay, as all stood at `upTo`, with everything read up to the ordinal `read`. */
  unread(user: string, upTo: number, read: number): Counts
  /** Messages up to a seq. */
  messages(upTo: number): number
  /** Seq of the newest message up to a seq; 0: none. */
  newestMessage(upTo: number): number
  /** Messages that ever named somebody. */
  naming(): number
  /** What the stream showed of these seqs when it had come to `upTo`, as far as it is kept. */
  shown(from: number, upTo: number): Shown[]
}

/** Twice what timelines hold, so that they may trail. */
const ENTRIES_MAX = 400

/** What clients call each type of event. */
const kinds: Partial<Record<EventPayload['type'], string>> = {
  MessageSent: 'message',
  MessageEdited: 'edited',
  MessageRecalled: 'recalled',
  GroupCreated: 'created',
  MembersAdded: 'added',
  MembersRemoved: 'removed',
  Reacted: 'reacted',
  MessagePinned: 'pinned',
  GroupDissolved: 'dissolved',
  JoinRequested: 'joinRequested',
  JoinAnswered: 'joinAnswered',
  RoleSet: 'roleSet',
  MemberMuted: 'muted',
  AllMuted: 'allMuted',
  GroupSet: 'groupSet',
  Observing: 'observing',
  FriendRequested: 'friendRequested',
  FriendAnswered: 'friendAnswered',
  FriendDeleted: 'friendDeleted',
  Blocked: 'blocked',
  SettingSet: 'setting',
  ProfileSet: 'profile',
  ReadMarked: 'read',
}

export function plainStream(name: string): PlainStream {
  const members = new Map<string, Stay[]>()
  /** Of messages, by ordinal − 1. */
  const seqs: number[] = []
  const senders: string[] = []
  /** Ordinal → seq of the recall. */
  const recalls = new Map<number, number>()
  const namings = new Map<number, Naming[]>()
  let entries: Entry[] = []
  let last = 0
  const [kind, a, b] = name.split(':')
  if (kind === 'p2p')
    for (const user of [a, b]) if (user) members.set(user, [{ from: 1, to: Infinity, ordinal: 0, toTime: 0 }])

  function join(users: readonly string[], { seq, ordinal }: Envelope): void {
    for (const user of users) {
      const stays = members.get(user) ?? []
      members.set(user, stays)
      if (stays.at(-1)?.to !== Infinity) stays.push({ from: seq, to: Infinity, ordinal, toTime: 0 })
    }
  }

  function leave(users: readonly string[], { seq, time }: Envelope): void {
    for (const user of users) {
      const stays = members.get(user)
      const open = stays?.at(-1)
      if (stays && open?.to === Infinity) stays.splice(-1, 1, { ...open, to: seq, toTime: time })
    }
  }

  function named(ordinal: number, seq: number, users: readonly string[], all: boolean): void {
    const before = namings.get(ordinal)
    if (!before && users.length === 0 && !all) return
    namings.set(ordinal, [...(before ?? []), { seq, users, all }])
  }

  function change(seq: number, target: number, content: string | null, recalls = false): void {
    for (const entry of entries) {
      if (entry.seq === target) entry.later.push({ seq, content, by: seq })
      // What an edit of it said must not be readable either.
      else if (recalls && entry.kind === 'edited' && entry.target === target)
        entry.later.push({ seq, content: null, by: target })
    }
  }

  function apply(envelope: Envelope, payload: EventPayload | null): void {
    const { seq, ordinal } = envelope
    last = seq
    const entry = entryOf(envelope, payload)
    switch (payload?.type) {
      case 'MessageSent':
        seqs[ordinal - 1] = seq
        senders[ordinal - 1] = payload.sender
        named(ordinal, seq, payload.mentions, payload.mentionAll)
        break
      case 'MessageEdited':
        named(payload.target.ordinal, seq, payload.mentions, payload.mentionAll)
        change(seq, payload.target.seq, entry.content)
        break
      case 'MessageRecalled':
        recalls.set(payload.target.ordinal, seq)
        change(seq, payload.target.seq, null, true)
        break
      case 'GroupCreated':
      case 'MembersAdded':
        join(payload.members, envelope)
        break
      case 'JoinAnswered':
        if (payload.accept) join([payload.user], envelope)
        break
      case 'MembersRemoved':
        leave(payload.members, envelope)
    }
    entries.push(entry)
    if (entries.length > ENTRIES_MAX) entries = entries.slice(-ENTRIES_MAX / 2)
  }

  return {
    apply,
    seq: () => last,
    stays: (user) => members.get(user) ?? [],
    users: () => members.keys(),
    messages: (upTo) => seqs.findLastIndex((seq) => seq <= upTo) + 1,
    newestMessage: (upTo) => seqs.findLast((seq) => seq <= upTo) ?? 0,
    naming: () => namings.size,
    unread(user, upTo, read) {
      const counts = { unread: 0, mentions: 0, mentionsAll: 0 }
      const stay = members.get(user)?.at(-1)
      if (!stay) return counts
      const end = Math.min(upTo, stay.to)
      for (let at = Math.max(read, stay.ordinal); at < seqs.length; at++) {
        const [seq, ordinal] = [seqs[at], at + 1]
        if (seq === undefined || seq < stay.from) continue
        if (seq > end) break
        if (senders[at] === user || (recalls.get(ordinal) ?? Infinity) <= upTo) continue
        counts.unread += 1
        const naming = namings.get(ordinal)?.findLast((one) => one.seq <= upTo)
        if (naming?.users.includes(user)) counts.mentions += 1
        if (naming?.all) counts.mentionsAll += 1
      }
      return counts
    },
    shown: (from, upTo) =>
      entries
        .filter(({ seq }) => seq >= from && seq <= upTo)
        .map(({ later, ...entry }) => {
          const change = later.findLast(({ seq }) => seq <= upTo)
          return change ? { ...entry, content: change.content, target: change.by } : entry
        }),
  }
}

function entryOf({ seq, ordinal, time }: Envelope, payload: EventPayload | null): Entry {
  const type = payload?.type
  const kind = (type && kinds[type]) ?? 'hidden'
  if (kind === 'hidden' || !payload || payload.type === 'Claim')
    return {
      seq,
      ordinal: 0,
      time: 0,
      kind: 'hidden',
      sender: '',
      packId: '',
      target: null,
      content: null,
      later: [],
    }
  return {
    ...{ seq, ordinal, time, kind, sender: payload.sender, packId: formatPackId(payload.packId) },
    target: 'target' in payload ? payload.target.seq : null,
    content: 'content' in payload ? saidIn(payload) : null,
    later: [],
  }
}

const saidIn = ({ content, keyId }: { readonly content: Buffer; readonly keyId: string | null }) =>
  keyId === null ? contentHash(content.toString('utf8')) : null
