/** How long answers and deliveries took, and how long nothing was answered, from the history. */
import { pairCommands } from './checker/sends.ts'
import type { Entry } from './checker/types.ts'

export interface Times {
  readonly ack: Percentiles
  readonly delivery: Percentiles
  /** Longest stretch of the load in which no send was committed. */
  readonly unavailableMsMax: number
  /** From the end of the last fault until the last command under way had its outcome. */
  readonly healMs: number
}

export interface Percentiles {
  readonly count: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

export function timesOf(history: readonly Entry[]): Times {
  const commands = pairCommands(history)
  const invokedAt = new Map<string, { at: number; dev: string }>()
  const acks: number[] = []
  const committedAt: number[] = []
  let lastFault = 0
  let lastSettled = 0
  for (const { invoke, end } of commands.values()) {
    if (invoke.op === 'send' && invoke.hash)
      invokedAt.set(invoke.hash, { at: invoke.t_mono, dev: invoke.dev })
    if (invoke.op !== 'send' || end?.phase !== 'ok') continue
    acks.push(end.t_mono - invoke.t_mono)
    committedAt.push(end.t_mono)
  }
  const deliveries: number[] = []
  for (const entry of history) {
    if (entry.op.startsWith('fault ') && entry.phase === 'ok') lastFault = Math.max(lastFault, entry.t_mono)
    if (entry.op !== 'recv' || !entry.hash) continue
    const sent = invokedAt.get(entry.hash)
    if (sent && sent.dev !== entry.dev) deliveries.push(entry.t_mono - sent.at)
  }
  // Only what was asked before the faults ended had something to heal from.
  for (const { invoke, end } of commands.values())
    if (end && invoke.t_mono <= lastFault) lastSettled = Math.max(lastSettled, end.t_mono)
  committedAt.sort((a, b) => a - b)
  let gap = 0
  for (let i = 1; i < committedAt.length; i++)
    gap = Math.max(gap, (committedAt[i] ?? 0) - (committedAt[i - 1] ?? 0))
  return {
    ack: percentilesOf(acks),
    delivery: percentilesOf(deliveries),
    unavailableMsMax: gap / 1_000,
    healMs: Math.max(0, lastSettled - lastFault) / 1_000,
  }
}

function percentilesOf(us: number[]): Percentiles {
  us.sort((a, b) => a - b)
  const at = (share: number) => (us[Math.min(us.length - 1, Math.floor(us.length * share))] ?? 0) / 1_000
  return { count: us.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }
}

/** Sends that were committed and seen by another device within a stretch, and how many were committed per second over all. */
export function throughIn(
  history: readonly Entry[],
  from: number,
  to: number,
): { through: number; perSecond: number } {
  const seenBy = new Map<string, Set<string>>()
  for (const { op, hash, dev, t_mono } of history) {
    if (op !== 'recv' || !hash || t_mono < from || t_mono > to) continue
    const devices = seenBy.get(hash) ?? new Set()
    seenBy.set(hash, devices.add(dev))
  }
  let through = 0
  let count = 0
  let first = Infinity
  let last = 0
  for (const { invoke, end } of pairCommands(history).values()) {
    if (invoke.op !== 'send' || end?.phase !== 'ok') continue
    count += 1
    first = Math.min(first, end.t_mono)
    last = Math.max(last, end.t_mono)
    if (end.t_mono < from || end.t_mono > to) continue
    if ([...(seenBy.get(invoke.hash ?? '') ?? [])].some((dev) => dev !== invoke.dev)) through += 1
  }
  return { through, perSecond: count / Math.max(1, (last - first) / 1e6) }
}
