/**
 * What stands in a key, in a form in which equal contents are equal. Streams are joined at read and not in a fold, so what lies below a
 * read position, or beyond a storage policy, may or may not have been cleared away yet, and does not count. Pure.
 */

import { keptOf, type Policies, policyOf } from '../reads/policy.ts'
import { itemFrom } from '../timeline/element.ts'

export type Contents = ReadonlyMap<string, string>

/** Ordinal up to which a user has read in a conversation; −1: nothing. */
export type ReadOf = (user: string, conversationId: string) => number

const CHUNK = 512
const MENTION = /^(.*):(\d{16})$/

/** Chunks of one's own messages that reach above the read position. */
export function ownAbove(contents: Contents, read: number): Contents {
  return new Map([...contents].filter(([chunk]) => (Number(chunk) + 1) * CHUNK - 1 > read))
}

/** Mentions above what each user has read. */
export function mentionsAbove(contents: Contents, conversationId: string, readOf: ReadOf): Contents {
  return new Map(
    [...contents].filter(([member]) => {
      const [, user, ordinal] = MENTION.exec(member) ?? []
      return user === undefined || Number(ordinal) > readOf(user, conversationId)
    }),
  )
}

/** Elements of a timeline without the contents that a policy by age no longer keeps. */
export function withinPolicy(elements: Contents, stream: string, policies: Policies, now: number): Contents {
  const policy = policyOf(policies, stream)
  if (policy.keep !== 'recent') return elements
  const horizon = { ordinal: 0, time: now - policy.ms }
  return new Map(
    [...elements].map(([place, element]) =>
      place === 'last' || /^\d+$/.test(place)
        ? [place, JSON.stringify(keptOf(itemFrom(element), horizon))]
        : [place, element],
    ),
  )
}

/** The first entry in which they differ, as people may read it, of each; null: they are equal. */
export function firstDifference(a: Contents, b: Contents): readonly [string, string] | null {
  for (const [name, value] of a) {
    const other = b.get(name)
    if (other !== value) return [shown(name, value), other === undefined ? '' : shown(name, other)]
  }
  for (const [name, value] of b) if (!a.has(name)) return ['', shown(name, value)]
  return null
}

const SHOWN_MAX = 160
const shown = (name: string, value: string): string => {
  const text = `${name} = ${value.replaceAll('\n', ' ')}`
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text
}
