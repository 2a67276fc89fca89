/** Text as nodes: addresses become links, mentions carry names. Nothing is parsed as markup. */

import { webUrl } from './avatar.ts'
import { el } from './dom.ts'
import type { NameOf } from './format.ts'
import { tokensOf } from './state/mentions.ts'

export interface MentionsShown {
  readonly mentions: readonly string[]
  readonly mentionAll: boolean
  readonly me: string
  readonly nameOf: NameOf
  open(userId: string): void
}

const ADDRESS = /https?:\/\/[^\s<>"]*[^\s<>"'.,;:!?)\]}]/g

export const linkTo = (href: string, ...children: (Node | string)[]): HTMLAnchorElement =>
  el('a', { href, target: '_blank', rel: 'noopener noreferrer' }, ...children)

/** A span of the text that is not plain. */
interface Mark {
  readonly from: number
  readonly to: number
  readonly node: Node
}

export function richText(text: string, shown: MentionsShown): Node[] {
  const marks = [...links(text), ...named(text, shown)].sort((a, b) => a.from - b.from)
  const nodes: Node[] = []
  let at = 0
  for (const { from, to, node } of marks) {
    // Within an address an @ is a part of it.
    if (from < at) continue
    if (from > at) nodes.push(document.createTextNode(text.slice(at, from)))
    nodes.push(node)
    at = to
  }
  if (at < text.length) nodes.push(document.createTextNode(text.slice(at)))
  return nodes
}

function links(text: string): Mark[] {
  return [...text.matchAll(ADDRESS)].flatMap(({ 0: address, index }) => {
    const url = webUrl(address)
    return url === null ? [] : [{ from: index, to: index + address.length, node: linkTo(url, address) }]
  })
}

function named(text: string, { mentions, mentionAll, me, nameOf, open }: MentionsShown): Mark[] {
  const isKnown = (id: string): boolean => (id === 'all' && mentionAll) || mentions.includes(id)
  return tokensOf(text, isKnown).map(({ at, id }) => {
    const all = id === 'all' && mentionAll
    const className = `mention${all || id === me ? ' of-me' : ''}`
    const textContent = `@${all ? 'all' : nameOf(id)}`
    const node = all
      ? el('span', { className, textContent })
      : el('button', { type: 'button', className, textContent, title: id, onclick: () => open(id) })
    return { from: at, to: at + id.length + 1, node }
  })
}

/** Text with every place where one of the words stands marked. */
export function marked(text: string, query: string): Node[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean)
  const lower = text.toLowerCase()
  const nodes: Node[] = []
  let at = 0
  while (at < text.length) {
    const hits = words.map((word) => ({ word, index: lower.indexOf(word, at) }))
    const next = hits.filter(({ index }) => index >= 0).sort((a, b) => a.index - b.index)[0]
    if (!next) break
    nodes.push(document.createTextNode(text.slice(at, next.index)))
    at = next.index + next.word.length
    nodes.push(el('mark', { textContent: text.slice(next.index, at) }))
  }
  return [...nodes, document.createTextNode(text.slice(at))]
}
