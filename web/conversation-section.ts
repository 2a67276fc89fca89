/** What one does with a conversation for oneself alone: to the top, in silence, out of the list. */

import { confirmFirst } from './dialogs.ts'
import { attempt, el, problemLine, type Row, showRows, textButton } from './dom.ts'
import { section, switchRow } from './panel.ts'
import type { Chat } from './state/chat.ts'

export function conversationSection(
  chat: Chat,
  conversationId: string,
): { element: HTMLElement; show(): void } {
  const { conversations } = chat
  const problem = problemLine()
  const rows = el('div', { className: 'switches' })
  const element = section('For you', rows, problem)

  function row(key: string, label: string, isOn: boolean, act: (on: boolean) => Promise<void>): Row {
    return {
      key,
      version: [isOn],
      make: () =>
        switchRow(label, isOn, async (on, input) => {
          input.checked = (await attempt(() => act(on), problem, input)) ? on : isOn
        }),
    }
  }
  const deleteRow: Row = {
    key: 'delete',
    version: [],
    make: () =>
      textButton('Delete from the list', 'plain dangerous', () =>
        confirmFirst(
          'Delete conversation',
          'It leaves your list on all your devices, and comes back with the next message.',
          'Delete',
          async () => {
            await conversations.remove(conversationId)
            chat.open(null)
          },
        ),
      ),
  }

  return {
    element,
    show() {
      const { pinned, muted, lastSeq } = conversations.get(conversationId)
      element.hidden = lastSeq === 0 || chat.isObserved(conversationId)
      showRows(rows, [
        row('pin', 'Pinned to the top', pinned, (on) => conversations.pin(conversationId, on)),
        row('mute', 'Muted', muted, (on) => conversations.mute(conversationId, on)),
        deleteRow,
      ])
    },
  }
}
