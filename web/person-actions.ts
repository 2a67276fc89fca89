/** What one can do with another person, wherever they are shown. */

import { askFriend, askRemark, confirmFirst } from './dialogs.ts'
import { showMenu } from './menu.ts'
import type { Shell } from './shell.ts'
import type { Chat } from './state/chat.ts'

export interface PersonAction {
  readonly text: string
  readonly isDangerous?: boolean
  /** Done at once, and what fails is said beside its button; else a dialog asks first. */
  readonly isDirect?: boolean
  act(): unknown
}

/** Those that make sense now. */
export function personActions(chat: Chat, userId: string): PersonAction[] {
  const { client, people } = chat
  if (userId === client.userId) return []
  const { state, blocked } = people.relation(userId)
  const name = people.nameOf(userId)
  const actions: (PersonAction | false)[] = [
    state === 'none' && !blocked && { text: 'Add friend', act: () => askFriend(chat, userId) },
    state === 'asking' && {
      text: 'Accept friend',
      isDirect: true,
      act: () => client.answerFriend(userId, true),
    },
    state === 'asking' && { text: 'Refuse', isDirect: true, act: () => client.answerFriend(userId, false) },
    { text: 'Remark', act: () => askRemark(chat, userId) },
    blocked && { text: 'Unblock', isDirect: true, act: () => client.unblock(userId) },
    state === 'friend' && {
      text: 'Delete friend',
      isDangerous: true,
      act: () =>
        confirmFirst('Delete friend', `${name} is not told.`, 'Delete', () => client.deleteFriend(userId)),
    },
    !blocked && {
      text: 'Block',
      isDangerous: true,
      act: () =>
        confirmFirst('Block', `${name} can no longer write to you, and is not told.`, 'Block', () =>
          client.block(userId),
        ),
    },
  ]
  return actions.filter((action) => action !== false)
}

export function showPersonMenu(chat: Chat, shell: Shell, userId: string, anchor: HTMLElement): void {
  showMenu(anchor, [
    { text: 'Details', act: () => shell.openPerson(userId) },
    ...personActions(chat, userId)
      .filter(({ isDirect }) => !isDirect)
      .map((action) => ({ ...action, act: () => void action.act() })),
  ])
}
