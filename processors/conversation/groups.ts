/** Creating a group and changing its roster. */
import { groupStream, newGroupId } from '../../schemas/ids.ts'
import { limits } from '../../schemas/limits.ts'
import type { CommandPayload } from '../../schemas/records.ts'
import { type Asked, type Decision, happened, reject } from '../processor.ts'
import type { GroupState } from '../state.ts'

type Of<T extends CommandPayload['type']> = Extract<CommandPayload, { type: T }>

export function createGroup(
  body: GroupState,
  stream: string,
  asked: Asked,
  command: Of<'CreateGroup'>,
): Decision {
  // The id follows from creator and packId, so that nobody can take a name and a retry meets the same stream.
  if (stream !== groupStream(newGroupId(asked.sender, asked.packId))) return reject('bad_id')
  if (body.exists) return reject('already_exists')
  const members = [...new Set([asked.sender, ...command.members])]
  if (members.length > limits.groupMembersMax) return reject('group_full')
  return happened({ type: 'GroupCreated', name: command.name, members })
}

/** Any member may add. The event names only those who were not members. */
export function addMembers(body: GroupState, asked: Asked, command: Of<'AddMembers'>): Decision {
  if (!body.exists || !body.members.has(asked.sender)) return reject('not_member')
  const members = [...new Set(command.members)].filter((user) => !body.members.has(user))
  if (members.length === 0) return reject('no_change')
  if (body.members.size + members.length > limits.groupMembersMax) return reject('group_full')
  return happened({ type: 'MembersAdded', members })
}

/** The owner may remove others; anyone may leave. The owner stays, so that a group always has one. */
export function removeMembers(body: GroupState, asked: Asked, command: Of<'RemoveMembers'>): Decision {
  const role = body.members.get(asked.sender)
  if (!body.exists || !role) return reject('not_member')
  const members = [...new Set(command.members)].filter((user) => body.members.has(user))
  if (members.length === 0) return reject('no_change')
  if (role !== 'owner' && members.some((user) => user !== asked.sender)) return reject('not_allowed')
  if (members.some((user) => body.members.get(user) === 'owner')) return reject('not_allowed')
  return happened({ type: 'MembersRemoved', members })
}
