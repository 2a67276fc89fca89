/**
 * All streams that this client follows. Takes in what was pushed, answered or read, gives events out by seq and once,
 * and says which streams are behind.
 */
import type { ConversationChange, Page } from './api.ts'
import {
  addHeld,
  type ConversationLog,
  cameInOrder,
  createLog,
  dropHeld,
  firstWaiting,
  forgetWaiting,
  isBehind,
  isHidden,
  isStarted,
  isSuperseded,
  lacksChanges,
  mayBeTold,
  moveTo,
  offer,
  offerPage,
  resumeAt,
  startAt,
} from './conversation-log.ts'
import { createEarlyChanges } from './early.ts'
import type { Emitter } from './emitter.ts'
import { eventOf } from './events.ts'
import { type Range, withRange } from './ranges.ts'
import type { Held } from './store.ts'
import type { Head, Item, ServerFrameOf } from './wire.ts'

export interface Streams {
  readonly logs: ReadonlyMap<string, ConversationLog>
  restore(positions: ReadonlyMap<string, number>, held: ReadonlyMap<string, Held> | undefined): void
  pushed(item: Item): void
  /** One's own command is committed; `item` null: its content must be read. */
  own(conversationId: string, seq: number, item: Item | null): void
  hint(conversationId: string, seq: number): void
  heads(answer: ServerFrameOf<'headsResult'>): void
  /** Heads do not answer: streams that are heard of begin with what was heard first. */
  startWithoutHeads(): void
  page(log: ConversationLog, page: ServerFrameOf<'historyResult'>): void
  /** The user of this client has read a page by himself. */
  pageRead(conversationId: string, page: Page): void
  /** Recalls and edits that are told before their turn: at once, if someone listens already. */
  changes(log: ConversationLog, changes: readonly Item[]): void
  skipTo(log: ConversationLog, position: number, reason: ConversationChange['reason'] | null): void
  /** Changes of what is held cannot be told any more. */
  reset(log: ConversationLog): void
  /** From here on events go out; those held back first. */
  release(): void
  disconnected(): void
  /** True once it is known which conversations were there before this client. */
  hasBaseline(): boolean
  counters(): { received: number; duplicates: number; jumps: number }
}

export interface StreamsDeps {
  readonly emitter: Emitter
  readonly userId: () => string
  readonly moved: (log: ConversationLog) => void
  readonly baseline: () => void
  readonly behind: (log: ConversationLog) => void
  readonly seen: (item: Item) => void
  /** One's own stream went on without telling all: what it says must be read anew. */
  readonly ownJumped: (position: number) => void
}

/** Conversations whose pages are remembered before they are heard of. */
const READ_AHEAD_MAX = 1_000

interface ReadAhead {
  readonly ranges: readonly Range[]
  /** The pages are current up to this seq at least. */
  readonly asOf: number
}

