/** Messages as a reader knows them. Redis holds current versions only; the archive holds all. */
import type { Item } from '../../schemas/frames.ts'
import { isLater } from './knowledge.ts'
import { orDown, type Sources } from './sources.ts'

export interface Known {
  readonly items: Map<number, Item>
  /** False: the archive cannot say what some of them were; these are left out. */
  readonly whole: boolean
}

/** `found`: items of a stream as they stand now, by seq. */
export async function asKnown(
  sources: Pick<Sources, 'archive' | 'archiveGuard'>,
  stream: string,
  upTo: number,
  found: ReadonlyMap<number, Item>,
): Promise<Known> {
  const items = new Map(found)
  const later = [...found.values()].filter((item) => isLater(item, upTo)).map(({ seq }) => seq)
  if (later.length === 0) return { items, whole: true }
  const { archive, archiveGuard } = sources
  const earlier = await orDown(archiveGuard(() => archive.versionsUpTo(stream, later, upTo)))
  let whole = true
  for (const seq of later) {
    const item = earlier?.get(seq)
    if (item) items.set(seq, item)
    else {
      items.delete(seq)
      whole = false
    }
  }
  return { items, whole }
}
