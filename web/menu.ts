/** Menus and other small boxes beside what they belong to. They close by Escape, by a click elsewhere, and by a choice. */
import { type Child, el, icon } from './dom.ts'
import type { IconName } from './icons.ts'

export interface MenuItem {
  readonly text: string
  readonly icon?: IconName
  readonly isDangerous?: boolean
  act(): void
}

const EDGE_PX = 8

/** Shows `children` in a box beside `anchor`, or at a point. Returns what closes it. */
export function popup(
  anchor: HTMLElement,
  className: string,
  children: readonly Child[],
  point?: { x: number; y: number },
): { element: HTMLElement; close(): void } {
  // Not `auto`: that one closes when the button that opened it by a long or right press is let go.
  const element = el('div', { className: `popup ${className}`, popover: 'manual' }, ...children)
  const outside = (event: Event): void => {
    if (!(event.target instanceof Node) || !element.contains(event.target)) close()
  }
  const byEscape = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape') return
    event.preventDefault()
    event.stopPropagation()
    close()
  }
  function close(): void {
    if (!element.isConnected) return
    document.removeEventListener('pointerdown', outside, true)
    document.removeEventListener('keydown', byEscape, true)
    removeEventListener('blur', close)
    const hadFocus = element.contains(document.activeElement) || document.activeElement === document.body
    element.remove()
    if (hadFocus && anchor.isConnected) anchor.focus({ preventScroll: true })
  }
  document.addEventListener('pointerdown', outside, true)
  document.addEventListener('keydown', byEscape, true)
  addEventListener('blur', close)
  document.body.append(element)
  element.showPopover()
  place(element, point ?? anchor.getBoundingClientRect())
  return { element, close }
}

type Place = { x: number; y: number } | DOMRect

function place(element: HTMLElement, at: Place): void {
  const { width, height } = element.getBoundingClientRect()
  const rect = at instanceof DOMRect ? at : new DOMRect(at.x, at.y, 0, 0)
  const below = rect.bottom + 4
  const fitsBelow = below + height + EDGE_PX <= innerHeight
  const top = fitsBelow ? below : Math.max(EDGE_PX, rect.top - height - 4)
  // Towards the middle, so that it does not hang over an edge.
  const left = rect.left + rect.width / 2 > innerWidth / 2 ? rect.right - width : rect.left
  element.style.setProperty('top', `${top}px`)
  element.style.setProperty('left', `${Math.max(EDGE_PX, Math.min(left, innerWidth - width - EDGE_PX))}px`)
}

/** `head` stands above the choices. */
export function showMenu(
  anchor: HTMLElement,
  items: readonly (MenuItem | null | false)[],
  { head = null, point }: { head?: ((close: () => void) => HTMLElement) | null; point?: DOMPoint } = {},
): void {
  const close = (): void => box.close()
  const buttons = items
    .filter((item) => item !== null && item !== false)
    .map((item) =>
      el(
        'button',
        {
          type: 'button',
          role: 'menuitem',
          className: item.isDangerous ? 'dangerous' : '',
          onclick() {
            close()
            item.act()
          },
        },
        item.icon ? icon(item.icon) : null,
        el('span', { textContent: item.text }),
      ),
    )
  const list = el('div', { className: 'menu', role: 'menu' }, ...buttons)
  const box = popup(anchor, 'menu-box', [head?.(close) ?? null, list], point)
  box.element.onkeydown = (event) => {
    const all = [...box.element.querySelectorAll<HTMLElement>('button, input')]
    const at = all.indexOf(document.activeElement as HTMLElement)
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (event.key === 'Tab') return close()
    if (step === undefined) return
    event.preventDefault()
    all.at((at + step) % all.length)?.focus()
  }
  ;(buttons[0] ?? box.element.querySelector('button'))?.focus({ preventScroll: true })
}
