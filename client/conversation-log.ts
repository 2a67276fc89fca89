/**
 * One stream as this client has received it: items come in however the network gives them and go out strictly by
 * seq, each once. Pure bookkeeping; who fetches what is missing is not decided here.
 */

import { type Range, within, withRange } from './ranges.ts'
import type { Held } from './store.ts'
import type { Item } from './wire.ts'

/** Items beyond a gap that are kept until it is filled; more are dropped and read again with the gap. */
const WAITING_MAX = 512
const ORDINALS_MAX = 32
/** So many events at most are told beyond what the store knows of, so that after a crash it is known what may be held. */
const UNKEPT_MAX = 500
export const UNSTARTED = -1

export interface ConversationLog {
  readonly conversationId: string
  /** Everything up to here went out. UNSTARTED: it is not known yet from where on this client follows. */
  position: number
  /** The stream is known to have come this far for this reader. */
  target: number
  /** Highest seq pushed on this connection: only pushes are acknowledged. */
  pushed: number
  acked: number
  /** Handlers that have not settled yet, by seq. */
  unsettled: Set<number> | null
  waiting: Map<number, Item> | null
  /** Seq and target of recalls and edits that went out early, in a sync, and must not go out again. */
  told: Map<number, number> | null
  /** First seq of the range that ends at position: everything in it was given in order. */
  heldFrom: number
  heldApart: readonly Range[]
  /** Events up to here are told or about to be. */
  tellsUpTo: number
  /** The store knows that events up to here may have been told. */
  keptUpTo: number
  /** An earlier run may have told events up to here: it need not have come to keep its position. */
  unkeptUpTo: number
  /** Such events that were then jumped over: perhaps held, perhaps not. */
  unkept: readonly Range[]
  /** Recalls and edits of what is held are told up to here. Below the position: a jump left some out. */
  changesUpTo: number
  /** Places since heldFrom that pages gave as hidden: there may have been changes, made while this user was out. */
  hidden: readonly Range[]
  /** Newest (seq, ordinal) pairs, flat. */
  ordinals: number[]
}

export const createLog = (conversationId: string): ConversationLog => ({
  conversationId,
  position: UNSTARTED,
  target: 0,
  pushed: 0,
  acked: 0,
  unsettled: null,
  waiting: null,
  told: null,
  heldFrom: 0,
  heldApart: [],
  tellsUpTo: 0,
  keptUpTo: 0,
  unkeptUpTo: 0,
  unkept: [],
  changesUpTo: Number.POSITIVE_INFINITY,
  hidden: [],
  ordinals: [],
})

export const isStarted = (log: ConversationLog): boolean => log.position !== UNSTARTED
export const isBehind = (log: ConversationLog): boolean => isStarted(log) && log.target > log.position

/** Changes of what is held were left out. */
export const lacksChanges = (log: ConversationLog): boolean =>
  isStarted(log) && log.changesUpTo < log.position && rangesToSync(log).length > 0

/** Takes the position as given: what is at or below it never goes out. Appends what can go out now. */
export function startAt(log: ConversationLog, position: number, out: Item[]): void {
  log.position = position
  log.heldFrom = position + 1
  log.hidden = []
  const held = log.heldApart.length > 0 || log.unkept.length > 0
  log.changesUpTo = held ? Math.min(log.changesUpTo, position) : position
  dropWaiting(log)
  drain(log, out)
}

/** Goes on where an earlier run was. `held` undefined: the store does not keep it, so anything may be held. */
export function resumeAt(log: ConversationLog, position: number, held: Held | undefined): void {
  log.heldApart = held?.ranges ?? (position > 0 ? [{ from: 1, to: position }] : [])
  log.changesUpTo = held?.changesUpTo ?? position
  log.unkept = held?.unkept ?? []
  log.position = position
  log.heldFrom = position + 1
  mayBeTold(log, held?.toldUpTo ?? position)
}

/** An earlier run may have gone on from here, and from `upTo` as far as it could without the store. */
export function mayBeTold(log: ConversationLog, upTo: number): void {
  log.tellsUpTo = log.keptUpTo = upTo
  log.unkeptUpTo = upTo + UNKEPT_MAX
}

