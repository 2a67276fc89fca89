/** Finds the raw text of one member of a JSON object, so that content passes through byte for byte: no number is rounded. */
import { endOfString } from './frame-codec.ts'

/** `text` must be a valid JSON object (JSON.parse took it) that names nothing twice. Null: there is no such member. */
export function memberText(text: string, name: string): string | null {
  let at = skipSpace(text, text.indexOf('{') + 1)
  while (at < text.length && text.charCodeAt(at) === 0x22) {
    const endOfKey = endOfString(text, at)
    const key = keyOf(text, at, endOfKey)
    const start = skipSpace(text, skipSpace(text, endOfKey + 1) + 1)
    const end = endOfValue(text, start)
    if (key === name) return text.slice(start, end)
    at = skipSpace(text, skipSpace(text, end) + 1)
  }
  return null
}

/** The raw text of each member, under the same condition but for this: null where a name stands twice. */
export function memberTexts(text: string): ReadonlyMap<string, string> | null {
  const members = new Map<string, string>()
  let at = skipSpace(text, text.indexOf('{') + 1)
  while (at < text.length && text.charCodeAt(at) === 0x22) {
    const endOfKey = endOfString(text, at)
    const key = keyOf(text, at, endOfKey)
    if (members.has(key)) return null
    const start = skipSpace(text, skipSpace(text, endOfKey + 1) + 1)
    const end = endOfValue(text, start)
    members.set(key, text.slice(start, end))
    at = skipSpace(text, skipSpace(text, end) + 1)
  }
  return members
}

/** The raw texts of the elements of a valid JSON array. */
export function elementTexts(text: string): string[] {
  const elements: string[] = []
  let at = skipSpace(text, text.indexOf('[') + 1)
  while (at < text.length && text.charCodeAt(at) !== 0x5d) {
    const end = endOfValue(text, at)
    elements.push(text.slice(at, end))
    at = skipSpace(text, skipSpace(text, end) + 1)
  }
  return elements
}

function keyOf(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end)
  return raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw
}

function skipSpace(text: string, from: number): number {
  let at = from
  for (;;) {
    const char = text.charCodeAt(at)
    if (char !== 0x20 && char !== 0x0a && char !== 0x0d && char !== 0x09) return at
    at += 1
  }
}

/** Index behind the value that begins at `from`. */
function endOfValue(text: string, from: number): number {
  const first = text.charCodeAt(from)
  if (first === 0x22) return endOfString(text, from) + 1
  let depth = 0
  for (let at = from; at < text.length; at++) {
    const char = text.charCodeAt(at)
    if (char === 0x22) at = endOfString(text, at)
    else if (char === 0x7b || char === 0x5b) depth += 1
    else if (char === 0x7d || char === 0x5d) {
      if (depth === 0) return at
      depth -= 1
      if (depth === 0) return at + 1
    } else if (depth === 0 && (char === 0x2c || char <= 0x20)) return at
  }
  return text.length
}
