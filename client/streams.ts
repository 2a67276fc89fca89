/**
 * All streams that this client follows. Takes in what was pushed, answered or read, gives events out by seq and once,
 * and says which streams are behind.
 */
import type { ConversationChange } from './api.ts'
import {
  type ConversationLog,
  createLog,
  firstWaiting,
  isBehind,
  isStarted,
  moveTo,
  offer,
  offerPage,
  startAt,
} from './conversation-log.ts'
import type { Emitter } from './emitter.ts'
import { editedOf, groupChangeOf, messageOf, recalledOf } from './messages.ts'
import type { Head, Item, ServerFrameOf } from './wire.ts'

export interface Streams {
  readonly logs: ReadonlyMap<string, ConversationLog>
  restore(positions: ReadonlyMap<string, number>): void
  pushed(item: Item): void
  /** One's own command is committed; `item` null: its content must be read. */
  own(conversationId: string, seq: number, item: Item | null): void
  hint(conversationId: string, seq: number): void
  heads(answer: ServerFrameOf<'headsResult'>): void
  /** Heads do not answer: streams that are heard of begin with what was heard first. */
  startWithoutHeads(): void
  page(log: ConversationLog, page: ServerFrameOf<'historyResult'>): void
  /** Recalls and edits that are told before their turn. */
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
}

export function createStreams(deps: StreamsDeps): Streams {
  const { emitter } = deps
  const logs = new Map<string, ConversationLog>()
  let baseline = false
  let withoutHeads = false
  let held: { log: ConversationLog; item: Item }[] | null = []
  let received = 0
  let duplicates = 0
  let jumps = 0

  function tell(log: ConversationLog, reason: ConversationChange['reason']): void {
    const { conversationId } = log
    if (!isUserStream(conversationId))
      emitter.emit('conversation', { conversationId, reason, lastSeq: log.position })
  }

  /** The log of a stream; a new one begins where the rule for newcomers says, or waits until that is known. */
  function logOf(conversationId: string, seq: number, hasItem: boolean): ConversationLog {
    const known = logs.get(conversationId)
    if (known) return known
    const log = createLog(conversationId)
    logs.set(conversationId, log)
    // Of one's own stream only the newest counts.
    if (isUserStream(conversationId)) startAt(log, seq - 1, [])
    // Not even one's own joining may be taken for the beginning: one may have been a member before, while away.
    else if (baseline) startAt(log, 0, [])
    else if (withoutHeads) startAt(log, hasItem ? seq - 1 : seq, [])
    if (baseline && isStarted(log)) tell(log, 'new')
    deps.moved(log)
    return log
  }
  function take(log: ConversationLog, item: Item): void {
    const out: Item[] = []
    const offered = offer(log, item, out)
    give(log, out)
    if (offered === 'gap' && isStarted(log)) deps.behind(log)
  }

  function give(log: ConversationLog, items: readonly Item[]): void {
    for (const item of items) {
      if (held === null) deliver(log, item)
      else {
        unsettle(log, item.seq)
        held.push({ log, item })
      }
    }
    if (items.length > 0) deps.moved(log)
  }

  function unsettle(log: ConversationLog, seq: number): void {
    log.unsettled ??= new Set()
    log.unsettled.add(seq)
  }
  function settled(log: ConversationLog, seq: number): void {
    log.unsettled?.delete(seq)
    deps.moved(log)
  }

  function deliver(log: ConversationLog, item: Item): void {
    if (item.senderId === deps.userId() && item.packId) deps.seen(item)
    if (log.told?.delete(item.seq)) return
    const pending = emit(item)
    if (pending === null) return
    unsettle(log, item.seq)
    void Promise.all(pending).then(() => settled(log, item.seq))
  }

  function emit(item: Item): Promise<unknown>[] | null {
    switch (item.kind) {
      case 'message':
        received += 1
        return emitter.emit('message', messageOf(item))
      case 'recalled':
        return emitter.emit('recalled', recalledOf(item))
      case 'edited':
        return emitter.emit('edited', editedOf(item))
      case 'created':
      case 'added':
      case 'removed':
        return emitter.emit('group', groupChangeOf(item, item.kind))
      case 'read':
        return emitter.emit('read', {
          conversationId: item.readConversationId ?? '',
          seq: item.readSeq ?? 0,
          ordinal: item.readOrdinal ?? 0,
        })
      default:
        return null
    }
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
      startAt(added, Math.max(0, isUserStream(entry.conversationId) ? last : entry.fromSeq - 1), [])
      added.target = last
      tell(added, 'new')
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
    restore(positions) {
      baseline = true
      for (const [conversationId, position] of positions) {
        const log = createLog(conversationId)
        startAt(log, position, [])
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
      const log = logOf(conversationId, seq, item !== null)
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
    changes(log, changes) {
      for (const item of changes) {
        if (item.seq > log.position) {
          log.told ??= new Set()
          if (log.told.has(item.seq)) continue
          log.told.add(item.seq)
        }
        emit(item)
      }
    },
    skipTo,
    reset: (log) => tell(log, 'reset'),
    release() {
      const items = held ?? []
      held = null
      for (const { log, item } of items) {
        log.unsettled?.delete(item.seq)
        deliver(log, item)
        deps.moved(log)
      }
    },
    disconnected() {
      for (const log of logs.values()) log.pushed = log.acked = 0
    },
    hasBaseline: () => baseline,
    counters: () => ({ received, duplicates, jumps }),
  }
}

const isUserStream = (stream: string): boolean => stream.startsWith('u:')
