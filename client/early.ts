/**
 * Recalls and edits that are told before the message they change has gone out: the message then goes out as it stands after
 * them, whatever was pushed or read of it before.
 */
import type { Item } from './wire.ts'

export interface EarlyChanges {
  note(change: Item): void
  /** The item as it stands after what was noted for it. */
  applied(item: Item): Item
}

const NOTED_MAX = 10_000

export function createEarlyChanges(): EarlyChanges {
  const byTarget = new Map<string, Item>()
  const keyOf = (conversationId: string, seq: number): string => `${conversationId} ${seq}`
  return {
    note(change) {
      const key = keyOf(change.conversationId, change.targetSeq ?? 0)
      const before = byTarget.get(key)
      if (before && before.seq >= change.seq) return
      byTarget.set(key, change)
      // The message of the oldest may never come.
      const [oldest] = byTarget.keys()
      if (byTarget.size > NOTED_MAX && oldest !== undefined) byTarget.delete(oldest)
    },
    applied(item) {
      if (item.kind !== 'message' || byTarget.size === 0) return item
      const key = keyOf(item.conversationId, item.seq)
      const change = byTarget.get(key)
      byTarget.delete(key)
      if (!change || (item.targetSeq ?? 0) >= change.seq) return item
      const { contentType, content, mentions, mentionAll, seq: targetSeq } = change
      return change.kind === 'recalled'
        ? {
            ...item,
            contentType: null,
            content: null,
            mentions: [],
            mentionAll: false,
            replyTo: null,
            targetSeq,
          }
        : { ...item, contentType, content, mentions, mentionAll, targetSeq }
    },
  }
}
