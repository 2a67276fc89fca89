/**
 * Records of several partitions as one sequence: each partition's own order is kept, and between partitions the older record goes
 * first, so that a partition made of several has no time that steps back.
 */
export interface Timed {
  readonly time: number
}

/** The next records of one partition; empty at its end. */
export type Pages<T> = () => Promise<readonly T[]>

interface Cursor<T> {
  readonly pages: Pages<T>
  page: readonly T[]
  at: number
  readonly rank: number
}

const CHUNK = 1_000

/** In chunks; at most one page of each partition is held. */
export async function* merged<T extends Timed>(partitions: readonly Pages<T>[]): AsyncGenerator<T[]> {
  const cursors = await Promise.all(
    partitions.map(async (pages, rank): Promise<Cursor<T>> => ({ pages, page: await pages(), at: 0, rank })),
  )
  const heap = cursors.filter(({ page }) => page.length > 0)
  for (let i = heap.length >> 1; i >= 0; i--) sink(heap, i)
  let chunk: T[] = []
  for (let first = heap[0]; first; first = heap[0]) {
    chunk.push(first.page[first.at++] as T)
    if (chunk.length === CHUNK) {
      yield chunk
      chunk = []
    }
    if (first.at === first.page.length) {
      first.page = await first.pages()
      first.at = 0
      if (first.page.length === 0) {
        const last = heap.pop()
        if (last && last !== first) heap[0] = last
      }
    }
    sink(heap, 0)
  }
  if (chunk.length > 0) yield chunk
}

function sink<T extends Timed>(heap: Cursor<T>[], from: number): void {
  for (let i = from; ; ) {
    let least = i
    for (const child of [2 * i + 1, 2 * i + 2]) if (isBefore(heap[child], heap[least])) least = child
    if (least === i) return
    const moved = heap[i] as Cursor<T>
    heap[i] = heap[least] as Cursor<T>
    heap[least] = moved
    i = least
  }
}

function isBefore<T extends Timed>(a: Cursor<T> | undefined, b: Cursor<T> | undefined): boolean {
  if (!a || !b) return false
  const [left, right] = [a.page[a.at]?.time ?? 0, b.page[b.at]?.time ?? 0]
  return left < right || (left === right && a.rank < b.rank)
}
