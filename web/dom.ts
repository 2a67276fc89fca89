/** Elements without markup: text goes in as text only, so nothing a user wrote is ever parsed. */
import { explain } from './format.ts'
import type { IconName } from './icons.ts'
import { paths } from './icons.ts'

type Props<K extends keyof HTMLElementTagNameMap> = Partial<
  Omit<HTMLElementTagNameMap[K], 'style' | 'children' | 'dataset'>
> & { data?: Readonly<Record<string, string>>; aria?: Readonly<Record<string, string>> }
export type Child = Node | string | null | false

export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props<K> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  const { data = {}, aria = {}, ...rest } = props
  Object.assign(element, rest)
  for (const [name, value] of Object.entries(data)) element.dataset[name] = value
  for (const [name, value] of Object.entries(aria)) element.setAttribute(`aria-${name}`, value)
  element.append(...children.filter((child) => child !== null && child !== false))
  return element
}

/** A small picture, drawn with the current colour. */
export function icon(name: IconName): SVGSVGElement {
  const ns = 'http://www.w3.org/2000/svg'
  const svg = document.createElementNS(ns, 'svg')
  svg.setAttribute('viewBox', '0 0 24 24')
  svg.setAttribute('class', 'icon')
  svg.setAttribute('aria-hidden', 'true')
  const line = document.createElementNS(ns, 'path')
  line.setAttribute('d', paths[name])
  svg.append(line)
  return svg
}

/** A round button with a picture only; `title` says what it does. */
export const iconButton = (
  title: string,
  name: IconName,
  onclick: (event: MouseEvent) => void,
  className = 'round',
): HTMLButtonElement =>
  el('button', { className, type: 'button', title, aria: { label: title }, onclick }, icon(name))

export const textButton = (
  textContent: string,
  className: string,
  onclick: (event: MouseEvent) => void,
): HTMLButtonElement => el('button', { type: 'button', className, textContent, onclick })

export interface Row {
  readonly key: string
  /** The element is made anew when one of these is no longer the same. */
  readonly version: readonly unknown[]
  make(): HTMLElement
}

interface Kept {
  readonly version: readonly unknown[]
  readonly element: HTMLElement
}
const kept = new WeakMap<HTMLElement, Map<string, Kept>>()

const isSame = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((value, i) => Object.is(value, b[i]))

/** Makes the children of `parent` be `rows`, touching only what changed. Who types or tabs in a row that is made anew stays there. */
export function showRows(parent: HTMLElement, rows: readonly Row[]): void {
  const before = kept.get(parent) ?? new Map<string, Kept>()
  const after = new Map<string, Kept>()
  let at: ChildNode | null = parent.firstChild
  let focus: (() => void) | null = null
  for (const row of rows) {
    const old = before.get(row.key)
    const isKept = old !== undefined && isSame(old.version, row.version)
    const now = isKept ? old : { version: row.version, element: row.make() }
    if (old && !isKept) focus ??= focusMover(old.element, now.element)
    after.set(row.key, now)
    if (now.element === at) at = at.nextSibling
    else parent.insertBefore(now.element, at)
  }
  while (at) {
    const next: ChildNode | null = at.nextSibling
    at.remove()
    at = next
  }
  kept.set(parent, after)
  focus?.()
}

function focusMover(from: HTMLElement, to: HTMLElement): (() => void) | null {
  const { activeElement } = document
  if (!(activeElement instanceof HTMLElement) || !from.contains(activeElement)) return null
  const key = activeElement.title || activeElement.textContent
  return () => {
    const same = [to, ...to.querySelectorAll<HTMLElement>('button, a, input')].find(
      (element) => from === activeElement || (element.title || element.textContent) === key,
    )
    same?.focus({ preventScroll: true })
  }
}

/** Runs `fn` once before the next frame, however often it is asked for; in a hidden page soon, since it has no frames. */
export function eachFrame(fn: () => void): () => void {
  let asked = false
  return () => {
    if (asked) return
    asked = true
    const run = (): void => {
      asked = false
      fn()
    }
    if (document.visibilityState === 'visible') requestAnimationFrame(run)
    else setTimeout(run, 50)
  }
}

/** Calls `near` when `element`, the end of a scrolled list, comes close to being seen. */
export function whenNear(element: HTMLElement, root: HTMLElement, near: () => void): void {
  const observer = new IntersectionObserver(
    (entries) => {
      if (entries.some((entry) => entry.isIntersecting)) near()
    },
    { root, rootMargin: '300px' },
  )
  observer.observe(element)
}

/** Does what a control asks; while it runs the control rests, and what fails is said in `problem`. True: it was done. */
export async function attempt(
  act: () => unknown,
  problem: HTMLElement,
  control?: HTMLButtonElement | HTMLInputElement | HTMLSelectElement,
): Promise<boolean> {
  problem.textContent = ''
  if (control) control.disabled = true
  try {
    await act()
    return true
  } catch (error) {
    problem.textContent = explain(error)
    return false
  } finally {
    if (control) control.disabled = false
  }
}

export const problemLine = (textContent = ''): HTMLElement =>
  el('p', { className: 'error', role: 'alert', textContent })
