/** The newest items of every stream, current versions, with an index of changes; and reactions. */

import type { Item } from '../../schemas/frames.ts'
import { hiddenItem, itemOf } from '../../schemas/item.ts'
import type { Accepted, Projection } from '../projection.ts'
import { type Horizon, keptOf } from '../reads/policy.ts'
import { editedTail, elementOf, recalledTail } from './element.ts'

export interface TimelineWrite {
  readonly stream: string
  readonly seq: number
  readonly ordinal: number
  readonly time: number
  readonly message: boolean
  readonly element: string
  readonly change: { readonly target: number; readonly kind: 'e' | 'r'; readonly tail: string } | null
  readonly reaction: { readonly target: number; readonly member: string; readonly on: boolean } | null
}

const NO_HORIZON: Horizon = { ordinal: 0, time: 0 }

export const timeline = {
  name: 'timeline',
  /** Without the contents that are beyond the horizon: what a rebuild reads again is not brought back. */
  project({ envelope, payload }: Accepted, horizon: Horizon = NO_HORIZON): readonly TimelineWrite[] {
    if (envelope.kind !== 'event') return []
    const { stream, seq, ordinal, time } = envelope
    // What cannot be decoded keeps its seq: a hole would look like a loss for ever.
    const item = keptOf((payload && itemOf(envelope, payload)) ?? hiddenItem(stream, seq), horizon)
    const element = elementOf(item)
    const message = item.kind === 'message'
    return [
      { stream, seq, ordinal, time, message, element, change: changeOf(item), reaction: reactionOf(item) },
    ]
  },
} satisfies Projection<TimelineWrite>

function changeOf(item: Item): TimelineWrite['change'] {
  if (item.targetSeq === null) return null
  if (item.kind === 'edited') return { target: item.targetSeq, kind: 'e', tail: editedTail(item) }
  if (item.kind === 'recalled') return { target: item.targetSeq, kind: 'r', tail: recalledTail(item.seq) }
  return null
}

/** The emoji comes last: it may hold anything. */
function reactionOf({ kind, targetSeq, senderId, value, on }: Item): TimelineWrite['reaction'] {
  if (kind !== 'reacted' || targetSeq === null) return null
  return { target: targetSeq, member: `${targetSeq}:${senderId}:${value}`, on: on === true }
}
