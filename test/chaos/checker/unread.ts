/** Unread counts at the end, counted one by one from the log. */
import { currentOf, type Model, type Stream } from './log.ts'
import type { Entry, Finding } from './types.ts'

export interface Unread {
  readonly n: number
  readonly mentions: number
  readonly mentionsAll: number
}

/** Messages after the read position (and after the last join) that the user may see and that are neither own nor recalled. */
export function unreadIn(model: Model, stream: Stream, user: string): Unread {
  const counts = { n: 0, mentions: 0, mentionsAll: 0 }
  const last = stream.members.get(user)?.at(-1)
  if (!last) return counts
  const base = Math.max(model.reads.get(user)?.get(stream.name)?.ordinal ?? 0, last.ordinal)
  for (const message of stream.messages.values()) {
    const counting = message.seq >= last.from && message.seq <= last.to && message.ordinal > base
    const now = currentOf(message)
    if (!counting || message.sender === user || !now) continue
    counts.n += 1
    if (now.mentions.includes(user)) counts.mentions += 1
    if (now.mentionAll) counts.mentionsAll += 1
  }
  return counts
}

/**
 * Compares `unread`/ok entries {dev, conv, n, mentions, mentionsAll, seq: lastSeq}; every present member's conversation must be
 * listed, but no single chat in which nothing was said.
 */
export function checkUnread(
  model: Model,
  history: readonly Entry[],
): { findings: Finding[]; compared: number } {
  const findings: Finding[] = []
  const find = (detail: string) => void findings.push({ kind: 'unread', detail })
  const listed = new Map<string, Map<string, Entry>>()
  for (const entry of history) {
    if (entry.op === 'listed') listed.set(entry.dev, new Map())
    if (entry.op === 'unread' && entry.conv !== undefined) listed.get(entry.dev)?.set(entry.conv, entry)
  }
  let compared = 0
  for (const [dev, answers] of listed) {
    const user = dev.split('/')[0] ?? ''
    for (const stream of model.streams.values()) {
      const last = stream.members.get(user)?.at(-1)
      const answer = answers.get(stream.name)
      // A group that was left may stay in the list, as it was then.
      if (!last || (last.to !== Infinity && !answer)) continue
      if (stream.name.startsWith('p2p:') && stream.messages.size === 0) {
        if (answer) find(`${dev}: ${stream.name} is in the list, and nothing was said`)
        continue
      }
      compared += 1
      const place = `${dev} ${stream.name}`
      const want = unreadIn(model, stream, user)
      if (!answer) {
        find(`${place} is not in the list`)
        continue
      }
      const end = Math.min(stream.events.length, last.to)
      if (answer.seq !== end) find(`${place}: last seq told ${answer.seq}, is ${end}`)
      for (const [what, counted] of Object.entries(want)) {
        const told = answer[what as keyof Unread]
        if (told !== counted)
          find(`${place}: ${what === 'n' ? 'unread' : what} told ${told}, counted ${counted}`)
      }
    }
  }
  return { findings, compared }
}
