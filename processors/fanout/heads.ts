/**
 * Heads before map: a batch's heads stand in the store before the online map is read, so that whoever connects meanwhile
 * finds them. While the store does not answer they are held, newest per stream, and told again to everyone when it does.
 */
import type { Clock, Logger } from '../../schemas/ports.ts'
import type { FanoutStore, ListEntry, StreamHead } from './ports.ts'
import type { FanoutStats } from './stats.ts'

export interface HeadsWriter {
  /** True once all are written; false: the store is down, they are held, and the batch goes to every gateway. */
  write(heads: readonly StreamHead[], lists: readonly ListEntry[]): Promise<boolean>
  /** False while something is held: nothing may be committed past what was read before that. */
  clear(): boolean
  stop(): void
}

const RETRY_MS = 500
const PER_CALL = 1_000

export function createHeadsWriter(options: {
  store: FanoutStore
  clock: Clock
  logger: Logger
  stats: FanoutStats
  /** Held heads were written at last: tell everyone of these streams. */
  healed(heads: readonly StreamHead[]): void
}): HeadsWriter {
  const { store, clock, logger, stats } = options
  const heldHeads = new Map<string, StreamHead>()
  const heldLists = new Map<string, ListEntry>()
  let retry: (() => void) | null = null
  let stopped = false

  const hold = (heads: readonly StreamHead[], lists: readonly ListEntry[]) => {
    for (const head of heads) heldHeads.set(head.stream, head)
    for (const entry of lists) heldLists.set(`${entry.user} ${entry.conversationId}`, entry)
    stats.headsHeld = heldHeads.size + heldLists.size
    if (!retry && !stopped) retry = clock.after(RETRY_MS, () => void flush())
  }

  const flush = async () => {
    retry = null
    const heads = [...heldHeads.values()].slice(0, PER_CALL)
    const lists = [...heldLists.values()].slice(0, PER_CALL)
    if (stopped || heads.length + lists.length === 0) return
    stats.storeWrites += heads.length + lists.length
    try {
      await store.writeHeads(heads, lists)
    } catch {
      if (!stopped) retry = clock.after(RETRY_MS, () => void flush())
      return
    }
    for (const head of heads) if (heldHeads.get(head.stream) === head) heldHeads.delete(head.stream)
    for (const entry of lists) heldLists.delete(`${entry.user} ${entry.conversationId}`)
    stats.headsHeld = heldHeads.size + heldLists.size
    logger.info({ heads: heads.length, left: stats.headsHeld }, 'held heads were written')
    options.healed(heads)
    if (stats.headsHeld > 0 && !stopped) retry = clock.after(0, () => void flush())
  }

  return {
    async write(heads, lists) {
      // While something is held the store is down: asking it again for each batch would only make everyone wait.
      if (stats.headsHeld > 0) {
        hold(heads, lists)
        return false
      }
      try {
        stats.storeWrites += heads.length + lists.length
        await store.writeHeads(heads, lists)
        return true
      } catch (err) {
        logger.warn({ err, heads: heads.length }, 'heads could not be written: broadcasting')
        hold(heads, lists)
        return false
      }
    },
    clear: () => stats.headsHeld === 0,
    stop() {
      stopped = true
      retry?.()
    },
  }
}
