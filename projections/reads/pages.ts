/**
 * Old pages of streams, held for a moment: whoever reads the same part of a stream reads the same aligned blocks, one query answers
 * all who ask at once, and what was read stays for some seconds. What has changed since is for the caller to see, who knows of
 * changes from elsewhere and asks for the page anew.
 */
import type { Item } from '../../schemas/frames.ts'
import type { Clock } from '../../schemas/ports.ts'
import { bytesOf } from './page.ts'

/** What the newest version of a changed message in the archive is. */
export interface Version {
  readonly version: number
  readonly recalled: boolean
}

export interface CurrentItems {
  /** In seq order, as far as the archive has come. */
  readonly items: readonly Item[]
  /** By seq of the item: what is newest of the message that it is or edits, where that was changed. */
  readonly versions: ReadonlyMap<number, Version>
}

export interface ArchivePage extends CurrentItems {
  /** All changes of the stream up to this seq are in the versions. */
  readonly changesUpTo: number
}

export interface PageOfBlocks extends ArchivePage {
  /** Some of it was read earlier. */
  readonly held: boolean
}

type Load = (stream: string, from: number, to: number) => Promise<ArchivePage>

interface Block extends ArchivePage {
  readonly bytes: number
  readonly until: number
}

const BLOCK_SEQS = 64
const HELD_MS = 10_000
const HELD_BYTES_MAX = 16 * 1024 * 1024

export function heldPages(load: Load, clock: Pick<Clock, 'now'>) {
  /** By stream and number of the block; the one used longest ago comes first. */
  const blocks = new Map<string, Block>()
  const loading = new Map<string, Promise<ArchivePage>>()
  let bytes = 0

  function drop(key: string): void {
    bytes -= blocks.get(key)?.bytes ?? 0
    blocks.delete(key)
  }

  function keep(stream: string, number: number, page: ArchivePage, until: number): void {
    const key = keyOf(stream, number)
    drop(key)
    let size = 0
    for (const item of page.items) size += bytesOf(item)
    blocks.set(key, { ...page, bytes: size, until })
    bytes += size
    for (const oldest of blocks.keys()) {
      if (bytes <= HELD_BYTES_MAX) break
      drop(oldest)
    }
  }

  function take(stream: string, number: number): Block | null {
    const key = keyOf(stream, number)
    const block = blocks.get(key)
    if (!block) return null
    blocks.delete(key)
    if (block.until <= clock.now()) {
      bytes -= block.bytes
      return null
    }
    blocks.set(key, block)
    return block
  }

  /** Of whole blocks; equal calls under way share one query. */
  function loadOnce(stream: string, first: number, last: number): Promise<ArchivePage> {
    const key = `${stream} ${first} ${last}`
    const running = loading.get(key)
    if (running) return running
    const until = clock.now() + HELD_MS
    const work = load(stream, firstSeq(first), firstSeq(last + 1) - 1).then((page) => {
      // The end of what the archive holds still grows: only full blocks stay.
      for (let number = first; number <= last; number++) {
        const block = cut(page, firstSeq(number), firstSeq(number + 1) - 1)
        if (block.items.length === BLOCK_SEQS) keep(stream, number, block, until)
      }
      return page
    })
    loading.set(key, work)
    const settle = () => void loading.delete(key)
    work.then(settle, settle)
    return work
  }

  /** `anew`: nothing that was read earlier. */
  return async (stream: string, from: number, to: number, anew = false): Promise<PageOfBlocks> => {
    const [first, last] = [blockOf(from), blockOf(to)]
    const found: (Block | null)[] = []
    for (let number = first; number <= last; number++) found.push(anew ? null : take(stream, number))
    const firstMissing = found.indexOf(null)
    const held = found.some((block) => block !== null)
    if (firstMissing === -1) return { ...cut(joined(found), from, to), held }
    const lastMissing = found.lastIndexOf(null)
    const loaded = await loadOnce(stream, first + firstMissing, first + lastMissing)
    const page = joined([...found.slice(0, firstMissing), loaded, ...found.slice(lastMissing + 1)])
    return { ...cut(page, from, to), held }
  }
}

const keyOf = (stream: string, number: number): string => `${stream} ${number}`
const blockOf = (seq: number): number => Math.floor((seq - 1) / BLOCK_SEQS)
const firstSeq = (block: number): number => block * BLOCK_SEQS + 1

function joined(pages: readonly (ArchivePage | null)[]): ArchivePage {
  const there = pages.filter((page) => page !== null)
  return {
    items: there.flatMap(({ items }) => items),
    versions: new Map(there.flatMap(({ versions }) => [...versions])),
    changesUpTo: Math.min(...there.map(({ changesUpTo }) => changesUpTo)),
  }
}

function cut(page: ArchivePage, from: number, to: number): ArchivePage {
  const items = page.items.filter(({ seq }) => seq >= from && seq <= to)
  const versions = new Map<number, Version>()
  for (const { seq } of items) {
    const version = page.versions.get(seq)
    if (version) versions.set(seq, version)
  }
  return { ...page, items, versions }
}
