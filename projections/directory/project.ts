/** Who belongs where and may do what, what groups and people are called, and the conversations of each user. */
import { parseStream } from '../../schemas/ids.ts'
import { listedIn } from '../../schemas/listed.ts'
import type { Envelope, EventPayload } from '../../schemas/records.ts'
import type { Accepted, Projection } from '../projection.ts'
import type { Fact } from './membership.ts'

/** Hashes of a conversation or a user in which the latest value of each field counts. */
export type LatestHash =
  | 'group'
  | 'roles'
  | 'muted'
  | 'joins'
  | 'pinned'
  | 'settings'
  | 'listSettings'
  | 'profile'
  | 'relations'

export type DirectoryWrite =
  | {
      readonly kind: 'membership'
      readonly conversationId: string
      readonly users: readonly string[]
      readonly fact: Fact
    }
  | {
      readonly kind: 'observing'
      readonly conversationId: string
      readonly user: string
      readonly fact: Fact
    }
  | { readonly kind: 'listed'; readonly conversationId: string; readonly users: readonly string[] }
  | {
      readonly kind: 'latest'
      readonly hash: LatestHash
      /** Of the conversation or the user. */
      readonly id: string
      readonly seq: number
      /** Null: taken away. */
      readonly fields: readonly (readonly [field: string, value: string | null])[]
    }

type Fields = Extract<DirectoryWrite, { kind: 'latest' }>['fields']

const GROUP_FIELDS = ['name', 'avatar', 'announcement', 'custom', 'joinPolicy', 'addPolicy'] as const
const PROFILE_FIELDS = ['name', 'avatar', 'birthday', 'region', 'gender', 'custom'] as const
/** Settings that say what stands in the conversation list, and where. */
const LIST_SETTING = /^(pin|deleted):/

export const directory: Projection<DirectoryWrite> = {
  name: 'directory',
  project({ envelope, payload }: Accepted) {
    if (envelope.kind !== 'event') return []
    const ref = parseStream(envelope.stream)
    // In a live room nobody is for good.
    if (ref?.kind === 'room') return []
    const pair = ref?.kind === 'p2p' ? ref.users : null
    const users = pair ? listedIn(envelope, payload, pair) : []
    const listed: DirectoryWrite[] =
      users.length === 0 ? [] : [{ kind: 'listed', conversationId: envelope.stream, users }]
    return payload ? [...listed, ...changes(envelope, payload, pair)] : listed
  },
}

function changes(
  { stream: id, seq, ordinal, time }: Envelope,
  payload: EventPayload,
  pair: readonly [string, string] | null,
): DirectoryWrite[] {
  const latest = (hash: LatestHash, of: string, fields: Fields): DirectoryWrite[] =>
    fields.length === 0 ? [] : [{ kind: 'latest', hash, id: of, seq, fields }]
  const membership = (joined: boolean, users: readonly string[]): DirectoryWrite => ({
    kind: 'membership',
    conversationId: id,
    users,
    fact: { joined, seq, ordinal, time },
  })
  /** What each of the two now is to the other. */
  const friendship = (sender: string, ofSender: string, ofOther: string, note = ''): DirectoryWrite[] => {
    if (!pair) return []
    const other = otherOf(pair, sender)
    return [
      ...latest('relations', sender, [[`f:${other}`, `${ofSender}:${time}:${note}`]]),
      ...latest('relations', other, [[`f:${sender}`, `${ofOther}:${time}:${note}`]]),
    ]
  }
  switch (payload.type) {
    case 'GroupCreated':
      return [
        membership(true, payload.members),
        ...latest('group', id, [['name', payload.name]]),
        ...latest('roles', id, [[payload.sender, 'owner']]),
      ]
    case 'MembersAdded':
      return [
        membership(true, payload.members),
        ...latest(
          'joins',
          id,
          payload.members.map((user) => [user, null]),
        ),
      ]
    case 'MembersRemoved':
      return [membership(false, payload.members)]
    case 'JoinRequested':
      return latest('joins', id, [[payload.sender, `${time}:${payload.note}`]])
    case 'JoinAnswered':
      return [
        ...(payload.accept ? [membership(true, [payload.user])] : []),
        ...latest('joins', id, [[payload.user, null]]),
      ]
    case 'RoleSet':
      if (payload.role === 'owner')
        return latest('roles', id, [
          [payload.user, 'owner'],
          [payload.sender, 'admin'],
        ])
      return latest('roles', id, [[payload.user, payload.role === 'admin' ? 'admin' : null]])
    case 'MemberMuted':
      return latest('muted', id, [[payload.user, payload.until > 0 ? String(payload.until) : null]])
    case 'AllMuted':
      return latest('group', id, [['allMuted', payload.on ? '1' : null]])
    case 'GroupSet':
      return latest('group', id, given(payload, GROUP_FIELDS))
    case 'GroupDissolved':
      return latest('group', id, [['dissolved', '1']])
    case 'MessagePinned':
      return latest('pinned', id, [[String(payload.target.seq), payload.on ? '' : null]])
    case 'MessageRecalled':
      return latest('pinned', id, [[String(payload.target.seq), null]])
    case 'Observing': {
      const fact = { joined: payload.on, seq, ordinal, time }
      return [{ kind: 'observing', conversationId: id, user: payload.sender, fact }]
    }
    case 'FriendRequested':
      return friendship(payload.sender, 'asked', 'asking', payload.note)
    case 'FriendAnswered':
      return payload.accept
        ? friendship(payload.sender, 'friend', 'friend')
        : friendship(payload.sender, 'none', 'none')
    case 'FriendDeleted':
      return friendship(payload.sender, 'none', 'none')
    case 'Blocked':
      return pair
        ? latest('relations', payload.sender, [
            [`b:${otherOf(pair, payload.sender)}`, payload.on ? '' : null],
          ])
        : []
    case 'SettingSet': {
      const fields: Fields = [[payload.key, payload.value]]
      const inList = LIST_SETTING.test(payload.key) ? latest('listSettings', payload.sender, fields) : []
      return [...latest('settings', payload.sender, fields), ...inList]
    }
    case 'ProfileSet':
      return latest('profile', payload.sender, given(payload, PROFILE_FIELDS))
    default:
      return []
  }
}

const otherOf = ([a, b]: readonly [string, string], user: string): string => (user === a ? b : a)

/** Those of the fields that the event changes. */
const given = <F extends string>(payload: Record<F, string | null>, fields: readonly F[]): Fields =>
  fields.flatMap((field) => (payload[field] === null ? [] : [[field, payload[field]] as const]))
