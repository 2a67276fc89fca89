/** Who may do what, folded from the log: roles, mutes and requests of a group, friends and blocks of two people. */
import type { Accepted } from './accept.ts'
import type { Row } from './avro.ts'
import type { Message } from './log.ts'

export interface Rules {
  /** Why this record should not stand in the log, as what is wrong with its sender; null: nothing is. */
  objection(record: Accepted, messages: ReadonlyMap<number, Message>): string | null
  note(record: Accepted): void
}

/** The windows and sizes that the protocol states. */
const recallWindowMs = 120_000
const editWindowMs = 900_000
const smallGroupMax = 250

const rank = { owner: 3, admin: 2, member: 1, outsider: 0 }
type Role = keyof typeof rank

export function createRules(stream: string): Rules {
  const [kind, a = '', b = ''] = stream.split(':')
  if (kind === 'g') return groupRules()
  if (kind === 'p2p') return pairRules(a, b)
  return { objection: ({ sender }) => (sender === a ? null : 'is not its user'), note: () => {} }
}

function groupRules(): Rules {
  const roles = new Map<string, Role>()
  const mutedUntil = new Map<string, number>()
  const asked = new Set<string>()
  let joinPolicy = 'approval'
  let addPolicy = 'members'
  let allMuted = false
  let dissolved = false
  let large = false

  const roleOf = (user: string): Role => roles.get(user) ?? 'outsider'
  const leads = (user: string): boolean => rank[roleOf(user)] >= rank.admin
  const isAbove = (user: string, other: string): boolean =>
    leads(user) && rank[roleOf(user)] > rank[roleOf(other)]

  function speaking({ sender, time, row }: Accepted): string | null {
    if (roleOf(sender) === 'outsider') return 'is no member'
    // Whoever was handed the group while muted has nobody above to end it.
    if (roleOf(sender) !== 'owner' && (mutedUntil.get(sender) ?? 0) > time) return 'is muted'
    if (allMuted && !leads(sender)) return 'is muted with everyone'
    if (row.mentionAll === true && large && !leads(sender)) return 'may not name everyone'
    return null
  }

  function objection(record: Accepted, messages: ReadonlyMap<number, Message>): string | null {
    const { type, sender, row } = record
    if (dissolved && type !== 'MessageRecalled') return 'is in a dissolved group'
    const mine = roleOf(sender)
    switch (type) {
      case 'GroupCreated':
        return roles.size > 0 ? 'creates it again' : null
      case 'JoinRequested':
        return mine !== 'outsider' ? 'is a member' : joinPolicy === 'approval' ? null : 'cannot ask'
      case 'JoinAnswered':
        if (row.user === sender)
          return mine === 'outsider' && joinPolicy === 'open' ? null : 'lets himself in'
        return leads(sender) && asked.has(String(row.user)) ? null : 'cannot answer'
      case 'Observing':
        return mine === 'outsider' || row.on === false ? null : 'is a member'
      case 'MessageSent':
        return speaking(record)
      case 'Reacted':
        return speaking(record) ?? reacting(record, messages)
      case 'MessageEdited':
        return speaking(record) ?? editing(record, messages)
      case 'MessageRecalled':
        return mine === 'outsider' ? 'is no member' : recalling(record, messages, leads(sender))
      case 'MembersAdded':
        return mine === 'outsider'
          ? 'is no member'
          : addPolicy === 'admins' && !leads(sender)
            ? 'may not add'
            : null
      case 'MembersRemoved': {
        const others = (row.members as string[]).filter((user) => user !== sender)
        if (others.length < (row.members as string[]).length && mine === 'owner') return 'owns it and leaves'
        return mine !== 'outsider' && others.every((user) => isAbove(sender, user)) ? null : 'may not remove'
      }
      case 'RoleSet':
      case 'GroupDissolved':
        return mine === 'owner' ? null : 'is not the owner'
      case 'MemberMuted':
        return isAbove(sender, String(row.user)) ? null : 'may not mute him'
      default:
        return leads(sender) ? null : 'is no admin'
    }
  }

  function note({ type, sender, row }: Accepted): void {
    const put = (users: readonly string[]): void => {
      for (const user of users) {
        if (!roles.has(user)) roles.set(user, 'member')
        asked.delete(user)
      }
      large ||= roles.size > smallGroupMax
    }
    if (type === 'GroupCreated' || type === 'MembersAdded') put(row.members as string[])
    if (type === 'GroupCreated') roles.set(sender, 'owner')
    if (type === 'JoinRequested') asked.add(sender)
    if (type === 'JoinAnswered') {
      asked.delete(String(row.user))
      if (row.accept) put([String(row.user)])
    }
    if (type === 'MembersRemoved')
      for (const user of row.members as string[]) {
        roles.delete(user)
        mutedUntil.delete(user)
      }
    if (type === 'RoleSet') {
      roles.set(String(row.user), String(row.role) as Role)
      if (row.role === 'owner') roles.set(sender, 'admin')
    }
    if (type === 'MemberMuted') mutedUntil.set(String(row.user), Number(row.until))
    if (type === 'AllMuted') allMuted = row.on === true
    if (type === 'GroupDissolved') dissolved = true
    if (type === 'GroupSet') {
      joinPolicy = String(row.joinPolicy ?? joinPolicy)
      addPolicy = String(row.addPolicy ?? addPolicy)
    }
  }
  return { objection, note }
}

