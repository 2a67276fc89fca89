/** Roles of a user in a conversation, and what bars one from speaking in it. */
import type { CodeName } from '../../schemas/codes.ts'
import type { Asked } from '../processor.ts'
import type { Conversation, GroupState, P2pState } from '../state.ts'
import {
  authorise,
  type ChatAction,
  type ChatRole,
  chatRules,
  type GroupAction,
  type GroupRole,
  groupRules,
} from './authorisation.ts'

export const groupRole = (body: GroupState, user: string): GroupRole =>
  body.staff.get(user) ?? (body.members.has(user) ? 'member' : 'outsider')

export function chatRole(body: P2pState, user: string): ChatRole {
  if (!body.users.includes(user)) return 'outsider'
  const other = otherOf(body, user)
  return other !== null && body.blockers.includes(other) ? 'blocked' : 'side'
}

/** Null in the single chat with oneself. */
export const otherOf = (body: P2pState, user: string): string | null =>
  body.users.find((one) => one !== user) ?? null

/** Code of the first refusal among these rules; null: the user may. */
export function barredInGroup(
  body: GroupState,
  user: string,
  ...actions: readonly GroupAction[]
): CodeName | null {
  const role = groupRole(body, user)
  for (const action of actions) {
    const code = authorise(groupRules[action], role)
    if (code) return code
  }
  return null
}

export const barredInChat = (body: P2pState, user: string, action: ChatAction): CodeName | null =>
  authorise(chatRules[action], chatRole(body, user))

/** In a room everyone may take back what he said himself. */
export function barredFrom(
  body: Conversation,
  user: string,
  action: 'recallOwn' | 'recallOthers',
): CodeName | null {
  switch (body.kind) {
    case 'p2p':
      return barredInChat(body, user, action)
    case 'group':
      return barredInGroup(body, user, action)
    case 'room':
      return action === 'recallOwn' ? null : 'not_author'
  }
}

export const isMuted = (body: GroupState, user: string, now: number): boolean =>
  (body.mutes.get(user) ?? 0) > now

/** What bars the sender from sending, editing or reacting; null: nothing. */
export function barredFromSpeaking(
  body: Conversation,
  asked: Asked,
  action: 'speak' | 'editOwn',
  mentionAll: boolean,
): CodeName | null {
  const { sender, now } = asked
  if (body.kind === 'p2p') return barredInChat(body, sender, action)
  if (body.kind === 'room') return null
  const actions: GroupAction[] = ['speak']
  if (body.allMuted) actions.push('speakAllMuted')
  if (isMuted(body, sender, now)) actions.push('speakMuted')
  if (mentionAll) actions.push(body.large ? 'mentionAllLarge' : 'mentionAll')
  return barredInGroup(body, sender, ...actions)
}
