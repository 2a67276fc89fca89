/**
 * Brings streams up to their heads: asks for heads when pushes may have been missed, then for recalls and edits of what is
 * held, and only when these are told for what is missing, a few streams at a time.
 */
import { limits } from '../schemas/limits.ts'
import type { Clock } from '../schemas/ports.ts'
import { jitteredMs } from './backoff.ts'
import {
  type ConversationLog,
  changesTold,
  firstWaiting,
  giveChangesUp,
  type HistoryPage,
  hidesChanges,
  isBehind,
  lacksChanges,
  mustKeepBefore,
  rangesToSync,
} from './conversation-log.ts'
import { LongwireError } from './error.ts'
import { coarse } from './ranges.ts'
import type { Requests } from './requests.ts'
import { isUserStream, type Streams } from './streams.ts'

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
/** After connecting, pages wait so long at most for the recalls and edits of all streams. */
const CHANGES_FIRST_MS_MAX = 3_000
/** Between two tries to learn what a jump has left out. */
const CHANGES_RETRY_MS = 5_000
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
  /** Resolves when the store knows how far events are told. */
  readonly kept: (log: ConversationLog) => Promise<void>
  /** Heads were answered, or could not be, and what changed of what is held is told as far as it could be asked. */
  readonly changesTold: () => void
}