function pairRules(a: string, b: string): Rules {
  const blocks = new Set<string>()
  const asked = new Set<string>()
  let friends = false
  const other = (user: string): string => (user === a ? b : a)

  return {
    objection(record, messages) {
      const { type, sender, row } = record
      if (type === 'Observing') return sender === a || sender === b ? 'is one of the two' : null
      if (sender !== a && sender !== b) return 'is none of the two'
      const shut = blocks.has(other(sender)) && sender !== other(sender) ? 'is blocked' : null
      switch (type) {
        case 'MessageSent':
          return shut
        case 'Reacted':
          return shut ?? reacting(record, messages)
        case 'MessageEdited':
          return shut ?? editing(record, messages)
        case 'MessageRecalled':
          return recalling(record, messages, false)
        case 'FriendRequested':
          return shut ?? (friends || asked.has(sender) ? 'asks again' : null)
        case 'FriendAnswered':
          return shut ?? (asked.has(other(sender)) ? null : 'was not asked')
        case 'FriendDeleted':
          return friends ? null : 'is no friend'
        case 'Blocked':
          return blocks.has(sender) === row.on ? 'blocks what is so' : null
        default:
          return null
      }
    },
    note({ type, sender, row }) {
      if (type === 'FriendRequested') asked.add(sender)
      if (type === 'FriendAnswered') {
        asked.clear()
        friends ||= row.accept === true
      }
      if (type === 'FriendDeleted') friends = false
      if (type === 'Blocked' && row.on) blocks.add(sender)
      if (type === 'Blocked' && !row.on) blocks.delete(sender)
    },
  }
}

const targetOf = ({ row }: Accepted, messages: ReadonlyMap<number, Message>): Message | undefined =>
  messages.get(Number((row.target as Row).seq))

const reacting = (record: Accepted, messages: ReadonlyMap<number, Message>): string | null =>
  targetOf(record, messages)?.recalledBy === null ? null : 'reacts to what is not there'

function editing(record: Accepted, messages: ReadonlyMap<number, Message>): string | null {
  const message = targetOf(record, messages)
  if (!message) return 'edits nothing'
  if (message.sender !== record.sender) return 'is not the author'
  if (message.recalledBy !== null) return 'edits what was recalled'
  return record.time - message.time > editWindowMs ? 'is too late' : null
}

function recalling(record: Accepted, messages: ReadonlyMap<number, Message>, anyone: boolean): string | null {
  const message = targetOf(record, messages)
  if (!message) return 'recalls nothing'
  if (message.recalledBy !== null) return 'recalls it again'
  if (anyone) return null
  if (message.sender !== record.sender) return 'is not the author'
  return record.time - message.time > recallWindowMs ? 'is too late' : null
}
