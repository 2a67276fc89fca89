/** Holds answers to limits.pageBytesMax: a page within its number of items may still hold large ones. Pure. */
import type { ConversationsAnswer, HistoryAnswer, SyncAnswer } from '../projections/reads.ts'
import type { Item } from '../schemas/frames.ts'
import { limits } from '../schemas/limits.ts'

/** About what an item takes beside its content. */
const ITEM_BYTES = 256
const textBytes = (text: string | null): number => (text === null ? 0 : Buffer.byteLength(text, 'utf8'))
const itemBytes = (item: Item): number => ITEM_BYTES + textBytes(item.content) + textBytes(item.value)

/** How many of the items fit, taken in this order; at least one, so that whoever pages gets on. */
function fitting(items: readonly Item[]): number {
  let bytes = 0
  for (const [count, item] of items.entries()) {
    bytes += itemBytes(item)
    if (bytes > limits.pageBytesMax && count > 0) return count
  }
  return items.length
}

/** `onwards`: the page grows from its lowest seq, else from its highest. */
export function boundedPage(page: HistoryAnswer, onwards: boolean): HistoryAnswer {
  const { items } = page
  const count = fitting(onwards ? items : items.toReversed())
  if (count === items.length) return page
  const kept = onwards ? items.slice(0, count) : items.slice(-count)
  const seqs = new Set(kept.map(({ seq }) => seq))
  return {
    ...page,
    items: kept,
    more: true,
    reactions: page.reactions.filter(({ seq }) => seqs.has(seq)),
  }
}

/** Cut changes are answered as far as they go; `partial` makes the client ask on from there. */
export function boundedChanges(answer: SyncAnswer): SyncAnswer {
  const count = fitting(answer.changes)
  if (count === answer.changes.length) return answer
  const changes = answer.changes.slice(0, count)
  // To one who left recalls are told that lie beyond what he is told to remember.
  const changesUpTo = Math.min(changes.at(-1)?.seq ?? 0, answer.changesUpTo)
  return { ...answer, changes, changesUpTo, partial: true }
}

/** The list stays whole; from where it gets too long, previews are left out. */
export function boundedList(answer: ConversationsAnswer): ConversationsAnswer {
  let bytes = 0
  const conversations = answer.conversations.map((conversation) => {
    const { preview } = conversation
    if (preview) bytes += itemBytes(preview)
    return preview && bytes > limits.pageBytesMax ? { ...conversation, preview: null } : conversation
  })
  return bytes > limits.pageBytesMax ? { ...answer, conversations } : answer
}
