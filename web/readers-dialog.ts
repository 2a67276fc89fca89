/** Who has read a message of a group, by page. */
import { avatar, faceOfUser, faceVersion } from './avatar.ts'
import { openDialog } from './dialogs.ts'
import { attempt, el, showRows, textButton } from './dom.ts'
import { count } from './format.ts'
import type { Shell } from './shell.ts'
import type { Chat } from './state/chat.ts'

const PAGE = 50

export function showReaders(chat: Chat, shell: Shell, conversationId: string, seq: number): void {
  const state = el('p', { className: 'hint', role: 'status', textContent: 'Looking…' })
  const list = el('ul', { className: 'members' })
  const more = textButton('Show more', 'plain', () => void read())
  more.hidden = true
  const dialog = openDialog('Read by', null, state, list, more)
  let readers: readonly string[] = []
  let next: string | null = null

  async function read(): Promise<void> {
    const act = async (): Promise<void> => {
      const page = await chat.client.readers(conversationId, seq, { after: next ?? undefined, limit: PAGE })
      readers = [...new Set([...readers, ...page.readers])]
      next = page.next
      state.textContent = page.count === 0 ? 'Nobody has read it yet.' : count(page.count, 'member')
    }
    if (!(await attempt(act, dialog.error, more))) state.textContent = ''
    more.hidden = next === null
    show()
  }
  function show(): void {
    showRows(
      list,
      readers.map((userId) => {
        const face = faceOfUser(chat, userId)
        return {
          key: userId,
          version: faceVersion(face),
          make: () =>
            el('li', {}, avatar(face, 'small'), el('span', { className: 'person', textContent: face.title })),
        }
      }),
    )
  }
  // Names come later than ids.
  const unwatch = shell.watch(show)
  dialog.dialog.addEventListener('close', unwatch)
  void read()
}