/** True: the store must know of this before events up to `upTo` are told. */
export function mustKeepBefore(log: ConversationLog, upTo: number): boolean {
  log.tellsUpTo = Math.max(log.tellsUpTo, upTo)
  return upTo > log.keptUpTo + UNKEPT_MAX
}

export type Offer = 'next' | 'duplicate' | 'gap'

/** Takes one item in and appends to `out` what can go out now, in order. */
export function offer(log: ConversationLog, item: Item, out: Item[]): Offer {
  const { seq } = item
  if (seq <= log.position) return 'duplicate'
  if (seq > log.target) log.target = seq
  if (log.position !== UNSTARTED && seq === log.position + 1) {
    release(log, item, out)
    if (log.waiting !== null) drain(log, out)
    return 'next'
  }
  log.waiting ??= new Map()
  if (log.waiting.has(seq)) return 'duplicate'
  if (log.waiting.size < WAITING_MAX) log.waiting.set(seq, item)
  return 'gap'
}

export interface HistoryPage {
  readonly fromSeq: number
  readonly items: readonly Item[]
}

/** Takes in a page read after the position. What lies before `fromSeq` is not for this reader: the position moves there. */
export function offerPage(log: ConversationLog, page: HistoryPage, out: Item[]): void {
  if (page.fromSeq - 1 > log.position) moveTo(log, page.fromSeq - 1, out)
  for (const { kind, seq } of page.items)
    if (kind === 'hidden' && seq > log.position) log.hidden = withRange(log.hidden, { from: seq, to: seq })
  // What was pushed and waits is as it was then; the page has it as it is now.
  for (const item of page.items) {
    const waiting = log.waiting?.get(item.seq)
    if (waiting && (item.targetSeq ?? 0) > (waiting.targetSeq ?? 0)) log.waiting?.set(item.seq, item)
  }
  for (const item of page.items) offer(log, item, out)
}

/** Whether it shows that recalls and edits of what is held may have been made unseen: to be asked for before it is taken in. */
export const hidesChanges = (log: ConversationLog, page: HistoryPage): boolean =>
  page.items.some(({ kind, seq }) => kind === 'hidden' && seq > Math.max(log.position, log.changesUpTo)) &&
  rangesToSync(log).length > 0

export const isHidden = ({ hidden }: ConversationLog, seq: number): boolean =>
  hidden.some(({ from, to }) => from <= seq && seq <= to)

/** From here on everything was given in its order. */
const inOrderFrom = (log: ConversationLog): number => Math.max(log.heldFrom - 1, log.hidden.at(-1)?.to ?? 0)

/** Whether a newer change of the same message was told ahead of its turn: what replaces it is known already. */
export const isSuperseded = (log: ConversationLog, { kind, seq, targetSeq }: Item): boolean =>
  kind === 'edited' &&
  log.told !== null &&
  [...log.told].some(([told, target]) => target === targetSeq && told > seq)

/** Whether an event came in its place. */
export const cameInOrder = (log: ConversationLog, seq: number): boolean =>
  seq >= log.heldFrom && seq <= log.position && !isHidden(log, seq)

/** Leaves out everything up to `position`; what was held so far stays held. */
export function moveTo(log: ConversationLog, position: number, out: Item[]): void {
  if (position <= log.position) return
  log.heldApart = heldRanges(log)
  log.unkept = withRange(log.unkept, { from: log.position + 1, to: Math.min(log.unkeptUpTo, position) })
  startAt(log, position, out)
}

/**
 * What waits behind a gap was pushed on a connection that has ended; what has changed it since was not. It is read again, as it stands
 * then. Where the log has not begun, what waits says where it is to.
 */
export function forgetWaiting(log: ConversationLog): void {
  if (log.waiting === null || !isStarted(log)) return
  for (const seq of log.waiting.keys()) if (seq > log.target) log.target = seq
  log.waiting = null
}

/** The first item that waits beyond a gap, or null. */
export function firstWaiting(log: ConversationLog): number | null {
  if (log.waiting === null) return null
  let first = Number.POSITIVE_INFINITY
  for (const seq of log.waiting.keys()) if (seq < first) first = seq
  return first
}

export function heldRanges(log: ConversationLog): readonly Range[] {
  return withRange(log.heldApart, { from: log.heldFrom, to: log.position })
}

