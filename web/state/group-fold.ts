/** What a change makes of a group and of its members as far as they were read. Pure. */
import type { Group, GroupChange, GroupRole, Member } from '../../client/index.ts'

export function groupAfter(group: Group, change: GroupChange, me: string): Group {
  const { kind, members, byUserId } = change
  const concernsMe = members.includes(me)
  const others = group.requests.filter(({ userId }) => !members.includes(userId))
  switch (kind) {
    case 'groupSet':
      return { ...group, ...change.changes }
    case 'allMuted':
      return { ...group, allMuted: change.on === true }
    case 'dissolved':
      return { ...group, dissolved: true }
    case 'roleSet':
      if (concernsMe) return { ...group, role: change.role }
      return change.role === 'owner' && byUserId === me ? { ...group, role: 'admin' } : group
    case 'muted':
      return concernsMe ? { ...group, mutedUntil: change.until ?? 0 } : group
    case 'joinRequested': {
      if (byUserId === me) return { ...group, asked: true }
      // His note comes with the group, which is read again.
      if (group.requests.some(({ userId }) => userId === byUserId)) return group
      return { ...group, requests: [...group.requests, { userId: byUserId, note: '', time: change.time }] }
    }
    case 'joinAnswered': {
      const after = { ...group, requests: others, asked: group.asked && !concernsMe }
      return change.on ? joined(after, 1, concernsMe) : after
    }
    case 'added':
      return joined({ ...group, requests: others }, members.length, concernsMe)
    case 'removed': {
      const memberCount = Math.max(0, group.memberCount - members.length)
      return { ...group, memberCount, role: concernsMe ? null : group.role }
    }
    default:
      return group
  }
}

const joined = (group: Group, by: number, me: boolean): Group => ({
  ...group,
  memberCount: group.memberCount + by,
  role: me ? 'member' : group.role,
  asked: group.asked && !me,
})

/** `isAll`: all were read, so that those who come in stand at the end. */
export function membersAfter(
  members: readonly Member[],
  change: GroupChange,
  isAll: boolean,
): readonly Member[] {
  const named = new Set(change.members)
  const withRole = (role: GroupRole, old: (member: Member) => GroupRole): readonly Member[] =>
    members.map((member) =>
      named.has(member.userId) ? { ...member, role } : { ...member, role: old(member) },
    )
  switch (change.kind) {
    case 'roleSet': {
      const role = change.role ?? 'member'
      return withRole(role, (member) => (role === 'owner' && member.role === 'owner' ? 'admin' : member.role))
    }
    case 'muted':
      return members.map((member) =>
        named.has(member.userId) ? { ...member, mutedUntil: change.until ?? 0 } : member,
      )
    case 'removed':
      return members.filter(({ userId }) => !named.has(userId))
    case 'added':
    case 'joinAnswered': {
      if (!isAll || (change.kind === 'joinAnswered' && !change.on)) return members
      const held = new Set(members.map(({ userId }) => userId))
      const added = change.members.filter((userId) => !held.has(userId))
      const { seq: joinedSeq } = change
      const fresh = added.map((userId) => ({ userId, role: 'member' as const, joinedSeq, mutedUntil: 0 }))
      return [...members, ...fresh]
    }
    default:
      return members
  }
}