export function createCatchUp(deps: CatchUpDeps): CatchUp {
  const { clock, requests, random } = deps
  /** Changes with every connection: work for an earlier one stops. */
  let epoch = 0
  let isOnline = false
  let justConnected = false
  let onlineAtMs = 0
  let asking = false
  let headsFailures = 0
  let cancelHeads: (() => void) | null = null
  let headsAtMs = 0
  const scheduled = new Set<ConversationLog>()
  /** Recalls and edits are asked for of all of these before a page is read of any. */
  const first: ConversationLog[] = []
  let asked = 0
  const queue: ConversationLog[] = []
  let filling = 0
  let healed = 0
  /** Something may have been missed since these were last at their head. */
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
    next()
    tellWhenSynced()
    if (headsFailures > 0)
      askHeadsIn(
        HEADS_RETRY_MS_MIN + jitteredMs(headsFailures, HEADS_RETRY_BASE_MS, HEADS_RETRY_CAP_MS, random),
      )
  }

  function tellWhenSynced(): void {
    if (!justConnected && headsFailures === 0 && first.length === 0 && asked === 0) deps.changesTold()
  }

  const changesFirst = (): boolean => clock.now() < onlineAtMs + CHANGES_FIRST_MS_MAX

  /** Recalls and edits must be asked for before anything else of it. */
  const mustSync = (log: ConversationLog): boolean =>
    !isUserStream(log.conversationId) &&
    (lacksChanges(log) || (unsynced.has(log) && log.changesUpTo < log.target && rangesToSync(log).length > 0))

  function behind(log: ConversationLog): void {
    if (!isOnline || scheduled.has(log)) return
    scheduled.add(log)
    // Heads come all at once; after them `next` knows what must wait for what.
    if (justConnected) {
      enqueue(log)
      return
    }
    const mine = epoch
    clock.after(GAP_WAIT_MS, () => {
      if (mine !== epoch) return
      if (!isBehind(log) && !lacksChanges(log)) return void scheduled.delete(log)
      enqueue(log)
      next()
    })
  }

  function enqueue(log: ConversationLog): void {
    if (changesFirst() && mustSync(log)) first.push(log)
    else queue.push(log)
  }

  function next(): void {
    while (asked < AT_ONCE) {
      const log = first.shift()
      if (!log) break
      asked += 1
      const mine = epoch
      void sync(log, mine, onlineAtMs + CHANGES_FIRST_MS_MAX)
        // What refuses this is asked again before its page.
        .catch(() => {})
        .finally(() => {
          if (mine !== epoch) return
          asked -= 1
          queue.push(log)
          tellWhenSynced()
          next()
        })
    }
    if (asked > 0 && changesFirst()) return
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
          else if (lacksChanges(log)) retryChanges(log, mine)
          next()
        })
    }
  }

  function retryChanges(log: ConversationLog, mine: number): void {
    clock.after(CHANGES_RETRY_MS, () => {
      if (mine === epoch) behind(log)
    })
  }

  async function fill(log: ConversationLog, mine: number): Promise<void> {
    const began = log.position
    let fruitless = 0
    let contradictions = 0
    let refusals = 0
    do {
      try {
        const far = log.target - log.position > deps.catchUpMax
        if (far) unsynced.add(log)
        if (mustSync(log)) await sync(log, mine, clock.now() + ASK_MS_MAX)
        if (mine !== epoch || !isBehind(log)) continue
        const before = log.position
        const page = await (far ? jump(log, mine) : readOn(log, mine))
        if (!page) return
        fruitless = log.position > before ? 0 : fruitless + 1
        contradictions = fruitless === 0 || page.partial ? 0 : contradictions + 1
        if (contradictions > CONTRADICTIONS_MAX) await skip(log)
      } catch (error) {
        if (mine !== epoch) return
        if (!(error instanceof LongwireError)) throw error
        fruitless += 1
        if (error.retry === 'never' && error.code !== 'closed') refusals += 1
        if (refusals > REFUSALS_MAX) await skip(log)
      }
      if (fruitless > 0) await pause(fruitless)
    } while (mine === epoch && (isBehind(log) || (refusals > 0 && lacksChanges(log))))
    if (log.position > began) healed += 1
  }

  const pause = (fruitless: number): Promise<void> =>
    new Promise((resolve) => void clock.after(50 + jitteredMs(fruitless, 100, 3_000, random), resolve))

  /** Null: the connection was lost meanwhile. */
  async function readOn(log: ConversationLog, mine: number): Promise<{ partial: boolean } | null> {
    const after = log.position
    const { conversationId } = log
    const page = await requests.insist(
      { type: 'history', conversationId, after, limit: limits.pageMessagesMax },
      ASK_MS_MAX,
    )
    await changesBefore(log, page, mine)
    await keepBefore(log, page)
    if (mine !== epoch) return null
    deps.streams().page(log, page)
    // For one who left, the stream ends where he left it.
    if (!page.partial && page.toSeq < log.target && firstWaiting(log) === null)
      log.target = Math.max(page.toSeq, log.position)
    return page
  }

  /** Nobody was told of what happened while he was out: of what is held he learns before he goes on. */
  async function changesBefore(log: ConversationLog, page: HistoryPage, mine: number): Promise<void> {
    if (mine !== epoch || isUserStream(log.conversationId) || !hidesChanges(log, page)) return
    await sync(log, mine, clock.now() + ASK_MS_MAX)
  }

  /** After a crash nobody could say what of a page was told that the store never heard of. */
  async function keepBefore(
    log: ConversationLog,
    page: { items: readonly { seq: number }[]; toSeq: number },
  ) {
    if (mustKeepBefore(log, page.items.at(-1)?.seq ?? page.toSeq)) await deps.kept(log)
  }

  /** Too far behind to read it all: on with the newest page. */
  async function jump(log: ConversationLog, mine: number): Promise<{ partial: boolean } | null> {
    const { conversationId } = log
    const page = await requests.insist({ type: 'history', conversationId }, ASK_MS_MAX)
    await changesBefore(log, page, mine)
    await keepBefore(log, page)
    if (mine !== epoch) return null
    const streams = deps.streams()
    const firstSeq = page.items[0]?.seq ?? page.toSeq + 1
    streams.skipTo(log, page.fromSeq - 1, null)
    if (firstSeq - 1 - log.position > deps.catchUpMax) streams.skipTo(log, firstSeq - 1, 'jumped')
    streams.page(log, page)
    if (!page.partial && page.toSeq < log.target && firstWaiting(log) === null)
      log.target = Math.max(page.toSeq, log.position)
    return page
  }

  /**
   * Tells the recalls and edits of what is held, until all are told or `untilMs` has come: then it goes on another time from
   * where it was. An answer may be partial because it was cut, too, so each counts as far as it says.
   */
  async function sync(log: ConversationLog, mine: number, untilMs: number): Promise<void> {
    const { conversationId } = log
    for (let fruitless = 0; mine === epoch; ) {
      const { changesUpTo, heldApart, position } = log
      const ranges = [...coarse(rangesToSync(log), limits.rangesPerSyncMax)]
      const answer = await requests
        .ask({ type: 'sync', conversationId, ranges, changesUpTo })
        .catch((error: unknown) => {
          if (error instanceof LongwireError && error.retry === 'same') return null
          throw error
        })
      if (mine !== epoch) return
      if (answer?.reset) {
        deps.streams().reset(log)
        break
      }
      if (answer) {
        deps.streams().changes(log, answer.changes)
        changesTold(log, answer.changesUpTo, { heldApart, position })
        const cut = answer.partial || answer.changes.length >= limits.changesPerSyncMax
        if (!cut && log.heldApart === heldApart) break
      }
      fruitless = log.changesUpTo > changesUpTo ? 0 : fruitless + 1
      if (clock.now() >= untilMs) return
      if (fruitless > 0) await pause(fruitless)
    }
    unsynced.delete(log)
  }

  async function skip(log: ConversationLog): Promise<void> {
    if (mustKeepBefore(log, log.target)) await deps.kept(log)
    const waiting = firstWaiting(log)
    deps.streams().skipTo(log, waiting === null ? log.target : waiting - 1, 'jumped')
    giveChangesUp(log)
  }

  return {
    online() {
      isOnline = true
      justConnected = true
      onlineAtMs = clock.now()
      headsFailures = 0
      for (const log of deps.streams().logs.values()) unsynced.add(log)
      void askHeads()
      const mine = epoch
      clock.after(HEADS_AGAIN_MS + random() * HEADS_JITTER_MS, () => {
        if (mine === epoch) void askHeads()
      })
      clock.after(CHANGES_FIRST_MS_MAX, () => {
        if (mine === epoch) next()
      })
    },
    offline() {
      isOnline = false
      epoch += 1
      asking = false
      asked = 0
      filling = 0
      first.length = 0
      queue.length = 0
      scheduled.clear()
      cancelHeads?.()
      cancelHeads = null
    },
    resync() {
      askHeadsIn(random() * HEADS_JITTER_MS)
    },
    behind,
    gapsHealed: () => healed,
  }
}
