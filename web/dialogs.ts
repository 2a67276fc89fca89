/** Dialogs for what needs a few words: single chat, a new group, its members. */
import { el } from './dom.ts'

const idPattern = '[A-Za-z0-9_.\\-]{1,64}'
const idHint = 'Letters, digits, dot, dash and underscore, up to 64'
/** Ids separated by spaces, commas or new lines. */
export const idsOf = (text: string): string[] => [...new Set(text.split(/[\s,;]+/).filter((id) => id !== ''))]

interface Dialog {
  readonly dialog: HTMLDialogElement
  readonly form: HTMLFormElement
  readonly error: HTMLElement
}

function dialogOf(title: string, action: string | null, ...fields: readonly HTMLElement[]): Dialog {
  const error = el('p', { className: 'error', role: 'alert' })
  const close = (): void => dialog.close()
  const form = el(
    'form',
    { method: 'dialog' },
    el('h2', { textContent: title }),
    ...fields,
    error,
    el(
      'div',
      { className: 'actions' },
      el('button', {
        type: 'button',
        className: 'plain',
        textContent: action === null ? 'Close' : 'Cancel',
        onclick: close,
      }),
      action !== null && el('button', { type: 'submit', className: 'primary', textContent: action }),
    ),
  )
  const dialog = el('dialog', { className: 'dialog' }, form)
  dialog.onclose = () => dialog.remove()
  document.body.append(dialog)
  dialog.showModal()
  return { dialog, form, error }
}

/** Runs `act` on submit; the dialog stays with the reason when it fails. */
function onSubmit({ dialog, form, error }: Dialog, act: () => void | Promise<void>): void {
  form.onsubmit = async (event) => {
    event.preventDefault()
    error.textContent = ''
    try {
      await act()
      dialog.close()
    } catch (problem) {
      error.textContent = problem instanceof Error ? problem.message : String(problem)
    }
  }
}

const field = (label: string, input: HTMLElement): HTMLElement =>
  el('label', {}, el('span', { textContent: label }), input)

export function askUser(open: (userId: string) => void): void {
  const input = el('input', {
    name: 'user',
    required: true,
    pattern: idPattern,
    title: idHint,
    autocomplete: 'off',
    spellcheck: false,
  })
  const dialog = dialogOf('New chat', 'Open', field('User id', input))
  onSubmit(dialog, () => open(input.value.trim()))
}

export function askGroup(create: (name: string, members: string[]) => Promise<void>): void {
  const name = el('input', { name: 'name', required: true, maxLength: 80, autocomplete: 'off' })
  const members = el('textarea', { name: 'members', rows: 3, placeholder: 'bob, carol', spellcheck: false })
  const dialog = dialogOf('New group', 'Create', field('Name', name), field('Members (user ids)', members))
  onSubmit(dialog, () => create(name.value.trim(), idsOf(members.value)))
}

export interface MemberActions {
  readonly userId: string
  load(): Promise<string[]>
  add(members: string[]): Promise<unknown>
  remove(member: string): Promise<unknown>
}

export function showMembers(title: string, actions: MemberActions): void {
  const list = el('ul', { className: 'members' }, el('li', { textContent: 'Loading…' }))
  const input = el('input', {
    name: 'add',
    placeholder: 'User ids to add',
    autocomplete: 'off',
    spellcheck: false,
  })
  const add = el('button', { type: 'submit', className: 'primary', textContent: 'Add' })
  const dialog = dialogOf(title, null, list, el('div', { className: 'add' }, input, add))

  const run = async (act: () => Promise<unknown>): Promise<void> => {
    dialog.error.textContent = ''
    try {
      await act()
      await show()
    } catch (problem) {
      dialog.error.textContent = problem instanceof Error ? problem.message : String(problem)
    }
  }
  async function show(): Promise<void> {
    const members = await actions.load()
    list.replaceChildren(
      ...members.map((member) =>
        el(
          'li',
          { data: { member } },
          el('span', { textContent: member === actions.userId ? `${member} (you)` : member }),
          el('button', {
            type: 'button',
            className: 'plain',
            textContent: member === actions.userId ? 'Leave' : 'Remove',
            onclick: () => void run(() => actions.remove(member)),
          }),
        ),
      ),
    )
  }
  dialog.form.onsubmit = (event) => {
    event.preventDefault()
    const ids = idsOf(input.value)
    if (ids.length === 0) return
    input.value = ''
    void run(() => actions.add(ids))
  }
  void run(async () => {})
}
