/** Who belongs to each conversation of a partition: fan-out's own fold, so that no read model stands in the way of a push. Pure. */
import { parseStream } from '../../schemas/ids.ts'
import { limits } from '../../schemas/limits.ts'
import type { EventPayload } from '../../schemas/records.ts'
import type { StreamState } from '../state.ts'

export interface Roster {
  /** Of a group. Those of other streams stand in their id. */
  readonly members: Set<string>
  readonly observers: Set<string>
  /** When a group became large, for ever, at the latest (broker time in ms); null: it never was. */
  largeSince: number | null
}

/** Rosters of a partition, as of the last record folded. Single chats have one only while somebody observes them. */
export type Rosters = Map<string, Roster>

/** What an event changed: whom it let in, and whom it put out. */
export interface RosterChange {
  readonly joined: readonly string[]
  readonly left: readonly string[]
  /** The group became large by this event. */
  readonly becameLarge: boolean
}

const nobody: readonly string[] = []
const NO_CHANGE: RosterChange = { joined: nobody, left: nobody, becameLarge: false }

export const newRoster = (members: Iterable<string> = []): Roster => ({
  members: new Set(members),
  observers: new Set(),
  largeSince: null,
})

/** Folds one accepted event. `time`: broker time in ms. */
export function foldRoster(
  rosters: Rosters,
  stream: string,
  payload: EventPayload,
  time: number,
): RosterChange {
  switch (payload.type) {
    case 'GroupCreated':
      rosters.set(stream, newRoster())
      return join(rosters.get(stream), payload.members, time)
    case 'MembersAdded':
      return join(rosters.get(stream), payload.members, time)
    case 'JoinAnswered':
      return payload.accept ? join(rosters.get(stream), [payload.user], time) : NO_CHANGE
    case 'MembersRemoved': {
      const members = rosters.get(stream)?.members
      for (const user of payload.members) members?.delete(user)
      return { ...NO_CHANGE, left: payload.members }
    }
    case 'Observing':
      observe(rosters, stream, payload.sender, payload.on)
      return NO_CHANGE
    default:
      return NO_CHANGE
  }
}

function join(roster: Roster | undefined, users: readonly string[], time: number): RosterChange {
  if (!roster) return { ...NO_CHANGE, joined: users }
  for (const user of users) {
    roster.members.add(user)
    roster.observers.delete(user)
  }
  const becameLarge = roster.largeSince === null && roster.members.size > limits.groupNamedMembersMax
  if (becameLarge) roster.largeSince = time
  return { joined: users, left: nobody, becameLarge }
}

function observe(rosters: Rosters, stream: string, user: string, on: boolean): void {
  let roster = rosters.get(stream)
  if (!roster) {
    if (!on) return
    roster = newRoster()
    rosters.set(stream, roster)
  }
  if (on) roster.observers.add(user)
  else roster.observers.delete(user)
}

/** From a snapshot, whose clock stood at `now`: a large group may have become so right before it. */
export function restoreRoster(rosters: Rosters, stream: string, { body }: StreamState, now: number): void {
  if (body.kind === 'user' || (body.kind === 'group' ? !body.exists : body.observers.length === 0)) return
  const isGroup = body.kind === 'group'
  rosters.set(stream, {
    members: new Set(isGroup ? body.members : nobody),
    observers: new Set(body.observers),
    largeSince: isGroup && body.large ? now : null,
  })
}

/** Members of a conversation now. Of a large group not to be asked per message. */
export function membersOf(stream: string, rosters: Rosters): readonly string[] {
  const ref = parseStream(stream)
  if (ref?.kind === 'p2p') return ref.users[0] === ref.users[1] ? [ref.users[0]] : ref.users
  if (ref?.kind === 'user') return [ref.userId]
  return [...(rosters.get(stream)?.members ?? [])]
}

export const observersOf = (stream: string, rosters: Rosters): readonly string[] => {
  const observers = rosters.get(stream)?.observers
  return observers === undefined || observers.size === 0 ? nobody : [...observers]
}