/** Of what recalls and edits must be asked for. */
export function rangesToSync(log: ConversationLog): readonly Range[] {
  const perhaps = withRange(log.unkept, { from: log.position + 1, to: log.unkeptUpTo })
  return perhaps.reduce(withRange, heldRanges(log))
}

/** A range was read, as it stood at seq `asOf`. */
export function addHeld(log: ConversationLog, range: Range, asOf: number): void {
  log.heldApart = withRange(log.heldApart, range)
  // Where all from `asOf` on was given in order, it was told.
  const told = isStarted(log) && asOf >= inOrderFrom(log) ? Math.max(asOf, log.position) : asOf
  log.changesUpTo = Math.min(log.changesUpTo, told)
  // They were told of what was held then.
  if (log.told) for (const seq of log.told.keys()) if (seq > told) log.told.delete(seq)
}

/** Recalls and edits of what was held when they were asked for are told up to `upTo`. */
export function changesTold(
  log: ConversationLog,
  upTo: number,
  asked: Pick<ConversationLog, 'heldApart' | 'position'>,
): void {
  // Something came to what is held that was not asked for.
  if (log.heldApart !== asked.heldApart) return
  const known = log.position === asked.position ? upTo : Math.min(upTo, log.position)
  // From heldFrom on they come in their order.
  log.changesUpTo = Math.max(log.changesUpTo, known, known >= inOrderFrom(log) ? log.position : 0)
  if (log.told)
    for (const seq of log.told.keys())
      if (seq <= Math.min(log.changesUpTo, log.position)) log.told.delete(seq)
}

/** They cannot be asked for any more. */
export function giveChangesUp(log: ConversationLog): void {
  log.changesUpTo = Math.max(log.changesUpTo, log.position)
}

/** The local copy was dropped. */
export function dropHeld(log: ConversationLog): void {
  log.heldApart = []
  log.unkept = []
  log.unkeptUpTo = 0
  log.heldFrom = log.position + 1
  log.hidden = []
  giveChangesUp(log)
}

/** What must outlive this run for the next one to miss no change. It begins again at what was handled. */
export function heldToKeep(log: ConversationLog): Held {
  const handled = handledUpTo(log)
  return {
    ranges: within(heldRanges(log), 0, handled),
    unkept: within(log.heldApart, handled + 1, Number.POSITIVE_INFINITY).reduce(withRange, log.unkept),
    changesUpTo: Math.min(log.changesUpTo, firstUnsettled(log) - 1),
    toldUpTo: Math.max(log.tellsUpTo, log.position),
  }
}

/** Everything up to here was taken by the handlers. */
export const handledUpTo = (log: ConversationLog): number => Math.min(log.position, firstUnsettled(log) - 1)

function firstUnsettled(log: ConversationLog): number {
  let first = Number.POSITIVE_INFINITY
  if (log.unsettled !== null) for (const seq of log.unsettled) if (seq < first) first = seq
  return first
}

/** The ordinal at `seq`, or null when it is not among the newest that went through. */
export function ordinalAt(log: ConversationLog, seq: number): number | null {
  for (let i = log.ordinals.length - 2; i >= 0; i -= 2)
    if (log.ordinals[i] === seq) return log.ordinals[i + 1] ?? null
  return null
}

export function noteOrdinal(log: ConversationLog, item: Item): void {
  if (item.kind === 'hidden') return
  log.ordinals.push(item.seq, item.ordinal)
  if (log.ordinals.length > ORDINALS_MAX * 4) log.ordinals = log.ordinals.slice(-ORDINALS_MAX * 2)
}

function release(log: ConversationLog, item: Item, out: Item[]): void {
  log.position = item.seq
  // What was told ahead was not told of this one, which is held only now.
  if (log.changesUpTo >= item.seq - 1 && !isHidden(log, item.seq)) log.changesUpTo = item.seq
  noteOrdinal(log, item)
  out.push(item)
}

function drain(log: ConversationLog, out: Item[]): void {
  while (log.waiting !== null) {
    const next = log.waiting.get(log.position + 1)
    if (!next) break
    log.waiting.delete(next.seq)
    if (log.waiting.size === 0) log.waiting = null
    release(log, next, out)
  }
}

function dropWaiting(log: ConversationLog): void {
  if (log.waiting === null) return
  for (const seq of log.waiting.keys()) if (seq <= log.position) log.waiting.delete(seq)
  if (log.waiting.size === 0) log.waiting = null
}
