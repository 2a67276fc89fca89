/** The left side: who one is, the state of the connection, the conversations. */
import type { State } from '../client/index.ts'
import type { Chat, Thread } from './chat.ts'
import { el, icon, type Row, showRows } from './dom.ts'
import { hueOf, previewOf, titleOf, whenOf } from './format.ts'

export interface ListView {
  readonly element: HTMLElement
  show(chat: Chat): void
}

const stateText: Readonly<Record<State, string>> = {
  online: 'Online',
  connecting: 'Connecting…',
  waiting: 'Offline, trying again…',
  closed: 'Logged out',
}

export interface ListActions {
  open(conversationId: string): void
  newChat(): void
  newGroup(): void
  logout(): void
}

export function avatar(id: string, title: string): HTMLElement {
  const [first = '?'] = [...title]
  const element = el('span', { className: 'avatar', textContent: first.toUpperCase() })
  element.style.setProperty('--hue', String(hueOf(id)))
  return element
}

const button = (title: string, path: string, act: () => void): HTMLButtonElement =>
  el(
    'button',
    { className: 'round', type: 'button', title, aria: { label: title }, onclick: act },
    icon(path),
  )

export function listView(userId: string, actions: ListActions): ListView {
  const state = el('span', { className: 'state', role: 'status' })
  const list = el('nav', { className: 'conversations', aria: { label: 'Conversations' } })
  const empty = el(
    'p',
    { className: 'empty' },
    'No conversations yet. Start a chat with someone, or create a group.',
  )
  const me = el('div', { className: 'me' }, el('strong', { textContent: userId }), state)
  const element = el(
    'aside',
    { className: 'side' },
    el(
      'header',
      { className: 'bar' },
      avatar(userId, userId),
      me,
      button('New chat', 'M12 5v14M5 12h14', actions.newChat),
      button(
        'New group',
        'M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7Zm-6 9c0-3.3 2.7-6 6-6s6 2.7 6 6M16 4.5a3.5 3.5 0 0 1 0 6M18 14.5c1.9.8 3 2.8 3 5.5',
        actions.newGroup,
      ),
      button('Log out', 'M14 4h5v16h-5M10 8l-4 4 4 4M6 12h10', actions.logout),
    ),
    list,
    empty,
  )

  function row(thread: Thread, isActive: boolean): Row {
    const { conversation } = thread
    const { conversationId, unread } = conversation
    const title = titleOf(conversation, userId)
    const preview = previewOf(conversation, userId)
    const when = conversation.lastSeq > 0 ? whenOf(conversation.lastTime) : ''
    return {
      key: conversationId,
      version: JSON.stringify([title, preview, unread, when, isActive]),
      make: () =>
        el(
          'button',
          {
            type: 'button',
            className: `row${isActive ? ' active' : ''}${unread > 0 ? ' unread' : ''}`,
            data: { conversation: conversationId },
            onclick: () => actions.open(conversationId),
          },
          avatar(conversationId, title),
          el('span', { className: 'title', textContent: title }),
          el('time', { textContent: when }),
          el('span', { className: 'preview', textContent: preview }),
          unread > 0 &&
            el('span', {
              className: 'badge',
              textContent: unread > 99 ? '99+' : String(unread),
              aria: { label: `${unread} unread` },
            }),
        ),
    }
  }

  return {
    element,
    show(chat) {
      state.textContent = stateText[chat.client.state]
      state.dataset.state = chat.client.state
      const threads = chat.threads()
      empty.hidden = threads.length > 0
      showRows(
        list,
        threads.map((thread) => row(thread, thread === chat.active())),
      )
    },
  }
}
