/** What the page offers to whom. Only a courtesy: the server decides by its own table. Pure. */
import type { Conversation, Group, GroupRole, Message, Windows } from '../../client/index.ts'

const rank: Readonly<Record<GroupRole, number>> = { member: 0, admin: 1, owner: 2 }

export const isAdmin = (group: Group | null): boolean => group?.role === 'owner' || group?.role === 'admin'
export const outranks = (role: GroupRole | null | undefined, other: GroupRole): boolean =>
  role !== null && role !== undefined && role !== 'member' && rank[role] > rank[other]

export const mayAdd = (group: Group): boolean =>
  group.role !== null && !group.dissolved && (group.addPolicy === 'members' || isAdmin(group))

/** @all: in a large group only owner and admins. */
export const mayMentionAll = (conversation: Conversation, group: Group | null): boolean =>
  conversation.kind === 'group' && group !== null && (!group.large || isAdmin(group))

export interface MessageRights {
  readonly edit: boolean
  readonly recall: boolean
  readonly pin: boolean
  /** Reply, react. */
  readonly answer: boolean
}

export function messageRights(
  message: Message,
  conversation: Conversation,
  group: Group | null,
  userId: string,
  serverTime: number,
  windows: Windows,
): MessageRights {
  const age = serverTime - message.sentAt
  const mine = message.senderId === userId
  const may = writeBar(conversation, group, userId, serverTime) === null
  const single = conversation.kind === 'single' && conversation.peerId !== null
  const member = single || (group !== null && group.role !== null)
  const inside = member && !group?.dissolved
  return {
    edit: mine && may && message.content?.type === 'text' && age < windows.editMs,
    recall: member && (isAdmin(group) || (mine && age < windows.recallMs)),
    pin: inside && (single || isAdmin(group)),
    answer: may,
  }
}

/** Why one cannot write here, in words; null: one can. */
export function writeBar(
  conversation: Conversation,
  group: Group | null,
  userId: string,
  serverTime: number,
): { readonly text: string; readonly until: number } | null {
  if (conversation.kind === 'single') {
    const isIn = conversation.conversationId.slice('p2p:'.length).split(':').includes(userId)
    return isIn ? null : { text: 'You observe this conversation.', until: 0 }
  }
  if (conversation.dissolved || group?.dissolved) return { text: 'The group was dissolved.', until: 0 }
  if (group === null) return null
  if (group.role === null) return { text: 'You are not in this group.', until: 0 }
  if (group.mutedUntil > serverTime) return { text: 'You are muted here', until: group.mutedUntil }
  if (group.allMuted && !isAdmin(group)) return { text: 'Only owner and admins may write now.', until: 0 }
  return null
}
