/** Above the messages: with whom, what they do just now, what is pinned, what waits for an answer. */
import type { Conversation } from '../client/index.ts'
import { avatar, faceOf, faceVersion } from './avatar.ts'
import { attempt, el, iconButton, problemLine, type Row, showRows, textButton } from './dom.ts'
import { count, messageText } from './format.ts'
import type { Shell } from './shell.ts'
import type { Chat } from './state/chat.ts'
import { isAdmin } from './state/rights.ts'
import type { Thread } from './state/thread.ts'

const TYPING_NAMED_MAX = 2

function typingText(chat: Chat, { conversationId, kind }: Conversation): string {
  const writing = chat.typingIn(conversationId)
  if (writing.length === 0) return ''
  if (kind === 'single') return 'typing…'
  const names = writing.slice(0, TYPING_NAMED_MAX).map(chat.people.nameOf).join(', ')
  return `${names}${writing.length > TYPING_NAMED_MAX ? ' and others' : ''} typing…`
}

function stateText(chat: Chat, thread: Thread, conversation: Conversation): string {
  const { kind, peerId } = conversation
  if (kind === 'group') {
    const members = thread.group.group()?.memberCount ?? conversation.memberCount
    return members > 0 ? count(members, 'member') : 'Group'
  }
  if (peerId === null) return 'Observed'
  if (peerId === chat.client.userId) return 'Only for you'
  const devices = chat.people.presence(peerId)?.devices ?? []
  const types = [...new Set(devices.map(({ deviceType }) => deviceType))].join(', ')
  if (chat.people.isOnline(peerId)) return types ? `Online · ${types}` : 'Online'
  return chat.people.relation(peerId).state === 'friend' ? 'Offline' : 'Single chat'
}

export function threadHead(
  chat: Chat,
  shell: Shell,
): { element: HTMLElement; show(thread: Thread, conversation: Conversation): void } {
  const element = el('header', { className: 'bar' })
  return {
    element,
    show(thread, conversation) {
      const face = faceOf(chat, conversation)
      const typing = typingText(chat, conversation)
      const line = typing || stateText(chat, thread, conversation)
      const group = thread.group.group()
      const waiting = isAdmin(group) ? (group?.requests.length ?? 0) : 0
      showRows(element, [
        {
          key: 'head',
          version: [...faceVersion(face), line, waiting, conversation.muted],
          make: () =>
            el(
              'div',
              { className: 'bar-row' },
              iconButton('Back', 'back', () => chat.open(null), 'round back'),
              el(
                'button',
                {
                  type: 'button',
                  className: 'about',
                  title: 'About this conversation',
                  onclick: shell.toggleInfo,
                },
                avatar(face),
                el(
                  'span',
                  { className: 'me' },
                  el('strong', { textContent: face.title }),
                  el('span', {
                    className: typing === '' ? 'state' : 'state typing',
                    textContent: line,
                    aria: { live: 'polite' },
                  }),
                ),
              ),
              iconButton('Search here', 'search', shell.toggleSearch),
              el(
                'span',
                { className: 'counted' },
                iconButton('About', 'info', shell.toggleInfo),
                waiting > 0 && el('span', { className: 'badge', textContent: String(waiting) }),
              ),
            ),
        },
      ])
    },
  }
}

/** The newest pinned message; a click goes there and shows the next one. */
export function pinnedBar(
  chat: Chat,
  jump: (seq: number) => void,
): { element: HTMLElement; show(thread: Thread): void } {
  const element = el('div', { className: 'pinned-bar', hidden: true })
  let at = 0
  let shownOf = ''
  function show(thread: Thread): void {
    const pinned = thread.pins.messages()
    const of = `${thread.conversationId} ${pinned.map(({ seq }) => seq).join()}`
    if (of !== shownOf) at = 0
    shownOf = of
    const message = pinned[at % Math.max(1, pinned.length)]
    element.hidden = message === undefined
    if (!message) return
    const text = messageText(message, chat.people.nameOf)
    const place = pinned.length > 1 ? ` ${(at % pinned.length) + 1} of ${pinned.length}` : ''
    showRows(element, [
      {
        key: 'pinned',
        version: [message.seq, text, place],
        make: () =>
          el(
            'button',
            {
              type: 'button',
              className: 'quote',
              title: 'Go to the pinned message',
              onclick() {
                jump(message.seq)
                at += 1
                show(thread)
              },
            },
            el('strong', { textContent: `Pinned message${place}` }),
            el('span', { textContent: text }),
          ),
      },
    ])
  }
  return { element, show }
}

/** A friend request that waits here, and that one has blocked the other. */
export function noticeRows(chat: Chat, { peerId, conversationId }: Conversation): Row[] {
  if (chat.isObserved(conversationId)) return [observedRow(chat, conversationId)]
  if (peerId === null) return []
  const { state, blocked, note } = chat.people.relation(peerId)
  const rows: Row[] = []
  if (state === 'asking') rows.push(requestRow(chat, peerId, note ?? ''))
  if (blocked)
    rows.push(
      notice(`blocked ${peerId}`, `You have blocked ${chat.people.nameOf(peerId)}.`, [
        ['Unblock', 'plain', () => chat.client.unblock(peerId)],
      ]),
    )
  return rows
}

/** Somebody asks to be friends: answered on the spot. */
export function requestRow(chat: Chat, userId: string, note: string): Row {
  const text = `${chat.people.nameOf(userId)} asks to be friends${note === '' ? '.' : `: “${note}”`}`
  return notice(`request ${userId}`, text, [
    ['Accept', 'primary', () => chat.client.answerFriend(userId, true)],
    ['Refuse', 'plain', () => chat.client.answerFriend(userId, false)],
  ])
}

const observedRow = (chat: Chat, conversationId: string): Row =>
  notice(`observed ${conversationId}`, 'You observe this conversation; its members know.', [
    ['Stop observing', 'plain', () => chat.observe(conversationId, false)],
  ])

type Choice = readonly [text: string, className: string, act: () => Promise<unknown>]

function notice(key: string, text: string, choices: readonly Choice[]): Row {
  return {
    key,
    version: [text],
    make() {
      const problem = problemLine()
      const buttons = choices.map(([label, className, act]) => {
        const button = textButton(label, className, () => void attempt(act, problem, button))
        return button
      })
      return el(
        'div',
        { className: 'notice' },
        el('p', { textContent: text }),
        el('div', { className: 'actions' }, ...buttons),
        problem,
      )
    },
  }
}
