/** Giving roles in a group, and muting in it. */
import { limits } from '../../schemas/limits.ts'
import { type Asked, type CommandOf, type Decision, happened, reject } from '../processor.ts'
import type { GroupState } from '../state.ts'
import { barredInGroup, groupRole, isMuted } from './access.ts'

const settingRole = {
  outsider: 'setRoleOfOutsider',
  member: 'setRoleOfMember',
  admin: 'setRoleOfAdmin',
  owner: 'setRoleOfOwner',
} as const

/** The role `owner` hands the group over: the owner before becomes an admin. */
export function setRole(body: GroupState, asked: Asked, command: CommandOf<'SetRole'>): Decision {
  const { user, role } = command
  const now = groupRole(body, user)
  const barred = barredInGroup(body, asked.sender, settingRole[now])
  if (barred) return reject(barred)
  if (role !== 'owner' && role !== 'admin' && role !== 'member') return reject('bad_content')
  if (role === now) return reject('no_change')
  const admins = body.staff.size - 1
  if (role !== 'member' && now === 'member' && admins >= limits.groupAdminsMax) return reject('too_many')
  return happened({ type: 'RoleSet', user, role })
}

const muting = {
  outsider: 'muteOutsider',
  member: 'muteMember',
  admin: 'muteAdmin',
  owner: 'muteOwner',
} as const

export function muteMember(body: GroupState, asked: Asked, command: CommandOf<'MuteMember'>): Decision {
  const { user, forMs } = command
  const barred = barredInGroup(body, asked.sender, muting[groupRole(body, user)])
  if (barred) return reject(barred)
  if (forMs < 0 || forMs > limits.muteMsMax) return reject('bad_content')
  if (forMs === 0 && !isMuted(body, user, asked.now)) return reject('no_change')
  return happened({ type: 'MemberMuted', user, until: forMs === 0 ? 0 : asked.now + forMs })
}

export function muteAll(body: GroupState, asked: Asked, command: CommandOf<'MuteAll'>): Decision {
  const barred = barredInGroup(body, asked.sender, 'muteAll')
  if (barred) return reject(barred)
  return command.on === body.allMuted ? reject('no_change') : happened({ type: 'AllMuted', on: command.on })
}
