/** Unread counts at the end, counted one by one from the log. */
import type { Model, Stream } from './log.ts'
import type { Entry, Finding } from './types.ts'

/** Messages after the read position (and after the last join) that the user may see and that are neither own nor recalled. */
export function unreadIn(model: Model, stream: Stream, user: string): number {
  const last = stream.members.get(user)?.at(-1)
  if (!last) return 0
  const base = Math.max(model.reads.get(user)?.get(stream.name)?.ordinal ?? 0, last.ordinal)
  let count = 0
  for (const message of stream.messages.values()) {
    const counts = message.seq >= last.from && message.seq <= last.to && message.ordinal > base
    if (counts && message.sender !== user && !stream.recalled.has(message.seq)) count += 1
  }
  return count
}

/** Compares `unread`/ok entries {dev, conv, n, seq: lastSeq}; every present member's conversation must be listed. */
export function checkUnread(
  model: Model,
  history: readonly Entry[],
): { findings: Finding[]; compared: number } {
  const findings: Finding[] = []
  const listed = new Map<string, Map<string, Entry>>()
  for (const entry of history) {
    if (entry.op === 'listed') listed.set(entry.dev, new Map())
    if (entry.op === 'unread' && entry.conv !== undefined) listed.get(entry.dev)?.set(entry.conv, entry)
  }
  let compared = 0
  for (const [dev, answers] of listed) {
    const user = dev.split('/')[0] ?? ''
    for (const stream of model.streams.values()) {
      if (stream.members.get(user)?.at(-1)?.to !== Infinity) continue
      compared += 1
      const answer = answers.get(stream.name)
      const want = unreadIn(model, stream, user)
      if (!answer) findings.push({ kind: 'unread', detail: `${dev}: ${stream.name} is not in the list` })
      else if (answer.n !== want)
        findings.push({ kind: 'unread', detail: `${dev} ${stream.name}: told ${answer.n}, counted ${want}` })
      else if (answer.seq !== stream.events.length)
        findings.push({
          kind: 'unread',
          detail: `${dev} ${stream.name}: last seq told ${answer.seq}, is ${stream.events.length}`,
        })
    }
  }
  return { findings, compared }
}
