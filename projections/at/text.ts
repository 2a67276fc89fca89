/** The past as text for a terminal. */
import { type ConversationAt, type EntryAt, iso, type RosterAt } from './at.ts'
import type { Message } from './moment.ts'

export type Table = (header: readonly string[], rows: readonly (readonly (string | number)[])[]) => string

/** What a message said in one line, without what would move a terminal's cursor. */
export function saidIn({
  content,
  contentType,
  keyId,
  changedSince,
}: Pick<Message, 'content' | 'contentType' | 'keyId' | 'changedSince'>): string {
  if (changedSince) return '(recalled or edited since: npm run audit)'
  if (content === null) return '(recalled)'
  if (keyId !== null) return '(erased)'
  const text = textIn(content)
  return oneLine(
    text === null ? `[${contentType}]` : contentType === 'text' ? text : `[${contentType}] ${text}`,
  )
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not come through
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g
const LINE_MAX = 400

export const oneLine = (text: string): string => {
  const line = text.replace(CONTROL, ' ')
  return line.length > LINE_MAX ? `${line.slice(0, LINE_MAX)}…` : line
}

export function textIn(content: string): string | null {
  try {
    const { text, name, title } = JSON.parse(content) as Record<string, unknown>
    const found = [text, name, title].find((part) => typeof part === 'string')
    return typeof found === 'string' ? found : null
  } catch {
    return null
  }
}

export function conversationText({
  conversationId,
  name,
  seq,
  members,
  messages,
  unreadable,
}: ConversationAt): string {
  const title = `  ${conversationId}${name === null ? '' : ` “${oneLine(name)}”`}   seq ${seq}, ${members} members`
  const lines = messages.map((message) => {
    const marks = message.changedBy !== null && message.content !== null ? ' (edited)' : ''
    return `  ${String(message.seq).padStart(6)}  ${iso(message.time)}  ${message.sender}: ${saidIn(message)}${marks}`
  })
  return [title, '', ...lines, ...notes(unreadable)].join('\n')
}

export function rosterText(
  table: Table,
  { conversationId, name, seq, members, unreadable }: RosterAt,
  at: number,
): string {
  const rows = members.map(({ user, role, joinedSeq, mutedUntil }) => [
    ...[user, role, joinedSeq],
    mutedUntil > at ? `until ${iso(mutedUntil)}` : '',
  ])
  const title = `  ${conversationId}${name === null ? '' : ` “${oneLine(name)}”`}   seq ${seq}, ${members.length} members`
  return [title, '', table(['user', 'role', 'since seq', 'muted'], rows), ...notes(unreadable)].join('\n')
}

export function entriesText(table: Table, entries: readonly EntryAt[]): string {
  if (entries.length === 0) return '  no conversation'
  const rows = entries.map((entry) => [
    `${entry.pinned ? '* ' : ''}${entry.conversationId}`,
    entry.name === null ? '' : oneLine(entry.name),
    ...[entry.unread, entry.mentions, entry.mentionsAll, entry.readSeq, entry.lastSeq],
    `${iso(entry.lastTime)}${entry.left ? ' left' : ''}`,
  ])
  const header = ['conversation', 'name', 'unread', '@', '@all', 'read', 'last', 'at']
  return [table(header, rows), ...entries.flatMap(({ unreadable }) => notes(unreadable))].join('\n')
}

const notes = (unreadable: readonly number[]): string[] =>
  unreadable.length === 0
    ? []
    : [
        '',
        `  seq ${unreadable.join(', ')} cannot be read by this release: what changed there is not in this answer. Ask the release that wrote it.`,
      ]
