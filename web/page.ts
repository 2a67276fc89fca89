/** What is shown after logging in: the list, the conversation, and the panel beside it. */

import { eachFrame, el } from './dom.ts'
import { groupPanel } from './group-panel.ts'
import { type ListOptions, listView } from './list-view.ts'
import { createPanel, type PanelContent } from './panel.ts'
import { personPanel } from './person-panel.ts'
import { showReaders } from './readers-dialog.ts'
import { searchView } from './search-view.ts'
import type { Shell } from './shell.ts'
import type { Chat } from './state/chat.ts'
import { threadView } from './thread-view.ts'

export interface Page {
  /** Soon, however often it is asked for. */
  show(): void
  close(): void
}

export function showPage(chat: Chat, options: ListOptions): Page {
  const watchers = new Set<() => void>()
  const panel = createPanel(() => show())
  /** The panel belongs to it, and closes with it. */
  let panelOf: string | null = null

  function openPanel(content: PanelContent): void {
    const isSame = panel.key() === content.key
    panelOf = chat.active()?.conversationId ?? null
    panel.open(isSame ? null : content)
  }
  function aboutOf(): PanelContent | null {
    const conversation = chat.conversation()
    if (!conversation) return null
    const { conversationId, peerId, kind } = conversation
    if (kind === 'group') return groupPanel(chat, shell, conversationId)
    return peerId === null ? null : personPanel(chat, peerId)
  }
  function searchPanel(conversationId: string): PanelContent {
    const search = searchView(chat, conversationId, 'Search in this conversation', () => {})
    return { key: 'search', title: 'Search', ...search }
  }

  const shell: Shell = {
    openPerson: (userId) => openPanel(personPanel(chat, userId)),
    openGroup: (conversationId) => openPanel(groupPanel(chat, shell, conversationId)),
    toggleInfo() {
      const content = aboutOf()
      if (content) openPanel(content)
    },
    toggleSearch() {
      const conversationId = chat.active()?.conversationId
      if (conversationId) openPanel(searchPanel(conversationId))
    },
    closePanel: () => panel.open(null),
    watch(watcher) {
      watchers.add(watcher)
      return () => void watchers.delete(watcher)
    },
    showReaders: (conversationId, seq) => showReaders(chat, shell, conversationId, seq),
  }

  const list = listView(chat, shell, options)
  const thread = threadView(chat, shell)
  const app = el('div', { className: 'app' }, list.element, thread.element, panel.element)

  const show = eachFrame(() => {
    const active = chat.active()?.conversationId ?? null
    if (panel.key() !== null && panelOf !== active) {
      // A panel opened from the list stays while one looks at it; one of another conversation goes.
      if (panelOf !== null) panel.open(null)
      panelOf = active
    }
    app.classList.toggle('in-thread', active !== null)
    app.classList.toggle('in-panel', panel.key() !== null)
    document.documentElement.dataset.theme = chat.settings.theme()
    list.show()
    thread.show()
    panel.show()
    for (const watcher of watchers) watcher()
    const unread = chat.conversations.unread()
    document.title = unread > 0 ? `(${unread}) Longwire` : 'Longwire'
  })

  const seen = (): void => chat.seen()
  const shortcut = (event: KeyboardEvent): void => {
    if (event.key !== 'k' || !(event.ctrlKey || event.metaKey)) return
    event.preventDefault()
    app.querySelector<HTMLInputElement>('.side .search-box')?.focus()
  }
  document.addEventListener('visibilitychange', seen)
  document.addEventListener('keydown', shortcut)
  document.body.replaceChildren(app)
  return {
    show,
    close() {
      document.removeEventListener('visibilitychange', seen)
      document.removeEventListener('keydown', shortcut)
      delete document.documentElement.dataset.theme
    },
  }
}
