/** Completes `@name` in a box: a list above it, chosen from by the keys or the pointer. */
import { isId } from '../schemas/ids.ts'
import { avatar, faceOfUser } from './avatar.ts'
import { el } from './dom.ts'
import type { Chat } from './state/chat.ts'
import { candidatesFor, completionAt } from './state/mentions.ts'
import { mayMentionAll } from './state/rights.ts'
import type { Thread } from './state/thread.ts'

export interface Completion {
  /** Those who can be named here, as far as they are known. */
  usersOf(thread: Thread): readonly string[]
  /** The text or the caret moved. */
  update(): void
  close(): void
  /** True: the key was for the list. */
  takes(event: KeyboardEvent): boolean
}

const SHOWN_MAX = 7
/** In a larger group a member further down is named by the whole id. */
const MEMBERS_READ_MAX = 500
const LIST_ID = 'mention-list'

export function createCompletion(chat: Chat, box: HTMLTextAreaElement, inserted: () => void): Completion {
  const list = el('ul', { id: LIST_ID, className: 'completion', role: 'listbox', aria: { label: 'People' } })
  let ids: readonly string[] = []
  let at = 0
  const picked = new Set<string>()
  box.setAttribute('aria-controls', LIST_ID)
  box.setAttribute('aria-autocomplete', 'list')

  function usersOf(thread: Thread): readonly string[] {
    const { peerId, kind } = chat.conversations.get(thread.conversationId)
    if (kind === 'single') return peerId === null ? [] : [peerId]
    const members = thread.group.members().map(({ userId }) => userId)
    const senders = thread.messages().map(({ senderId }) => senderId)
    return [...new Set([...members, ...senders, ...picked])].filter((id) => id !== chat.client.userId)
  }

  function close(): void {
    list.remove()
    ids = []
    box.removeAttribute('aria-activedescendant')
  }

  function update(): void {
    const thread = chat.active()
    const found = completionAt(box.value, box.selectionStart)
    if (!thread || !found) {
      close()
      return
    }
    const conversation = chat.conversations.get(thread.conversationId)
    const { group } = thread
    ids = candidatesFor(found.query, usersOf(thread), chat.people.nameOf, SHOWN_MAX)
    if (mayMentionAll(conversation, group.group()) && 'all'.startsWith(found.query.toLowerCase()))
      ids = [...ids.slice(0, SHOWN_MAX - 1), 'all']
    // Further members are read only while nobody that is known fits.
    const read = group.members().length
    const reads = conversation.kind === 'group' && group.hasMoreMembers() && read < MEMBERS_READ_MAX
    if (ids.length === 0 && read >= MEMBERS_READ_MAX && isId(found.query)) ids = [found.query]
    if (reads && (read === 0 || ids.length === 0))
      void group.moreMembers().then(() => {
        if (document.activeElement === box && group.problem() === '') update()
      })
    at = 0
    if (ids.length === 0) close()
    else show()
  }

  function show(): void {
    list.replaceChildren(
      ...ids.map((id, i) =>
        el(
          'li',
          {
            id: `${LIST_ID}-${i}`,
            role: 'option',
            className: i === at ? 'active' : '',
            aria: { selected: String(i === at) },
            onmousedown(event) {
              // The box keeps the focus.
              event.preventDefault()
              insert(id)
            },
          },
          ...(id === 'all'
            ? [el('strong', { textContent: '@all' }), el('span', { textContent: 'Everyone here' })]
            : [
                avatar(faceOfUser(chat, id), 'small'),
                el('strong', { textContent: chat.people.nameOf(id) }),
                el('span', { textContent: chat.people.nameOf(id) === id ? '' : id }),
              ]),
        ),
      ),
    )
    if (!list.isConnected) box.parentElement?.append(list)
    box.setAttribute('aria-activedescendant', `${LIST_ID}-${at}`)
  }

  function insert(id: string): void {
    const found = completionAt(box.value, box.selectionStart)
    if (!found) return
    const caret = box.selectionStart
    picked.add(id)
    box.setRangeText(`@${id} `, found.at, caret, 'end')
    close()
    inserted()
  }

  return {
    usersOf,
    update,
    close,
    takes(event) {
      if (ids.length === 0) return false
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
      const chosen = ids[at]
      if (step !== undefined) {
        at = (at + step + ids.length) % ids.length
        show()
      } else if ((event.key === 'Enter' || event.key === 'Tab') && chosen !== undefined) insert(chosen)
      else if (event.key === 'Escape') close()
      else return false
      event.preventDefault()
      event.stopPropagation()
      return true
    },
  }
}
