/**
 * Brings streams up to their heads: asks for heads when pushes may have been missed, tells recalls and edits first, then
 * reads what is missing, a few streams at a time.
 */
import { limits } from '../schemas/limits.ts'
import type { Clock } from '../schemas/ports.ts'
import { jitteredMs } from './backoff.ts'
import { type ConversationLog, firstWaiting, heldRanges, isBehind } from './conversation-log.ts'
import { LongwireError } from './error.ts'
import type { Requests } from './requests.ts'
import type { Streams } from './streams.ts'

const AT_ONCE = 4
/** A push may still be on its way: reading at once would read everything twice under load. */
const GAP_WAIT_MS = 120
/** Heads are asked once more after connecting: a message sent meanwhile may have missed the online map. */
const HEADS_AGAIN_MS = 2_000
const HEADS_JITTER_MS = 500
/** Soon at first, since under load a read model is often a moment behind; then ever more seldom. */
const HEADS_RETRY_MS_MIN = 100
const HEADS_RETRY_BASE_MS = 200
const HEADS_RETRY_CAP_MS = 10_000
const ASK_MS_MAX = 20_000
/** Complete pages that do not move a stream on: the server contradicts itself, and the client must not spin for ever. */
const CONTRADICTIONS_MAX = 8
/** Refusals until it is believed that this user cannot read the stream any more: what was pushed says that he could. */
const REFUSALS_MAX = 3

export interface CatchUp {
  online(): void
  offline(): void
  resync(): void
  behind(log: ConversationLog): void
  gapsHealed(): number
}

export interface CatchUpDeps {
  readonly clock: Clock
  readonly random: () => number
  readonly requests: Requests
  readonly streams: () => Streams
  readonly catchUpMax: number
  readonly report: (error: unknown) => void
  /** Heads were answered, or could not be. */
  readonly headsTried: () => void
}

