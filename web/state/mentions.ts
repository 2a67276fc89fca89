/** `@name` and `@all` in what is written, by user id: names can change, ids do not. Pure. */

const TOKEN = /(?<![\w@])@([A-Za-z0-9_.-]{1,64})/g

export interface Mentions {
  readonly mentions: readonly string[]
  readonly mentionAll: boolean
}

/** Users named in a text, of those that are known; a full stop behind an id is no part of it. */
export function mentionsIn(text: string, isKnown: (userId: string) => boolean): Mentions {
  const mentions = new Set<string>()
  let mentionAll = false
  for (const { id } of tokensOf(text, (one) => one === 'all' || isKnown(one))) {
    if (id === 'all') mentionAll = true
    else mentions.add(id)
  }
  return { mentions: [...mentions], mentionAll }
}

export interface Token {
  readonly at: number
  readonly id: string
}

/** Where in a text which of the known ids stand. */
export function tokensOf(text: string, isKnown: (id: string) => boolean): Token[] {
  const tokens: Token[] = []
  for (const match of text.matchAll(TOKEN)) {
    let id = match[1] ?? ''
    while (id !== '' && !isKnown(id)) {
      const cut = id.replace(/[._-][A-Za-z0-9]*$/, '')
      id = cut === id ? '' : cut
    }
    if (id !== '') tokens.push({ at: match.index, id })
  }
  return tokens
}

/** What is being completed at the caret, or null. */
export function completionAt(text: string, caret: number): { at: number; query: string } | null {
  const match = /(?<![\w@])@([^\s@]{0,64})$/u.exec(text.slice(0, caret))
  return match ? { at: match.index, query: match[1] ?? '' } : null
}

/** Those whose id or name begins with the query, then those that have it elsewhere. */
export function candidatesFor(
  query: string,
  userIds: readonly string[],
  nameOf: (userId: string) => string,
  max: number,
): string[] {
  const wanted = query.toLowerCase()
  const begins: string[] = []
  const holds: string[] = []
  for (const id of userIds) {
    const texts = [id.toLowerCase(), nameOf(id).toLowerCase()]
    if (texts.some((text) => text.startsWith(wanted))) begins.push(id)
    else if (texts.some((text) => text.includes(wanted))) holds.push(id)
  }
  return [...begins, ...holds].slice(0, max)
}
