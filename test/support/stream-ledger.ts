/** What a stream's events alone say of who is in it, who may speak and what there is: an account of its own, for properties. */
import { limits } from '../../schemas/limits.ts'
import type { Envelope, EventPayload } from '../../schemas/records.ts'

export interface Ledger {
  /** Why this event should never have happened; null: it may. */
  objection(envelope: Envelope, payload: EventPayload): string | null
  note(envelope: Envelope, payload: EventPayload): void
  seq(): number
  /** MessageSent so far. */
  messages(): number
}

interface Message {
  readonly sender: string
  readonly time: number
  readonly ordinal: number
  recalled: boolean
}

export function createLedger(stream: string): Ledger {
  const [kind, ...users] = stream.split(':') as [string, ...string[]]
  const roles = new Map<string, string>(kind === 'p2p' ? users.map((user) => [user, 'side']) : [])
  const messages = new Map<number, Message>()
  const mutedUntil = new Map<string, number>()
  const asked = new Set<string>()
  const blockers = new Set<string>()
  const observers = new Set<string>()
  let large = false
  let allMuted = false
  let dissolved = false
  let friends = false
  let seq = 0

  const leads = (user: string) => ['owner', 'admin'].includes(roles.get(user) ?? '')
  const isBlocked = (user: string) => kind === 'p2p' && users.some((one) => one !== user && blockers.has(one))
  const isSilent = (user: string, now: number) =>
    roles.get(user) !== 'owner' && ((mutedUntil.get(user) ?? 0) > now || (allMuted && !leads(user)))
  const rank = (user: string) => ['side', 'member', 'admin', 'owner'].indexOf(roles.get(user) ?? '')

  function objection({ time }: Envelope, payload: EventPayload): string | null {
    if (dissolved && payload.type !== 'MessageRecalled') return 'the group is dissolved'
    if (!('sender' in payload)) return 'it is nobody’s'
    const { sender } = payload
    const isIn = kind === 'r' || roles.has(sender)
    if (kind === 'u') return sender === users[0] ? null : 'it is not his stream'
    // Whoever is in a live room the gateway knows, and nothing but words is said there.
    if (kind === 'r' && payload.type !== 'MessageSent' && payload.type !== 'MessageRecalled')
      return 'it is not for a room'
    if (payload.type === 'GroupCreated') return roles.size === 0 ? null : 'it exists'
    if (payload.type === 'JoinRequested') return isIn || asked.has(sender) ? 'he needs not ask' : null
    if (payload.type === 'JoinAnswered')
      return payload.user === sender
        ? isIn
          ? 'he is in'
          : null
        : leads(sender) && asked.has(payload.user)
          ? null
          : 'he may not answer'
    if (payload.type === 'Observing')
      return isIn || observers.has(sender) === payload.on ? 'he may not observe' : null
    if (!isIn) return 'he is not in it'
    if ('target' in payload) {
      const message = messages.get(payload.target.seq)
      if (!message || message.recalled) return 'there is no such message'
      const { sender: author, time: sent, ordinal } = payload.target
      if (author !== message.sender || sent !== message.time || ordinal !== message.ordinal)
        return 'the facts are wrong'
    }
    switch (payload.type) {
      case 'MessageSent':
      case 'MessageEdited':
      case 'Reacted':
        if (isSilent(sender, time)) return 'he is muted'
        if (isBlocked(sender)) return 'he is blocked'
        if (payload.type === 'Reacted') return null
        if (payload.mentionAll && large && !leads(sender)) return 'he may not call all'
        if (payload.type === 'MessageSent') return null
        if (payload.target.sender !== sender) return 'he is not the author'
        return time - payload.target.time > limits.editWindowMs ? 'it is too late' : null
      case 'MessageRecalled':
        if (kind === 'g' && leads(sender)) return null
        if (payload.target.sender !== sender) return 'he is not the author'
        return time - payload.target.time > limits.recallWindowMs ? 'it is too late' : null
      case 'MessagePinned':
        return isBlocked(sender) || (kind === 'g' && !leads(sender)) ? 'he may not pin' : null
      case 'MembersAdded':
        return payload.members.some((user) => roles.has(user)) ? 'one is in' : null
      case 'MembersRemoved':
        return payload.members.every((user) =>
          user === sender
            ? roles.get(user) !== 'owner'
            : leads(sender) && roles.has(user) && rank(user) < rank(sender),
        )
          ? null
          : 'he may not remove'
      case 'MemberMuted':
        return leads(sender) && roles.has(payload.user) && rank(payload.user) < rank(sender)
          ? null
          : 'he may not mute'
      case 'RoleSet':
        return roles.get(sender) === 'owner' && roles.has(payload.user) && payload.user !== sender
          ? null
          : 'he may not'
      case 'GroupDissolved':
        return roles.get(sender) === 'owner' ? null : 'he may not'
      case 'AllMuted':
      case 'GroupSet':
        return leads(sender) ? null : 'he may not'
      case 'FriendRequested':
        return isBlocked(sender) || friends || asked.size > 0 ? 'there is nothing to ask' : null
      case 'FriendAnswered':
        return asked.size === 1 && !asked.has(sender) && !isBlocked(sender) ? null : 'nobody asked him'
      case 'FriendDeleted':
        return friends ? null : 'they are no friends'
      case 'Blocked':
        return blockers.has(sender) === payload.on ? 'it is so' : null
      default:
        return 'it does not belong here'
    }
  }

  function admit(user: string) {
    roles.set(user, 'member')
    asked.delete(user)
    observers.delete(user)
    large ||= roles.size > limits.groupNamedMembersMax
  }

  function note(envelope: Envelope, payload: EventPayload): void {
    seq++
    switch (payload.type) {
      case 'MessageSent': {
        const { seq: at, ordinal, time } = envelope
        messages.set(at, { sender: payload.sender, time, ordinal, recalled: false })
        return
      }
      case 'MessageRecalled':
        ;(messages.get(payload.target.seq) as Message).recalled = true
        return
      case 'GroupCreated':
        for (const user of payload.members) admit(user)
        roles.set(payload.sender, 'owner')
        return
      case 'MembersAdded':
        for (const user of payload.members) admit(user)
        return
      case 'MembersRemoved':
        for (const user of payload.members) roles.delete(user)
        return
      case 'JoinRequested':
      case 'FriendRequested':
        asked.add(payload.sender)
        return
      case 'JoinAnswered':
        asked.delete(payload.user)
        if (payload.accept) admit(payload.user)
        return
      case 'FriendAnswered':
        asked.clear()
        friends = payload.accept
        return
      case 'FriendDeleted':
        friends = false
        return
      case 'Blocked':
        if (payload.on) blockers.add(payload.sender)
        else blockers.delete(payload.sender)
        return
      case 'RoleSet':
        roles.set(payload.user, payload.role)
        if (payload.role === 'owner') roles.set(payload.sender, 'admin')
        return
      case 'MemberMuted':
        mutedUntil.set(payload.user, payload.until)
        return
      case 'AllMuted':
        allMuted = payload.on
        return
      case 'GroupDissolved':
        dissolved = true
        return
      case 'Observing':
        if (payload.on) observers.add(payload.sender)
        else observers.delete(payload.sender)
    }
  }

  return { objection, note, seq: () => seq, messages: () => messages.size }
}