export function createStreams(deps: StreamsDeps): Streams {
  const { emitter } = deps
  const logs = new Map<string, ConversationLog>()
  const early = createEarlyChanges()
  /**
   * Pages of what was not heard of: what one left or observes, or joined by an event still on its way. To begin here
   * would tell old messages as new ones.
   */
  const readAhead = new Map<string, ReadAhead>()
  let baseline = false
  let withoutHeads = false
  /** There was an earlier run. */
  let resumed = false
  /** What is told when the handlers are there; null: they are. */
  let held: (() => void)[] | null = []
  let received = 0
  let duplicates = 0
  let jumps = 0

  function tell(log: ConversationLog, reason: ConversationChange['reason']): void {
    const { conversationId, position: lastSeq } = log
    const told = (): void => {
      if (!isUserStream(conversationId)) emitter.emit('conversation', { conversationId, reason, lastSeq })
      else if (reason === 'jumped') deps.ownJumped(lastSeq)
    }
    // After what is waiting to be told of the stream: that goes with the local copy.
    const first = reason === 'reset' && emitter.has('conversation') && !log.unsettled?.size
    if (held === null || first) told()
    else held.push(told)
  }

  /** The log of a stream; a new one begins where the rule for newcomers says, or waits until that is known. */
  function logOf(conversationId: string, seq: number, hasItem: boolean): ConversationLog {
    const known = logs.get(conversationId)
    if (known) return known
    const log = createLog(conversationId)
    logs.set(conversationId, log)
    // Not even one's own joining may be taken for the beginning: one may have been a member before, while away.
    if (baseline) startAt(log, 0, [])
    else if (withoutHeads) startAt(log, hasItem ? seq - 1 : seq, [])
    if (baseline) newlyHeard(log)
    deps.moved(log)
    return log
  }

  function noteRead(conversationId: string, { firstSeq, lastSeq, headSeq }: Page): void {
    const { ranges, asOf } = readAhead.get(conversationId) ?? { ranges: [], asOf: headSeq }
    readAhead.set(conversationId, {
      ranges: withRange(ranges, { from: firstSeq, to: lastSeq }),
      asOf: Math.min(asOf, headSeq),
    })
    const [oldest] = readAhead.keys()
    if (readAhead.size > READ_AHEAD_MAX && oldest !== undefined) readAhead.delete(oldest)
  }

  function newlyHeard(log: ConversationLog): void {
    const read = readAhead.get(log.conversationId)
    for (const range of read?.ranges ?? []) addHeld(log, range, read?.asOf ?? 0)
    readAhead.delete(log.conversationId)
    // It may have come to know this stream, and ended before it could keep that.
    if (resumed) mayBeTold(log, log.position)
    tell(log, 'new')
  }

  function take(log: ConversationLog, item: Item): void {
    const out: Item[] = []
    const offered = offer(log, item, out)
    give(log, out)
    if (offered !== 'gap') return
    // It waits for its turn; its message, which may wait as well, is not to be shown first as it no longer is.
    if ((item.kind === 'recalled' || item.kind === 'edited') && (item.targetSeq ?? 0) > log.position)
      early.note(item)
    if (isStarted(log)) deps.behind(log)
  }

  function give(log: ConversationLog, items: readonly Item[]): void {
    for (const item of items) {
      if (item.senderId === deps.userId() && item.packId) deps.seen(item)
      // What a hidden place stands for may be told again.
      const told = isHidden(log, item.seq) ? log.told?.has(item.seq) : log.told?.delete(item.seq)
      if (!told && !isSuperseded(log, item)) deliver(log, item)
    }
    if (items.length > 0) deps.moved(log)
  }

  function deliver(log: ConversationLog, item: Item): void {
    if (held === null) {
      emit(log, item)
      return
    }
    unsettle(log, item.seq)
    held.push(() => {
      log.unsettled?.delete(item.seq)
      emit(log, item)
      deps.moved(log)
    })
  }

  function unsettle(log: ConversationLog, seq: number): void {
    log.unsettled ??= new Set()
    log.unsettled.add(seq)
  }
  function settled(log: ConversationLog, seq: number): void {
    log.unsettled?.delete(seq)
    deps.moved(log)
  }

  function emit(log: ConversationLog, item: Item): void {
    const told = early.isOutdated(item) ? null : eventOf(early.applied(item), deps.userId())
    if (told === null) return
    if (told[0] === 'message') received += 1
    const pending = emitter.emit(told[0], told[1] as never)
    if (pending === null) return
    unsettle(log, item.seq)
    void Promise.all(pending).then(() => settled(log, item.seq))
  }

  function head(entry: Head): void {
    const last = entry.toSeq ?? entry.seq
    const log = logs.get(entry.conversationId)
    if (log && isStarted(log)) {
      skipTo(log, entry.fromSeq - 1, null)
      log.target = Math.max(log.target, last)
    } else if (log || !baseline) {
      begin(log ?? createLog(entry.conversationId), last)
    } else {
      const added = createLog(entry.conversationId)
      logs.set(entry.conversationId, added)
      startAt(added, Math.max(0, entry.fromSeq - 1), [])
      added.target = last
      newlyHeard(added)
      deps.moved(added)
    }
    const now = logs.get(entry.conversationId)
    if (now && isBehind(now)) deps.behind(now)
  }

  /** What was there before this client is history; what was pushed meanwhile is not. */
  function begin(log: ConversationLog, last: number): void {
    logs.set(log.conversationId, log)
    const first = firstWaiting(log)
    const out: Item[] = []
    startAt(log, first === null ? last : Math.min(last, first - 1), out)
    log.target = Math.max(log.target, last)
    give(log, out)
    deps.moved(log)
  }

  function beginAll(positionOf: (log: ConversationLog) => number): void {
    for (const log of logs.values()) {
      if (isStarted(log)) continue
      begin(log, positionOf(log))
      if (isBehind(log)) deps.behind(log)
    }
  }

  function skipTo(log: ConversationLog, position: number, reason: ConversationChange['reason'] | null): void {
    if (position <= log.position) return
    const out: Item[] = []
    moveTo(log, position, out)
    if (reason !== null) {
      if (reason === 'jumped') jumps += 1
      tell(log, reason)
    }
    give(log, out)
    deps.moved(log)
  }

  return {
    logs,
    restore(positions, held) {
      baseline = resumed = true
      for (const [conversationId, position] of positions) {
        const log = createLog(conversationId)
        // Nothing in one's own stream is recalled.
        const nothing: Held = { ranges: [], unkept: [], changesUpTo: position, toldUpTo: position }
        resumeAt(log, position, isUserStream(conversationId) ? nothing : held?.get(conversationId))
        logs.set(conversationId, log)
      }
    },
    pushed(item) {
      const log = logOf(item.conversationId, item.seq, true)
      if (item.seq > log.pushed) log.pushed = item.seq
      const before = log.position
      if (item.seq <= before || log.waiting?.has(item.seq)) {
        duplicates += 1
        // It came again, so the acknowledgement was lost.
        log.acked = Math.min(log.acked, item.seq - 1)
        deps.moved(log)
        return
      }
      take(log, item)
    },
    own(conversationId, seq, item) {
      // One's own is new, whether its content is at hand or must be read.
      const log = logOf(conversationId, seq, true)
      if (item) return take(log, item)
      log.target = Math.max(log.target, seq)
      if (isBehind(log)) deps.behind(log)
    },
    hint(conversationId, seq) {
      const log = logOf(conversationId, seq, false)
      log.target = Math.max(log.target, seq)
      if (isBehind(log)) deps.behind(log)
    },
    heads(answer) {
      for (const entry of answer.heads) head(entry)
      if (answer.partial || baseline) return
      baseline = true
      for (const log of logs.values()) deps.moved(log)
      deps.baseline()
      // Heads are complete and do not know them: they came into being since.
      beginAll(() => 0)
    },
    startWithoutHeads() {
      if (baseline || withoutHeads) return
      withoutHeads = true
      beginAll((log) => (firstWaiting(log) ?? log.target + 1) - 1)
    },
    page(log, page) {
      const out: Item[] = []
      offerPage(log, page, out)
      give(log, out)
      deps.moved(log)
    },
    pageRead(conversationId, page) {
      const { firstSeq, lastSeq, headSeq } = page
      if (firstSeq === 0 || isUserStream(conversationId)) return
      let log = logs.get(conversationId)
      // Nobody knows yet whether there was something before: from here on nothing is missed.
      if (!log && !baseline) log = logOf(conversationId, headSeq, false)
      if (!log) return noteRead(conversationId, page)
      addHeld(log, { from: firstSeq, to: lastSeq }, headSeq)
      if (lacksChanges(log)) deps.behind(log)
      deps.moved(log)
    },
    changes(log, changes) {
      for (const item of changes) {
        if (cameInOrder(log, item.seq) || log.told?.has(item.seq)) continue
        log.told ??= new Map()
        log.told.set(item.seq, item.targetSeq ?? 0)
        if (held !== null || (item.targetSeq ?? 0) > log.position) early.note(item)
        if (emitter.has(item.kind === 'recalled' ? 'recalled' : 'edited')) emit(log, item)
        else deliver(log, item)
      }
    },
    skipTo,
    reset(log) {
      dropHeld(log)
      tell(log, 'reset')
      deps.moved(log)
    },
    release() {
      const waiting = held ?? []
      held = null
      for (const told of waiting) told()
    },
    disconnected() {
      for (const log of logs.values()) {
        log.pushed = log.acked = 0
        forgetWaiting(log)
      }
    },
    hasBaseline: () => baseline,
    counters: () => ({ received, duplicates, jumps }),
  }
}

export const isUserStream = (stream: string): boolean => stream.startsWith('u:')