export function createCatchUp(deps: CatchUpDeps): CatchUp {
  const { clock, requests, random } = deps
  /** Changes with every connection: work for an earlier one stops. */
  let epoch = 0
  let isOnline = false
  let justConnected = false
  let asking = false
  let headsFailures = 0
  let cancelHeads: (() => void) | null = null
  let headsAtMs = 0
  const scheduled = new Set<ConversationLog>()
  const queue: ConversationLog[] = []
  let filling = 0
  let healed = 0
  /** Recalls and edits of what these hold may have been missed. */
  const unsynced = new Set<ConversationLog>()

  function askHeadsIn(ms: number): void {
    const atMs = clock.now() + ms
    if (cancelHeads) {
      if (headsAtMs <= atMs) return
      cancelHeads()
    }
    headsAtMs = atMs
    cancelHeads = clock.after(ms, () => {
      cancelHeads = null
      void askHeads()
    })
  }

  async function askHeads(): Promise<void> {
    if (!isOnline) return
    if (asking) return askHeadsIn(GAP_WAIT_MS)
    asking = true
    const mine = epoch
    try {
      const answer = await requests.ask({ type: 'heads' })
      asking = false
      if (mine !== epoch) return
      deps.streams().heads(answer)
      headsFailures = answer.partial ? headsFailures + 1 : 0
      if (!answer.partial) for (const log of unsynced) if (!isBehind(log)) unsynced.delete(log)
    } catch {
      asking = false
      if (mine !== epoch) return
      headsFailures += 1
    }
    justConnected = false
    deps.headsTried()
    if (headsFailures > 0)
      askHeadsIn(
        HEADS_RETRY_MS_MIN + jitteredMs(headsFailures, HEADS_RETRY_BASE_MS, HEADS_RETRY_CAP_MS, random),
      )
  }

  function behind(log: ConversationLog): void {
    if (!isOnline || scheduled.has(log)) return
    scheduled.add(log)
    if (justConnected) {
      queue.push(log)
      next()
      return
    }
    const mine = epoch
    clock.after(GAP_WAIT_MS, () => {
      if (mine !== epoch) return
      if (!isBehind(log)) return void scheduled.delete(log)
      queue.push(log)
      next()
    })
  }

  function next(): void {
    while (filling < AT_ONCE) {
      const log = queue.shift()
      if (!log) return
      filling += 1
      const mine = epoch
      void fill(log, mine)
        .catch((error: unknown) => {
          if (mine === epoch) deps.report(error)
        })
        .finally(() => {
          if (mine !== epoch) return
          filling -= 1
          scheduled.delete(log)
          if (isBehind(log)) behind(log)
          next()
        })
    }
  }

  async function fill(log: ConversationLog, mine: number): Promise<void> {
    const began = log.position
    let fruitless = 0
    let contradictions = 0
    let refusals = 0
    while (mine === epoch && isBehind(log)) {
      try {
        const far = log.target - log.position > deps.catchUpMax
        if ((far || unsynced.has(log)) && log.heldFrom <= log.position) await sync(log, mine)
        if (mine !== epoch) return
        const before = log.position
        const page = await (far ? jump(log, mine) : readOn(log, mine))
        if (!page) return
        fruitless = log.position > before ? 0 : fruitless + 1
        contradictions = fruitless === 0 || page.partial ? 0 : contradictions + 1
        if (contradictions > CONTRADICTIONS_MAX) skip(log)
      } catch (error) {
        if (mine !== epoch) return
        if (!(error instanceof LongwireError)) throw error
        fruitless += 1
        if (error.retry === 'never' && error.code !== 'closed') refusals += 1
        if (refusals > REFUSALS_MAX) skip(log)
      }
      if (fruitless > 0) {
        const waitMs = 50 + jitteredMs(fruitless, 100, 3_000, random)
        await new Promise<void>((resolve) => void clock.after(waitMs, resolve))
      }
    }
    if (log.position > began) healed += 1
  }

  /** Null: the connection was lost meanwhile. */
  async function readOn(log: ConversationLog, mine: number): Promise<{ partial: boolean } | null> {
    const after = log.position
    const { conversationId } = log
    const page = await requests.insist(
      { type: 'history', conversationId, after, limit: limits.pageMessagesMax },
      ASK_MS_MAX,
    )
    if (mine !== epoch) return null
    deps.streams().page(log, page)
    // For one who left, the stream ends where he left it.
    if (!page.partial && page.toSeq < log.target && firstWaiting(log) === null)
      log.target = Math.max(page.toSeq, log.position)
    return page
  }

  /** Too far behind to read it all: on with the newest page. */
  async function jump(log: ConversationLog, mine: number): Promise<{ partial: boolean } | null> {
    const { conversationId } = log
    const page = await requests.insist({ type: 'history', conversationId }, ASK_MS_MAX)
    if (mine !== epoch) return null
    const streams = deps.streams()
    const first = page.items[0]?.seq ?? page.toSeq + 1
    streams.skipTo(log, page.fromSeq - 1, null)
    if (first - 1 - log.position > deps.catchUpMax) streams.skipTo(log, first - 1, 'jumped')
    streams.page(log, page)
    if (!page.partial && page.toSeq < log.target && firstWaiting(log) === null)
      log.target = Math.max(page.toSeq, log.position)
    return page
  }

  async function sync(log: ConversationLog, mine: number): Promise<void> {
    const { conversationId } = log
    const ranges = [...heldRanges(log)]
    let changesUpTo = log.position
    for (;;) {
      const answer = await requests.insist({ type: 'sync', conversationId, ranges, changesUpTo }, ASK_MS_MAX)
      if (mine !== epoch) return
      if (answer.reset) {
        log.heldApart = []
        deps.streams().reset(log)
        break
      }
      deps.streams().changes(log, answer.changes)
      const goesOn = answer.changes.length >= limits.changesPerSyncMax && answer.changesUpTo > changesUpTo
      changesUpTo = answer.changesUpTo
      if (!goesOn) break
    }
    unsynced.delete(log)
  }

  function skip(log: ConversationLog): void {
    const first = firstWaiting(log)
    deps.streams().skipTo(log, first === null ? log.target : first - 1, 'jumped')
  }

  return {
    online() {
      isOnline = true
      justConnected = true
      headsFailures = 0
      void askHeads()
      clockAgain(epoch)
    },
    offline() {
      isOnline = false
      epoch += 1
      asking = false
      filling = 0
      queue.length = 0
      scheduled.clear()
      cancelHeads?.()
      cancelHeads = null
      for (const log of deps.streams().logs.values()) unsynced.add(log)
    },
    resync() {
      askHeadsIn(random() * HEADS_JITTER_MS)
    },
    behind,
    gapsHealed: () => healed,
  }

  function clockAgain(mine: number): void {
    clock.after(HEADS_AGAIN_MS + random() * HEADS_JITTER_MS, () => {
      if (mine === epoch) void askHeads()
    })
  }
}
