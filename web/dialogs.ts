/** Dialogs for what needs a few words, and what they are made of. */

import { attempt, type Child, el, problemLine, textButton } from './dom.ts'
import type { Chat } from './state/chat.ts'

export const idPattern = '[A-Za-z0-9_.\\-]{1,64}'
export const idHint = 'Letters, digits, dot, dash and underscore, up to 64'
/** Ids separated by spaces, commas or new lines. */
export const idsOf = (text: string): string[] => [...new Set(text.split(/[\s,;]+/).filter((id) => id !== ''))]

export interface Dialog {
  readonly dialog: HTMLDialogElement
  readonly form: HTMLFormElement
  readonly error: HTMLElement
  readonly submit: HTMLButtonElement | null
}

/** `action` null: there is nothing to submit. */
export function openDialog(title: string, action: string | null, ...fields: readonly Child[]): Dialog {
  const error = problemLine()
  const submit =
    action === null ? null : el('button', { type: 'submit', className: 'primary', textContent: action })
  const form = el(
    'form',
    { method: 'dialog' },
    el('h2', { textContent: title }),
    ...fields,
    error,
    el(
      'div',
      { className: 'actions' },
      textButton(action === null ? 'Close' : 'Cancel', 'plain', () => dialog.close()),
      submit,
    ),
  )
  const dialog = el('dialog', { className: 'dialog', aria: { label: title } }, form)
  dialog.onclose = () => dialog.remove()
  dialog.onclick = (event) => {
    // The dialog's own box is covered by its form: what hits the dialog is beside it.
    if (event.target === dialog) dialog.close()
  }
  document.body.append(dialog)
  dialog.showModal()
  return { dialog, form, error, submit }
}

/** Runs `act` on submit; the dialog stays with the reason when it fails. */
export function onSubmit({ dialog, form, error, submit }: Dialog, act: () => unknown): void {
  form.onsubmit = async (event) => {
    event.preventDefault()
    if (await attempt(act, error, submit ?? undefined)) dialog.close()
  }
}

export const field = (label: string, input: HTMLElement, hint?: string): HTMLElement =>
  el(
    'label',
    {},
    el('span', { textContent: label }),
    input,
    hint !== undefined && el('small', { textContent: hint }),
  )

export function select<T extends string>(
  name: string,
  value: T,
  choices: Readonly<Record<T, string>>,
): HTMLSelectElement {
  const options = Object.entries<string>(choices).map(([key, text]) =>
    el('option', { value: key, textContent: text, selected: key === value }),
  )
  return el('select', { name }, ...options)
}

export const idInput = (name: string): HTMLInputElement =>
  el('input', {
    name,
    required: true,
    pattern: idPattern,
    title: idHint,
    autocomplete: 'off',
    spellcheck: false,
  })

export function askUser(chat: Chat): void {
  const input = idInput('user')
  const dialog = openDialog('New chat', 'Open', field('User id', input))
  onSubmit(dialog, () => chat.openWith(input.value.trim()))
}

const NAME_CHARS_MAX = 80

export function askGroup(chat: Chat): void {
  const name = el('input', { name: 'name', required: true, maxLength: NAME_CHARS_MAX, autocomplete: 'off' })
  const members = el('textarea', { name: 'members', rows: 3, placeholder: 'bob, carol', spellcheck: false })
  const dialog = openDialog('New group', 'Create', field('Name', name), field('Members (user ids)', members))
  onSubmit(dialog, async () => {
    const { conversationId } = await chat.client.createGroup({
      name: name.value.trim(),
      members: idsOf(members.value),
    })
    chat.open(conversationId)
  })
}

export function askFriend(chat: Chat, userId = ''): void {
  const input = idInput('user')
  input.value = userId
  const note = el('input', { name: 'note', maxLength: 120, autocomplete: 'off' })
  const dialog = openDialog('Add friend', 'Ask', field('User id', input), field('A word to go with it', note))
  if (userId !== '') note.focus()
  onSubmit(dialog, () => chat.client.requestFriend(input.value.trim(), note.value.trim()))
}

export function askGroupId(open: (conversationId: string) => void): void {
  const input = el('input', {
    name: 'group',
    required: true,
    pattern: `(g:)?${idPattern}`,
    title: 'A group id, as members see it in the group’s panel',
    autocomplete: 'off',
    spellcheck: false,
  })
  const dialog = openDialog('Join a group', 'Look', field('Group id', input))
  onSubmit(dialog, () => {
    const id = input.value.trim()
    open(id.startsWith('g:') ? id : `g:${id}`)
  })
}

export function askObserve(chat: Chat): void {
  const input = el('input', {
    name: 'conversation',
    required: true,
    pattern: `(g:${idPattern}|p2p:${idPattern}:${idPattern})`,
    title: 'g:GROUP, or p2p:A:B with the two user ids in order',
    placeholder: 'g:… or p2p:alice:bob',
    autocomplete: 'off',
    spellcheck: false,
  })
  const hint = 'Members see in the conversation that you began to observe.'
  const dialog = openDialog('Observe a conversation', 'Observe', field('Conversation id', input, hint))
  onSubmit(dialog, async () => {
    const conversationId = input.value.trim()
    await chat.observe(conversationId, true)
    chat.open(conversationId)
  })
}

/** Asks before what cannot be undone. */
export function confirmFirst(title: string, text: string, action: string, act: () => unknown): void {
  const dialog = openDialog(title, action, el('p', { className: 'hint', textContent: text }))
  dialog.submit?.classList.add('dangerous')
  onSubmit(dialog, act)
}

const REMARK_CHARS_MAX = 80

export function askRemark(chat: Chat, userId: string): void {
  const input = el('input', {
    name: 'remark',
    maxLength: REMARK_CHARS_MAX,
    value: chat.people.relation(userId).remark ?? '',
    autocomplete: 'off',
  })
  const dialog = openDialog('Your name for them', 'Save', field(`For ${userId}`, input, 'Only you see it.'))
  onSubmit(dialog, () => chat.client.remark(userId, input.value.trim()))
}
