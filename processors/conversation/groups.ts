/** Creating, changing and dissolving a group, and its roster. */
import { groupStream, newGroupId } from '../../schemas/ids.ts'
import { limits } from '../../schemas/limits.ts'
import { type Asked, type CommandOf, type Decision, happened, reject } from '../processor.ts'
import type { GroupState } from '../state.ts'
import { barredInGroup, groupRole } from './access.ts'
import type { GroupAction } from './authorisation.ts'

export function createGroup(
  body: GroupState,
  stream: string,
  asked: Asked,
  command: CommandOf<'CreateGroup'>,
): Decision {
  // The id follows from creator and packId, so that nobody can take a name and a retry meets the same stream.
  if (stream !== groupStream(newGroupId(asked.sender, asked.packId))) return reject('bad_id')
  if (body.exists) return reject('already_exists')
  if (command.members.length > limits.membersPerCommandMax) return reject('too_many')
  return happened({
    type: 'GroupCreated',
    name: command.name,
    members: [...new Set([asked.sender, ...command.members])],
  })
}

/** The event names only those who were not members. */
export function addMembers(body: GroupState, asked: Asked, command: CommandOf<'AddMembers'>): Decision {
  const barred = barredInGroup(body, asked.sender, body.addPolicy === 'members' ? 'add' : 'addByAdmins')
  if (barred) return reject(barred)
  if (command.members.length > limits.membersPerCommandMax) return reject('too_many')
  const members = [...new Set(command.members)].filter((user) => !body.members.has(user))
  if (members.length === 0) return reject('no_change')
  if (body.members.size + members.length > limits.groupMembersMax) return reject('group_full')
  return happened({ type: 'MembersAdded', members })
}

const removing = { member: 'removeMember', admin: 'removeAdmin', owner: 'removeOwner' } as const

/** All that are named go, or none. The owner stays, so that a group always has one: he hands the group over first. */
export function removeMembers(body: GroupState, asked: Asked, command: CommandOf<'RemoveMembers'>): Decision {
  const { sender } = asked
  if (!body.members.has(sender)) return reject('not_member')
  if (command.members.length > limits.membersPerCommandMax) return reject('too_many')
  const members: string[] = []
  const actions = new Set<GroupAction>()
  for (const user of new Set(command.members)) {
    const role = groupRole(body, user)
    if (role === 'outsider') continue
    members.push(user)
    actions.add(user === sender ? 'leave' : removing[role])
  }
  if (members.length === 0) return reject('no_change')
  const barred = barredInGroup(body, sender, ...actions)
  return barred ? reject(barred) : happened({ type: 'MembersRemoved', members })
}

export function dissolveGroup(body: GroupState, asked: Asked): Decision {
  const barred = barredInGroup(body, asked.sender, 'dissolve')
  return barred ? reject(barred) : happened({ type: 'GroupDissolved' })
}

export function setGroup(body: GroupState, asked: Asked, command: CommandOf<'SetGroup'>): Decision {
  const barred = barredInGroup(body, asked.sender, 'setGroup')
  if (barred) return reject(barred)
  const { name, avatar, announcement, custom, joinPolicy, addPolicy } = command
  const fields = { name, avatar, announcement, custom, joinPolicy, addPolicy }
  if (Object.values(fields).every((value) => value === null)) return reject('no_change')
  if (name === '') return reject('bad_content')
  if (joinPolicy !== null && !isJoinPolicy(joinPolicy)) return reject('bad_content')
  if (addPolicy !== null && !isAddPolicy(addPolicy)) return reject('bad_content')
  return happened({ type: 'GroupSet', ...fields })
}

export const isJoinPolicy = (text: string): text is GroupState['joinPolicy'] =>
  text === 'open' || text === 'approval' || text === 'closed'
export const isAddPolicy = (text: string): text is GroupState['addPolicy'] =>
  text === 'members' || text === 'admins'
