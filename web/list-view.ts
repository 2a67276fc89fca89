/** The left side: who one is, the state of the connection, search, conversations and people. */
import type { Conversation, State } from '../client/index.ts'
import { avatar, faceOf, faceOfUser, faceVersion } from './avatar.ts'
import { askFriend, askGroup, askGroupId, askObserve, askUser } from './dialogs.ts'
import { el, icon, iconButton, problemLine, type Row, showRows, whenNear } from './dom.ts'
import { explain, previewOf, whenOf } from './format.ts'
import { showMenu } from './menu.ts'
import { peopleView } from './people-view.ts'
import { showProfile } from './profile-dialog.ts'
import { searchView } from './search-view.ts'
import { showSettings } from './settings-dialog.ts'
import type { Shell } from './shell.ts'
import type { Chat } from './state/chat.ts'

export interface ListView {
  readonly element: HTMLElement
  show(): void
}

const stateText: Readonly<Record<State, string>> = {
  online: 'Online',
  connecting: 'Connecting…',
  waiting: 'Offline, trying again…',
  closed: 'Logged out',
}

export interface ListOptions {
  readonly mayObserve: boolean
  logout(): void
}

const PROBLEM_MS = 8_000

export function listView(chat: Chat, shell: Shell, { mayObserve, logout }: ListOptions): ListView {
  const { client, conversations, people } = chat
  const { userId } = client
  const problems = new Map<string, string>()
  /** Observed ones whose names were asked for. */
  const named = new Set<string>()
  let tab: 'chats' | 'people' = 'chats'

  const me = el('div', { className: 'self' })
  const add = iconButton('New', 'add', () =>
    showMenu(add, [
      { text: 'New chat', act: () => askUser(chat) },
      { text: 'New group', act: () => askGroup(chat) },
      { text: 'Join a group', act: () => askGroupId(shell.openGroup) },
      { text: 'Add friend', act: () => askFriend(chat) },
      mayObserve && { text: 'Observe a conversation', act: () => askObserve(chat) },
    ]),
  )
  const more = iconButton('Menu', 'more', () =>
    showMenu(more, [
      { text: 'Profile', act: () => showProfile(chat) },
      { text: 'Settings', act: () => showSettings(chat) },
      { text: 'Log out', act: logout },
    ]),
  )

  const list = el('nav', { className: 'conversations', aria: { label: 'Conversations' } })
  const end = el('div', { className: 'list-end' })
  const empty = el(
    'p',
    { className: 'empty' },
    'No conversations yet. Start a chat with someone, or create a group.',
  )
  const problem = problemLine()
  const chats = el('div', { className: 'scrolled', role: 'tabpanel' }, list, problem, empty, end)
  whenNear(end, chats, () => void conversations.more())
  const friends = peopleView(chat, shell)
  const search = searchView(chat, null, 'Search messages', () => {
    const found = search.isActive()
    tabs.hidden = chats.hidden = friends.element.hidden = found
    if (!found) showTab(tab)
  })

  const tabButton = (name: typeof tab, title: string): HTMLButtonElement =>
    el('button', {
      type: 'button',
      role: 'tab',
      textContent: title,
      onclick: () => showTab(name),
    })
  const chatsTab = tabButton('chats', 'Chats')
  const peopleTab = tabButton('people', 'People')
  const asking = el('span', { className: 'badge' })
  const tabs = el('div', { className: 'tabs', role: 'tablist' }, chatsTab, peopleTab)

  function showTab(next: typeof tab): void {
    tab = next
    chats.hidden = tab !== 'chats'
    friends.element.hidden = tab !== 'people'
    chatsTab.ariaSelected = String(tab === 'chats')
    peopleTab.ariaSelected = String(tab === 'people')
    friends.show()
  }
  showTab('chats')

  const element = el(
    'aside',
    { className: 'side' },
    el('header', { className: 'bar' }, me, add, more),
    search.element,
    tabs,
    chats,
    friends.element,
  )
  chats.onkeydown = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step === undefined) return
    const all = [...list.querySelectorAll<HTMLElement>('.row')]
    const next = all[all.indexOf(document.activeElement as HTMLElement) + step]
    event.preventDefault()
    next?.focus()
  }

  function act(conversationId: string, run: () => Promise<unknown>): void {
    problems.delete(conversationId)
    run().catch((error: unknown) => {
      const text = explain(error)
      problems.set(conversationId, text)
      show()
      setTimeout(() => {
        if (problems.get(conversationId) === text) problems.delete(conversationId)
        show()
      }, PROBLEM_MS)
    })
  }

  function openMenu(
    { conversationId, pinned, muted }: Conversation,
    anchor: HTMLElement,
    point?: DOMPoint,
  ): void {
    showMenu(
      anchor,
      [
        {
          text: pinned ? 'Unpin' : 'Pin to the top',
          icon: 'pin',
          act: () => act(conversationId, () => conversations.pin(conversationId, !pinned)),
        },
        {
          text: muted ? 'Unmute' : 'Mute',
          icon: muted ? 'bell' : 'mute',
          act: () => act(conversationId, () => conversations.mute(conversationId, !muted)),
        },
        {
          text: 'Delete from the list',
          icon: 'close',
          isDangerous: true,
          act: () =>
            act(conversationId, async () => {
              await conversations.remove(conversationId)
              if (chat.active()?.conversationId === conversationId) chat.open(null)
            }),
        },
      ],
      { point },
    )
  }

  function row(conversation: Conversation): Row {
    const { conversationId, unread, mentions, mentionsAll, pinned, muted, lastSeq, lastTime } = conversation
    const isActive = chat.active()?.conversationId === conversationId
    const face = faceOf(chat, conversation)
    const typing = chat.typingIn(conversationId).length > 0
    const draft = isActive ? null : conversation.draft
    const preview = draft ?? (typing ? 'typing…' : previewOf(conversation, userId, people.nameOf))
    const when = lastSeq > 0 ? whenOf(lastTime) : ''
    const problemText = problems.get(conversationId) ?? ''
    const counts = [unread, mentions, mentionsAll, pinned, muted]
    return {
      key: conversationId,
      version: [
        ...faceVersion(face),
        ...counts,
        isActive,
        draft !== null,
        typing,
        preview,
        when,
        problemText,
      ],
      make() {
        const classes = { active: isActive, unread: unread > 0, muted }
        const names = Object.entries(classes)
          .filter(([, on]) => on)
          .map(([name]) => ` ${name}`)
        const element = el(
          'button',
          {
            type: 'button',
            className: `row${names.join('')}`,
            data: { conversation: conversationId },
            aria: isActive ? { current: 'true' } : {},
            onclick: () => chat.open(conversationId),
            oncontextmenu(event) {
              event.preventDefault()
              openMenu(conversation, element, new DOMPoint(event.clientX, event.clientY))
            },
          },
          avatar(face),
          el('span', { className: 'title', textContent: face.title }, muted && icon('mute')),
          el('time', { textContent: when }),
          el(
            'span',
            { className: `preview${typing ? ' typing' : ''}` },
            draft !== null && el('strong', { className: 'draft', textContent: 'Draft: ' }),
            preview,
          ),
          el(
            'span',
            { className: 'badges' },
            mentions > 0 && badge('@', `${mentions} of them name you`, 'at'),
            mentionsAll > 0 && badge('@all', `${mentionsAll} of them name everyone`, 'at'),
            unread > 0 && badge(unread > 99 ? '99+' : String(unread), `${unread} unread`, 'count'),
            pinned && unread === 0 && el('span', { className: 'mark', title: 'Pinned' }, icon('pin')),
          ),
          problemText !== '' && el('span', { className: 'error', role: 'alert', textContent: problemText }),
        )
        const menu = iconButton('Conversation menu', 'more', () => openMenu(conversation, menu), 'row-menu')
        return el('div', { className: 'row-box' }, element, menu)
      },
    }
  }

  const badge = (textContent: string, title: string, className: string): HTMLElement =>
    el('span', { className: `badge ${className}`, textContent, title, aria: { label: title } })

  function ownRow(): Row {
    const face = faceOfUser(chat, userId)
    return {
      key: 'me',
      version: [...faceVersion(face), client.state],
      make: () =>
        el(
          'button',
          { type: 'button', className: 'about', title: 'Your profile', onclick: () => showProfile(chat) },
          avatar({ ...face, isOnline: false }),
          el(
            'span',
            { className: 'me' },
            el('strong', { textContent: face.title }),
            el('span', {
              className: 'state',
              role: 'status',
              data: { state: client.state },
              textContent: stateText[client.state],
            }),
          ),
        ),
    }
  }

  /** Observed conversations stand in no list of the server. */
  const observed = (): Conversation[] => {
    return chat.settings.observed().map((conversationId) => {
      if (!named.has(conversationId)) chat.groupOf(conversationId).read()
      named.add(conversationId)
      // Read positions are of members only.
      return { ...conversations.get(conversationId), unread: 0, mentions: 0, mentionsAll: 0 }
    })
  }

  function show(): void {
    showRows(me, [ownRow()])
    const follows = new Set(chat.settings.observed())
    const own = conversations.all().filter(({ conversationId }) => !follows.has(conversationId))
    const all = [...observed(), ...own]
    empty.hidden = all.length > 0 || conversations.problem() !== ''
    problem.textContent = conversations.problem()
    end.hidden = !conversations.hasMore()
    showRows(list, all.map(row))
    const requests = people.relations().filter(({ state }) => state === 'asking').length
    asking.textContent = String(requests)
    asking.title = `${requests} ask to be friends`
    if (requests > 0) peopleTab.append(asking)
    else asking.remove()
    friends.show()
    search.show()
  }

  return { element, show }
}
