/** One stream, folded up to a moment: what was said as it then stood, who was in and as what. Pure. */
import { formatPackId } from '../../schemas/ids.ts'
import type { Envelope } from '../../schemas/records.ts'
import type { Recorded } from '../archived.ts'
import { type PlainStream, plainStream } from '../verify/conversation.ts'

export interface Message {
  readonly seq: number
  readonly ordinal: number
  /** Broker time in ms. */
  readonly time: number
  readonly sender: string
  readonly packId: string
  readonly contentType: string | null
  /** Null: recalled. */
  readonly content: string | null
  /** The key that it was sealed under, where that was destroyed: then there is no content. */
  readonly keyId: string | null
  /** Seq of the last edit or of the recall; null: as it was sent. */
  readonly changedBy: number | null
  /** Recalled or edited since: what it said then is for auditors only, and is not told here. */
  readonly changedSince: boolean
}

export interface Member {
  readonly user: string
  readonly role: 'owner' | 'admin' | 'member'
  readonly joinedSeq: number
  /** Broker time in ms; 0: not muted. */
  readonly mutedUntil: number
}

export interface Moment {
  apply(record: Recorded): void
  readonly plain: PlainStream
  head(): { readonly seq: number; readonly ordinal: number; readonly time: number }
  /** The newest ones that are kept, in their order. */
  messages(): Message[]
  /** In the order of joining. */
  members(): Member[]
  name(): string | null
  /** Seqs that are not there, and seqs of events that this release cannot read: the first of each. */
  readonly missing: number[]
  readonly unreadable: number[]
}

const NAMED_MAX = 20

/** `keep`: messages whose contents are kept. */
export function createMoment(stream: string, keep: number): Moment {
  const plain = plainStream(stream)
  let messages: Message[] = []
  const roles = new Map<string, 'owner' | 'admin'>()
  const muted = new Map<string, number>()
  const missing: number[] = []
  const unreadable: number[] = []
  let head = { seq: 0, ordinal: 0, time: 0 }
  let name: string | null = null

  function change(seq: number, target: number, to: Partial<Message>): void {
    messages = messages.map((message) =>
      message.seq === target ? { ...message, ...to, changedBy: seq } : message,
    )
  }

  const comes = (users: readonly string[]): void => {
    for (const user of users) if (plain.stays(user).at(-1)?.to !== Infinity) roles.delete(user)
  }

  return {
    ...{ plain, missing, unreadable },
    apply({ envelope, payload }) {
      const { seq, ordinal, time } = envelope
      for (let lost = head.seq + 1; lost < seq && missing.length < NAMED_MAX; lost++) missing.push(lost)
      head = { seq, ordinal, time }
      switch (payload?.type) {
        case undefined:
          if (unreadable.length < NAMED_MAX) unreadable.push(seq)
          break
        case 'MessageSent': {
          const { sender, contentType, keyId } = payload
          messages.push({
            ...{ seq, ordinal, time, sender, packId: formatPackId(payload.packId), contentType, keyId },
            ...{ content: payload.content.toString('utf8'), changedBy: null, changedSince: false },
          })
          if (messages.length > 2 * keep + 100) messages = messages.slice(-keep)
          break
        }
        case 'MessageEdited':
          change(seq, payload.target.seq, {
            ...{ contentType: payload.contentType, keyId: payload.keyId },
            content: payload.content.toString('utf8'),
          })
          break
        case 'MessageRecalled':
          change(seq, payload.target.seq, { contentType: null, content: null, keyId: null })
          break
        case 'GroupCreated':
          name = payload.name
          comes(payload.members)
          roles.set(payload.sender, 'owner')
          break
        case 'MembersAdded':
          comes(payload.members)
          break
        case 'JoinAnswered':
          if (payload.accept) comes([payload.user])
          break
        case 'RoleSet':
          if (payload.role === 'owner') roles.set(payload.sender, 'admin')
          if (payload.role === 'owner' || payload.role === 'admin') roles.set(payload.user, payload.role)
          else roles.delete(payload.user)
          break
        case 'MemberMuted':
          muted.set(payload.user, payload.until)
          break
        case 'GroupSet':
          name = payload.name ?? name
      }
      plain.apply(envelope as Envelope, payload)
    },
    head: () => head,
    messages: () => messages.slice(-keep),
    name: () => name,
    members() {
      const members: Member[] = []
      for (const user of plain.users()) {
        const stay = plain.stays(user).at(-1)
        if (stay?.to !== Infinity) continue
        const mutedUntil = muted.get(user) ?? 0
        members.push({ user, role: roles.get(user) ?? 'member', joinedSeq: stay.from, mutedUntil })
      }
      return members.sort((a, b) => a.joinedSeq - b.joinedSeq || (a.user < b.user ? -1 : 1))
    },
  }
}
