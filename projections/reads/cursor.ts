/** Places in the conversation list as opaque text: pinned ones first, then newest first, then by id, so that no two are equal. Pure. */
import { limits } from '../../schemas/limits.ts'

export interface Place {
  readonly pinned: boolean
  readonly time: number
  readonly conversationId: string
}

export const cursorText = ({ pinned, time, conversationId }: Place): string =>
  `${pinned ? 1 : 0}.${time}.${conversationId}`

const CURSOR = /^([01])\.(0|[1-9]\d{0,15})\.([\s\S]+)$/

/** Null for what is no cursor: the list then begins at its top. */
export function parseCursor(text: string | null | undefined): Place | null {
  const found = text && text.length <= limits.cursorCharsMax ? CURSOR.exec(text) : null
  return found && { pinned: found[1] === '1', time: Number(found[2]), conversationId: found[3] as string }
}

/** Whether `a` stands below `b`. */
export function isAfter(a: Place, b: Place): boolean {
  if (a.pinned !== b.pinned) return b.pinned
  if (a.time !== b.time) return a.time < b.time
  return a.conversationId > b.conversationId
}
