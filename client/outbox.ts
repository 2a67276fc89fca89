/**
 * Commands that are not settled yet. A command keeps its packId over every resend, so the server can tell it from a new
 * one; within a lane (one stream) commands are settled in the order given. Pure: time comes in, frames come out.
 */
import { jitteredMs } from './backoff.ts'
import { retryOf } from './error.ts'
import type { CommandFrame } from './wire.ts'

export type EntryState =
  /** Being kept by the store; must not go out before. */
  | 'saving'
  | 'waiting'
  /** On the wire, not accepted yet. */
  | 'sent'
  /** Durable on the server; its outcome is on the way. */
  | 'accepted'
  /** Refused with a code that asks whether it was committed before. */
  | 'looking'

export interface Entry {
  packId: string
  readonly lane: string
  frame: CommandFrame
  state: EntryState
  /** How often it went out. */
  attempts: number
  /** Not to go out before. */
  dueMs: number
  sentAtMs: number
  /** When its packId was made. */
  madeMs: number
}

export interface Outbox {
  readonly entries: Map<string, Entry>
  readonly lanes: Map<string, Entry[]>
  /** Lanes in which something may go out. */
  readonly ready: Set<string>
  readonly max: number
  /** Of those on the wire or accepted. */
  inFlight: number
  /** The server asked for a pause until then. */
  pausedUntilMs: number
  /** Refused for the moment, to go out again at their dueMs. */
  readonly delayed: Set<Entry>
}

const RETRY_BASE_MS = 100
const RETRY_CAP_MS = 5_000
/** Below the server's limit of commands in flight. */
const IN_FLIGHT_MAX = 512
/** A packId older than this may be too old for the server to know it; a younger one is not, short of thousands a second. */
const FRESH_MS = 5_000
/** Accepted but not settled for so long: its answer was lost, ask again with the same packId. Doubles up to eight times as long. */
const ANSWER_MS_MAX = 8_000

export const createOutbox = (max: number): Outbox => ({
  entries: new Map(),
  lanes: new Map(),
  ready: new Set(),
  max,
  inFlight: 0,
  pausedUntilMs: 0,
  delayed: new Set(),
})

export const isFull = (outbox: Outbox): boolean => outbox.entries.size >= outbox.max

/** `attempts` 1 for a command of an earlier run: it may have gone out then. */
export function add(
  outbox: Outbox,
  entry: Pick<Entry, 'packId' | 'lane' | 'frame'>,
  nowMs: number,
  attempts = 0,
): Entry {
  const { packId, lane: name, frame } = entry
  const times = { dueMs: 0, sentAtMs: 0, madeMs: nowMs }
  const added: Entry = { packId, lane: name, frame, state: 'waiting', attempts, ...times }
  outbox.entries.set(added.packId, added)
  const lane = outbox.lanes.get(added.lane)
  if (lane) lane.push(added)
  else outbox.lanes.set(added.lane, [added])
  outbox.ready.add(added.lane)
  return added
}

/** What may go out now, each lane's in order; it counts as sent. */
export function takeDue(outbox: Outbox, nowMs: number): Entry[] {
  const due: Entry[] = []
  if (nowMs < outbox.pausedUntilMs) return due
  for (const name of outbox.ready) {
    if (outbox.inFlight >= IN_FLIGHT_MAX) break
    outbox.ready.delete(name)
    const entry = nextOf(outbox.lanes.get(name) ?? [], nowMs)
    if (!entry) continue
    setState(outbox, entry, 'sent')
    entry.attempts += 1
    entry.sentAtMs = nowMs
    due.push(entry)
  }
  return due
}

/**
 * The first that has not gone out, if all before it are accepted: the log keeps the order of appends, so nothing behind
 * an accepted command can overtake it. Behind one that went out twice, or late, it waits for the outcome, which may be
 * that the command must go out anew.
 */
function nextOf(lane: readonly Entry[], nowMs: number): Entry | null {
  for (const entry of lane) {
    const fresh = entry.attempts === 1 && entry.sentAtMs - entry.madeMs < FRESH_MS
    if (entry.state === 'accepted' && fresh) continue
    return entry.state === 'waiting' && entry.dueMs <= nowMs ? entry : null
  }
  return null
}

export function accepted(outbox: Outbox, packId: string): void {
  const entry = outbox.entries.get(packId)
  if (entry?.state !== 'sent') return
  setState(outbox, entry, 'accepted')
  outbox.ready.add(entry.lane)
}

