/** Tells the server what was handled: cumulative per stream, batched, and never before the store has it. */
import { limits } from '../schemas/limits.ts'
import type { Clock } from '../schemas/ports.ts'
import { type ConversationLog, handledUpTo, heldToKeep } from './conversation-log.ts'
import type { Held, Store } from './store.ts'
import type { ClientFrame } from './wire.ts'

/** A frame costs both ends far more than the few positions in it. Well below the second by which a push counts as late. */
const ACK_AFTER_MS = 250
const ACK_AFTER_MOVES = 64
const STORE_RETRY_MS = 1_000

export interface Acks {
  /** The stream moved, or was pushed to again. */
  moved(log: ConversationLog): void
  /** It is known now which streams there are: a client that begins again from the store must not take others for old ones. */
  baseline(): void
  flush(): Promise<void>
  /** Resolves when the store has what is held of the stream now, or could not take it. */
  kept(log: ConversationLog): Promise<void>
}

export interface AcksDeps {
  readonly clock: Clock
  readonly store: Store
  readonly userId: () => string
  /** Positions without a baseline would say that every other stream is new. */
  readonly hasBaseline: () => boolean
  readonly send: (frame: ClientFrame) => boolean
  readonly report: (error: unknown) => void
}

export function createAcks(deps: AcksDeps): Acks {
  const { clock } = deps
  const dirty = new Set<ConversationLog>()
  let moves = 0
  let baselineKept = false
  let cancel: (() => void) | null = null
  let flushing: Promise<void> | null = null

  function arm(ms: number): void {
    cancel ??= clock.after(ms, () => {
      cancel = null
      void flush()
    })
  }

  function flush(): Promise<void> {
    flushing ??= save().finally(() => {
      flushing = null
      if (dirty.size > 0) arm(ACK_AFTER_MS)
    })
    return flushing
  }

  async function save(): Promise<void> {
    moves = 0
    cancel?.()
    cancel = null
    const hasBaseline = deps.hasBaseline()
    if (dirty.size === 0 && baselineKept === hasBaseline) return
    const logs = [...dirty]
    dirty.clear()
    const positions = new Map<string, number>()
    const held = new Map<string, Held>()
    for (const log of logs) {
      const position = handledUpTo(log)
      if (position < 0) continue
      positions.set(log.conversationId, position)
      if (hasBaseline) held.set(log.conversationId, heldToKeep(log))
    }
    try {
      if (hasBaseline) {
        const kept = deps.store.savePositions(deps.userId(), positions, held)
        if (kept instanceof Promise) await kept
        baselineKept = true
        for (const log of logs)
          log.keptUpTo = Math.max(log.keptUpTo, held.get(log.conversationId)?.toldUpTo ?? 0)
      }
    } catch (error) {
      deps.report(error)
      for (const log of logs) dirty.add(log)
      arm(STORE_RETRY_MS)
      return
    }
    acknowledge(logs, positions)
  }

  function acknowledge(logs: readonly ConversationLog[], positions: ReadonlyMap<string, number>): void {
    let acks: { conversationId: string; seq: number }[] = []
    for (const log of logs) {
      const { conversationId } = log
      // A position may lie beyond what was pushed; only pushes wait for an acknowledgement.
      const seq = Math.min(positions.get(conversationId) ?? 0, log.pushed)
      if (seq <= log.acked) continue
      log.acked = seq
      acks.push({ conversationId, seq })
      if (acks.length < limits.acksPerFrameMax) continue
      deps.send({ type: 'ack', acks })
      acks = []
    }
    if (acks.length > 0) deps.send({ type: 'ack', acks })
  }

  return {
    baseline: () => arm(ACK_AFTER_MS),
    moved(log) {
      dirty.add(log)
      moves += 1
      if (moves >= ACK_AFTER_MOVES) void flush()
      else arm(ACK_AFTER_MS)
    },
    flush,
    async kept(log) {
      dirty.add(log)
      await flush()
      // One that was under way when this stream moved did not have it.
      if (dirty.has(log)) await flush()
    },
  }
}
