/** The column beside the conversation: one thing at a time, with a way out. */
import { type Child, el, iconButton } from './dom.ts'

export interface PanelContent {
  /** What it shows, so that asking for the same again closes it. */
  readonly key: string
  readonly title: string
  readonly element: HTMLElement
  show(): void
  focus?(): void
  /** It gives way to something else. */
  close?(): void
}

export interface Panel {
  readonly element: HTMLElement
  /** Null closes it. */
  open(content: PanelContent | null): void
  key(): string | null
  show(): void
}

export function createPanel(changed: () => void): Panel {
  const title = el('h2')
  const body = el('div', { className: 'panel-body' })
  const close = iconButton('Close', 'close', () => open(null))
  const element = el(
    'aside',
    { className: 'panel', hidden: true },
    el('header', { className: 'bar' }, title, close),
    body,
  )
  let content: PanelContent | null = null
  let opener: Element | null = null

  function open(next: PanelContent | null): void {
    if (content === null) opener = document.activeElement
    content?.close?.()
    content = next
    element.hidden = next === null
    body.replaceChildren(...(next ? [next.element] : []))
    changed()
    if (!next) {
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus()
      return
    }
    title.textContent = next.title
    element.setAttribute('aria-label', next.title)
    next.show()
    if (next.focus) next.focus()
    else close.focus()
  }
  element.onkeydown = (event) => {
    if (event.key === 'Escape' && !event.defaultPrevented) open(null)
  }
  return { element, open, key: () => content?.key ?? null, show: () => content?.show() }
}

/** A line of a name and a value; nothing where there is no value. */
export const fact = (name: string, value: string | null): HTMLElement | false =>
  value !== null &&
  value !== '' &&
  el('div', { className: 'fact' }, el('dt', { textContent: name }), el('dd', { textContent: value }))

export const section = (title: string | null, ...children: readonly Child[]): HTMLElement =>
  el('section', { className: 'section' }, title !== null && el('h3', { textContent: title }), ...children)

/** On or off, with what it means. */
export function switchRow(
  label: string,
  isOn: boolean,
  flip: (on: boolean, input: HTMLInputElement) => void,
): HTMLElement {
  const input = el('input', { type: 'checkbox', className: 'switch', role: 'switch', checked: isOn })
  input.onchange = () => flip(input.checked, input)
  return el('label', { className: 'switch-row' }, el('span', { textContent: label }), input)
}
