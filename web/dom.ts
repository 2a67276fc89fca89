/** Elements without markup: text goes in as text only, so nothing a user wrote is ever parsed. */

type Props<K extends keyof HTMLElementTagNameMap> = Partial<
  Omit<HTMLElementTagNameMap[K], 'style' | 'children' | 'dataset'>
> & { data?: Readonly<Record<string, string>>; aria?: Readonly<Record<string, string>> }
type Child = Node | string | null | false

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

/** A small picture from path data, drawn with the current colour. */
export function icon(path: string): SVGSVGElement {
  const ns = 'http://www.w3.org/2000/svg'
  const svg = document.createElementNS(ns, 'svg')
  svg.setAttribute('viewBox', '0 0 24 24')
  svg.setAttribute('class', 'icon')
  svg.setAttribute('aria-hidden', 'true')
  const line = document.createElementNS(ns, 'path')
  line.setAttribute('d', path)
  svg.append(line)
  return svg
}

export interface Row {
  readonly key: string
  /** The element is made anew when this changes. */
  readonly version: string
  make(): HTMLElement
}

interface Kept {
  readonly version: string
  readonly element: HTMLElement
}
const kept = new WeakMap<HTMLElement, Map<string, Kept>>()

/** Makes the children of `parent` be `rows`, touching only what changed. */
export function showRows(parent: HTMLElement, rows: readonly Row[]): void {
  const before = kept.get(parent) ?? new Map<string, Kept>()
  const after = new Map<string, Kept>()
  let at: ChildNode | null = parent.firstChild
  for (const row of rows) {
    const old = before.get(row.key)
    const now = old?.version === row.version ? old : { version: row.version, element: row.make() }
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
