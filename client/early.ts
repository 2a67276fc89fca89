/**
 * Recalls and edits that are told before the message they change has gone out: the message then goes out as it stands after
 * them, whatever was pushed or read of it before.
 */
import type { Item } from './wire.ts'

export interface EarlyChanges {
  note(change: Item): void
  /** The item as it stands after what was noted for it. */
  applied(item: Item): Item
  /** An edit of a message that went out as recalled: to tell it would show what was taken back. */
  isOutdated(item: Item): boolean
}

const NOTED_MAX = 10_000

export function createEarlyChanges(): EarlyChanges {
  const byTarget = new Map<string, Item>()
  /** Messages that went out recalled, and by which event. */
  const recalled = new Map<string, number>()
  const keyOf = (conversationId: string, seq: number): string => `${conversationId} ${seq}`
  return {
    note(change) {
      const key = keyOf(change.conversationId, change.targetSeq ?? 0)
      const before = byTarget.get(key)
      if (before && before.seq >= change.seq) return
      keep(byTarget, key, change)
    },
    applied(item) {
      // Nearly all messages: nothing was noted, and nothing has changed them.
      if (item.kind !== 'message' || (byTarget.size === 0 && !item.targetSeq)) return item
      const key = keyOf(item.conversationId, item.seq)
      const change = byTarget.get(key)
      byTarget.delete(key)
      const out = change && (item.targetSeq ?? 0) < change.seq ? changed(item, change) : item
      if (out.targetSeq && (out.content ?? null) === null) keep(recalled, key, out.targetSeq)
      return out
    },
    isOutdated({ kind, conversationId, seq, targetSeq }) {
      if (recalled.size === 0 || (kind !== 'edited' && kind !== 'recalled')) return false
      const key = keyOf(conversationId, targetSeq ?? 0)
      const asOf = recalled.get(key) ?? 0
      if (asOf <= seq) recalled.delete(key)
      return kind === 'edited' && asOf > seq
    },
  }
}

/** The oldest goes where there are too many: what it waits for may never come. */
function keep<T>(into: Map<string, T>, key: string, value: T): void {
  into.set(key, value)
  const [oldest] = into.keys()
  if (into.size > NOTED_MAX && oldest !== undefined) into.delete(oldest)
}

function changed(item: Item, change: Item): Item {
  const { contentType, content, mentions, mentionAll, seq: targetSeq } = change
  if (change.kind !== 'recalled') return { ...item, contentType, content, mentions, mentionAll, targetSeq }
  const nothing = { contentType: null, content: null, mentions: [], mentionAll: false, replyTo: null }
  return { ...item, ...nothing, targetSeq }
}
