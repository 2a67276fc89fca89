/** Friends, who asks to be one, and whom one has blocked. */
import type { Relation } from '../client/index.ts'
import { avatar, faceOfUser, faceVersion } from './avatar.ts'
import { askFriend } from './dialogs.ts'
import { el, iconButton, problemLine, type Row, showRows, textButton } from './dom.ts'
import { showPersonMenu } from './person-actions.ts'
import type { Shell } from './shell.ts'
import type { Chat } from './state/chat.ts'
import { requestRow } from './thread-head.ts'

export function peopleView(chat: Chat, shell: Shell): { element: HTMLElement; show(): void } {
  const { people } = chat
  const requests = el('div', { className: 'notices' })
  const list = el('nav', { className: 'people', aria: { label: 'People' } })
  const problem = problemLine()
  const empty = el('p', { className: 'empty', textContent: 'No friends yet.' })
  const element = el(
    'div',
    { className: 'scrolled', role: 'tabpanel', hidden: true },
    el(
      'div',
      { className: 'list-tools' },
      textButton('Add friend', 'plain', () => askFriend(chat)),
    ),
    requests,
    problem,
    list,
    empty,
  )

  function stateText({ state, blocked, userId }: Relation): string {
    if (blocked) return 'Blocked'
    if (state === 'asked') return 'Asked, no answer yet'
    if (state === 'asking') return 'Asks to be friends'
    return people.isOnline(userId) ? 'Online' : 'Offline'
  }

  function row(relation: Relation): Row {
    const { userId } = relation
    const face = faceOfUser(chat, userId)
    const text = stateText(relation)
    const own = relation.remark && people.profile(userId)?.name
    const line = own ? `${own} · ${text}` : text
    return {
      key: userId,
      version: [...faceVersion(face), line],
      make() {
        const menu = iconButton(
          'Person menu',
          'more',
          () => showPersonMenu(chat, shell, userId, menu),
          'row-menu',
        )
        return el(
          'div',
          { className: 'row-box' },
          el(
            'button',
            {
              type: 'button',
              className: 'row',
              data: { user: userId },
              onclick: () => chat.openWith(userId),
            },
            avatar(face),
            el('span', { className: 'title', textContent: face.title }),
            el('span', { className: 'preview', textContent: line }),
          ),
          menu,
        )
      },
    }
  }

  const heading = (text: string): Row => ({
    key: `h ${text}`,
    version: [],
    make: () => el('h3', { textContent: text }),
  })
  const section = (title: string, relations: readonly Relation[]): Row[] =>
    relations.length === 0 ? [] : [heading(title), ...relations.map(row)]

  return {
    element,
    show() {
      if (element.hidden) return
      const all = people.relations()
      const free = all.filter(({ blocked }) => !blocked)
      const friends = free.filter(({ state }) => state === 'friend')
      const online = friends.filter(({ userId }) => people.isOnline(userId))
      const offline = friends.filter(({ userId }) => !people.isOnline(userId))
      const asking = free.filter(({ state }) => state === 'asking')
      problem.textContent = people.problem()
      empty.hidden = all.length > 0 || people.problem() !== ''
      showRows(
        requests,
        asking.map(({ userId, note }) => requestRow(chat, userId, note ?? '')),
      )
      showRows(list, [
        ...section('Friends', [...online, ...offline]),
        ...section(
          'Asked',
          free.filter(({ state }) => state === 'asked'),
        ),
        ...section(
          'Blocked',
          all.filter(({ blocked }) => blocked),
        ),
      ])
    },
  }
}
