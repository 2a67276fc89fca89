/** The newest items of every stream, current versions, with an index of changes. */

import type { Item } from '../../schemas/frames.ts'
import { hiddenItem, itemOf } from '../../schemas/item.ts'
import type { Accepted, Projection } from '../projection.ts'
import { editedTail, elementOf, recalledTail } from './element.ts'

export interface TimelineWrite {
  readonly stream: string
  readonly seq: number
  readonly ordinal: number
  readonly time: number
  readonly message: boolean
  readonly element: string
  readonly change: { readonly target: number; readonly kind: 'e' | 'r'; readonly tail: string } | null
}

export const timeline: Projection<TimelineWrite> = {
  name: 'timeline',
  project({ envelope, payload }: Accepted) {
    if (envelope.kind !== 'event') return []
    const { stream, seq, ordinal, time } = envelope
    // What cannot be decoded keeps its seq: a hole would look like a loss for ever.
    const item = (payload && itemOf(envelope, payload)) ?? hiddenItem(stream, seq)
    const element = elementOf(item)
    return [{ stream, seq, ordinal, time, message: item.kind === 'message', element, change: changeOf(item) }]
  },
}

function changeOf(item: Item): TimelineWrite['change'] {
  if (item.targetSeq === null) return null
  if (item.kind === 'edited') return { target: item.targetSeq, kind: 'e', tail: editedTail(item) }
  if (item.kind === 'recalled') return { target: item.targetSeq, kind: 'r', tail: recalledTail(item.seq) }
  return null
}
