/**
 * An item as the timeline stores it: JSON text with exactly one line break, before the part that a recall or an edit
 * replaces. So a script in Redis can rewrite a message without parsing it, and the whole stays valid JSON.
 */
import type { Item } from '../../schemas/frames.ts'

type Tail = Pick<Item, 'contentType' | 'content' | 'mentions' | 'mentionAll' | 'targetSeq'>

export function elementOf(item: Item): string {
  const { contentType, content, mentions, mentionAll, targetSeq } = item
  const head = JSON.stringify(headOf(item))
  return `${head.slice(0, -1)}\n${tailOf({ contentType, content, mentions, mentionAll, targetSeq })}`
}

/** Field by field: taking the rest of an object costs as much as all else that becomes of an event. */
const headOf = (item: Item): Omit<Item, keyof Tail> => ({
  conversationId: item.conversationId,
  seq: item.seq,
  ordinal: item.ordinal,
  kind: item.kind,
  time: item.time,
  senderId: item.senderId,
  packId: item.packId,
  replyTo: item.replyTo,
  members: item.members,
  name: item.name,
  readConversationId: item.readConversationId,
  readSeq: item.readSeq,
  readOrdinal: item.readOrdinal,
  on: item.on,
  key: item.key,
  value: item.value,
  until: item.until,
})

const tailOf = (tail: Tail): string => `,${JSON.stringify(tail).slice(1)}`

/** What stands in a message's place after an edit. */
export const editedTail = (change: Item): string => tailOf({ ...tailFields(change), targetSeq: change.seq })

/** What stands in a message's place after a recall; its replyTo goes with the content (the last of two equal keys counts). */
export const recalledTail = (changeSeq: number): string =>
  `${blankTail(changeSeq).slice(0, -1)},"replyTo":null}`

/** Of an edit whose message was recalled later: what it said must not be readable either. */
export const blankTail = (targetSeq: number): string =>
  tailOf({ contentType: null, content: null, mentions: [], mentionAll: false, targetSeq })

export const itemFrom = (element: string): Item => JSON.parse(element) as Item

const tailFields = ({ contentType, content, mentions, mentionAll }: Item) => ({
  contentType,
  content,
  mentions,
  mentionAll,
})
