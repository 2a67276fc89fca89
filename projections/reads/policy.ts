/** How long what was said stays readable, per kind of conversation: pure. Seqs, rosters and all other events stay for ever. */
import type { Item } from '../../schemas/frames.ts'
import { hiddenItem } from '../../schemas/item.ts'

export type Policy =
  | { readonly keep: 'forever' }
  /** The newest messages of each conversation, edits of them included. */
  | { readonly keep: 'newest'; readonly messages: number }
  /** What is younger than this, by broker time. */
  | { readonly keep: 'recent'; readonly ms: number }

export interface Policies {
  readonly p2p: Policy
  readonly group: Policy
}

export const FOREVER: Policy = { keep: 'forever' }
export const KEEP_ALL: Policies = { p2p: FOREVER, group: FOREVER }

export const keepsAll = ({ p2p, group }: Policies): boolean =>
  p2p.keep === 'forever' && group.keep === 'forever'

const FORM = /^(?:forever|(messages|days|relay):([1-9]\d{0,8}))$/
const DAY_MS = 86_400_000
const DAYS_MAX = 36_500
/** A week: what is held longer is not relayed but stored. */
const RELAY_SECONDS_MAX = 604_800

/** Of `forever`, `messages:N`, `days:N`, `relay:SECONDS`; null for anything else. */
export function parsePolicy(text: string): Policy | null {
  const match = FORM.exec(text)
  if (!match) return null
  const n = Number(match[2])
  switch (match[1]) {
    case 'messages':
      return { keep: 'newest', messages: n }
    case 'days':
      return n <= DAYS_MAX ? { keep: 'recent', ms: n * DAY_MS } : null
    case 'relay':
      return n <= RELAY_SECONDS_MAX ? { keep: 'recent', ms: n * 1_000 } : null
    default:
      return FOREVER
  }
}

/** A user's own stream has no messages: everything in it is kept. */
export function policyOf(policies: Policies, stream: string): Policy {
  if (stream.startsWith('p2p:')) return policies.p2p
  return stream.startsWith('g:') ? policies.group : FOREVER
}

export interface Horizon {
  /** What stands at this ordinal or below, or came at this time (ms) or before, is no longer kept. */
  readonly ordinal: number
  readonly time: number
}

/** Where a conversation that has come to `headOrdinal` ends for its readers at the moment. */
export function horizonOf(policy: Policy, headOrdinal: number, now: number): Horizon {
  return {
    ordinal: policy.keep === 'newest' ? headOrdinal - policy.messages : 0,
    time: policy.keep === 'recent' ? now - policy.ms : 0,
  }
}

export const isBeyond = (
  horizon: Horizon,
  at: { readonly ordinal: number; readonly time: number },
): boolean => at.ordinal <= horizon.ordinal || at.time <= horizon.time

const isForgotten = (item: Item, horizon: Horizon): boolean =>
  (item.kind === 'message' || item.kind === 'edited') && isBeyond(horizon, item)

/** The item as it may be read: what was said beyond the horizon is hidden. An edit counts from its own place. */
export const withinHorizon = (item: Item, horizon: Horizon): Item =>
  isForgotten(item, horizon) ? hiddenItem(item.conversationId, item.seq) : item

/** The item as it may be stored: without what was said beyond the horizon, but with its facts. */
export const keptOf = (item: Item, horizon: Horizon): Item =>
  isForgotten(item, horizon)
    ? { ...item, contentType: null, content: null, mentions: [], mentionAll: false, replyTo: null }
    : item
