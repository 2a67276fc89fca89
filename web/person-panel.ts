/** One person: who they are, and what one can do with them. */

import { p2pId } from '../schemas/ids.ts'
import { avatar, faceOfUser, faceVersion } from './avatar.ts'
import { conversationSection } from './conversation-section.ts'
import { attempt, el, problemLine, type Row, showRows, textButton } from './dom.ts'
import { fact, type PanelContent, section } from './panel.ts'
import { personActions } from './person-actions.ts'
import type { Chat } from './state/chat.ts'

const relationWords = {
  none: '',
  asked: 'You asked to be friends.',
  asking: 'Asks to be friends.',
  friend: 'Friend',
} as const

export function personPanel(chat: Chat, userId: string): PanelContent {
  const { people, client } = chat
  const conversation = conversationSection(chat, p2pId(client.userId, userId))
  const about = el('div')
  const element = el('div', {}, about, conversation.element)

  function aboutRow(): Row {
    const face = faceOfUser(chat, userId)
    const profile = people.profile(userId)
    const relation = people.relation(userId)
    const isSelf = userId === client.userId
    const state = [
      relation.blocked ? 'Blocked' : relationWords[relation.state],
      relation.state === 'friend' ? (face.isOnline ? 'online' : 'offline') : '',
    ].filter(Boolean)
    return {
      key: 'about',
      version: [...faceVersion(face), profile, relation, state.join()],
      make() {
        const problem = problemLine()
        const actions = personActions(chat, userId).map(({ text, isDangerous, act }) => {
          const button = textButton(text, isDangerous ? 'plain dangerous' : 'plain', () => {
            void attempt(act, problem, button)
          })
          return button
        })
        return el(
          'div',
          {},
          el(
            'div',
            { className: 'portrait' },
            avatar(face, 'large'),
            el('strong', { textContent: face.title }),
            el('span', { className: 'state', textContent: isSelf ? 'You' : state.join(', ') }),
          ),
          section(
            null,
            el(
              'dl',
              {},
              fact('User id', userId),
              fact('Calls themself', face.title === profile?.name ? null : (profile?.name ?? null)),
              fact('Birthday', profile?.birthday ?? null),
              fact('Region', profile?.region ?? null),
              fact('Gender', profile?.gender ?? null),
              fact('Their word', relation.state === 'asking' ? relation.note : null),
            ),
          ),
          section(
            null,
            el(
              'div',
              { className: 'action-list' },
              textButton(isSelf ? 'Notes to self' : 'Message', 'plain', () => chat.openWith(userId)),
              ...actions,
            ),
            problem,
          ),
        )
      },
    }
  }

  return {
    key: `person ${userId}`,
    title: 'Person',
    element,
    show() {
      showRows(about, [aboutRow()])
      conversation.show()
    },
  }
}
