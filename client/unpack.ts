/** Content stands as its text in every encoding but JSON; the client works with its value. */
import type { Item } from '../schemas/frames.ts'

/** Changes `frame`, fresh from a decoder. */
export function unpackContents(frame: Record<string, unknown>): void {
  const { item, items, changes, conversations } = frame as {
    item?: Item
    items?: Item[]
    changes?: Item[]
    conversations?: { preview: Item | null }[]
  }
  if (item) parse(item)
  items?.forEach(parse)
  changes?.forEach(parse)
  for (const { preview } of conversations ?? []) if (preview) parse(preview)
}

/** Other records than items stand under the same names: changes of presence have no content. */
function parse(item: Partial<Item>): void {
  if (typeof item.content === 'string') (item as { content: unknown }).content = JSON.parse(item.content)
}