/** Takes a settled command out; null when it is none of ours, or was settled before. */
export function settle(outbox: Outbox, packId: string): Entry | null {
  const entry = outbox.entries.get(packId)
  if (!entry) return null
  setState(outbox, entry, 'waiting')
  outbox.entries.delete(packId)
  const lane = outbox.lanes.get(entry.lane) ?? []
  lane.splice(lane.indexOf(entry), 1)
  if (lane.length === 0) outbox.lanes.delete(entry.lane)
  else outbox.ready.add(entry.lane)
  return entry
}

export type Refusal =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'final'; readonly entry: Entry }
  /** Goes out again by itself. */
  | { readonly kind: 'again' }
  /** Look it up, then either settle it or renew it. */
  | { readonly kind: 'look'; readonly entry: Entry }

/** What a rejection means for its command, by the table of codes. */
export function refused(
  outbox: Outbox,
  packId: string,
  code: string,
  retryAfterMs: number | null,
  nowMs: number,
  random: () => number,
): Refusal {
  const entry = outbox.entries.get(packId)
  if (!entry || entry.state === 'looking') return { kind: 'unknown' }
  const retry = retryOf(code)
  if (retry === 'never') {
    settle(outbox, packId)
    return { kind: 'final', entry }
  }
  if (retry === 'anew') {
    setState(outbox, entry, 'looking')
    return { kind: 'look', entry }
  }
  setState(outbox, entry, 'waiting')
  const pauseMs = retryAfterMs ?? 0
  outbox.delayed.add(entry)
  entry.dueMs = nowMs + pauseMs + jitteredMs(entry.attempts, RETRY_BASE_MS, RETRY_CAP_MS, random)
  if (code === 'rate_limited') outbox.pausedUntilMs = Math.max(outbox.pausedUntilMs, nowMs + pauseMs)
  return { kind: 'again' }
}

/** Not committed for certain: it goes out under a new packId, in its old place. */
export function renew(outbox: Outbox, entry: Entry, packId: string, nowMs: number): void {
  outbox.entries.delete(entry.packId)
  entry.packId = packId
  entry.frame = { ...entry.frame, packId }
  outbox.entries.set(packId, entry)
  setState(outbox, entry, 'waiting')
  entry.dueMs = nowMs
  entry.madeMs = nowMs
  outbox.ready.add(entry.lane)
}

/** The connection is gone: what was on the wire has an unknown outcome and goes out again. Returns how many. */
export function disconnected(outbox: Outbox): number {
  let unknown = 0
  for (const entry of outbox.entries.values()) {
    if (entry.state !== 'sent' && entry.state !== 'accepted') continue
    setState(outbox, entry, 'waiting')
    entry.dueMs = 0
    unknown += 1
  }
  outbox.pausedUntilMs = 0
  for (const lane of outbox.lanes.keys()) outbox.ready.add(lane)
  return unknown
}

export interface Waiting {
  /** When the oldest command went out that is not even accepted; now if there is none. */
  readonly unacceptedSinceMs: number
  /** When the oldest command went out whose outcome is open; now if there is none. */
  readonly openSinceMs: number
}

/** Marks what has come due, and what waits too long for its outcome. */
export function sweep(outbox: Outbox, nowMs: number): Waiting {
  let unacceptedSinceMs = nowMs
  let openSinceMs = nowMs
  for (const entry of outbox.entries.values()) {
    if (entry.state === 'waiting') outbox.ready.add(entry.lane)
    if (entry.state !== 'sent' && entry.state !== 'accepted') continue
    openSinceMs = Math.min(openSinceMs, entry.sentAtMs)
    if (entry.state === 'sent') unacceptedSinceMs = Math.min(unacceptedSinceMs, entry.sentAtMs)
    else if (nowMs - entry.sentAtMs > ANSWER_MS_MAX * 2 ** Math.min(entry.attempts - 1, 3)) {
      setState(outbox, entry, 'waiting')
      entry.dueMs = 0
      outbox.ready.add(entry.lane)
    }
  }
  return { unacceptedSinceMs, openSinceMs }
}

/** The earliest time at which something refused may go out again, or null. */
export function nextDueMs(outbox: Outbox): number | null {
  let next: number | null = null
  for (const entry of outbox.delayed) {
    const at = Math.max(entry.dueMs, outbox.pausedUntilMs)
    if (next === null || at < next) next = at
  }
  return next
}

function setState(outbox: Outbox, entry: Entry, state: EntryState): void {
  const counts = (of: EntryState): number => (of === 'sent' || of === 'accepted' ? 1 : 0)
  outbox.inFlight += counts(state) - counts(entry.state)
  outbox.delayed.delete(entry)
  entry.state = state
}
