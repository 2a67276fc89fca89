/** Immutable facts of one message, from the timeline or the archive. */
import { parsePackId } from '../../schemas/ids.ts'
import type { Target } from '../../schemas/records.ts'
import { mayRead } from '../directory/membership.ts'
import type { TargetAnswer } from '../reads.ts'
import { itemFrom } from '../timeline/element.ts'
import {
  archiveAccess,
  couldRead,
  liveAccess,
  orDown,
  readLive,
  type Sources,
  unavailable,
} from './sources.ts'

const NONE: TargetAnswer = { partial: false, target: null }

export async function target(
  sources: Sources,
  user: string,
  stream: string,
  seq: number,
): Promise<TargetAnswer> {
  if (!couldRead(user, stream)) return NONE
  const { live } = sources
  const read = await orDown(
    readLive(sources, async () => ({
      ...(await liveAccess(sources, user, stream)),
      window: await live.elements(stream, seq, seq),
    })),
  )
  if (!read) return olderTarget(sources, user, stream, seq, true)
  const { head, intervals, unsure, window } = read.value
  const sure = read.complete && !unsure
  if (!mayRead(intervals, seq)) return sure ? NONE : olderTarget(sources, user, stream, seq, true)
  const element = window.elements[0]
  if (element !== undefined) {
    const found = targetIn(element, seq)
    // An event whose content is no longer kept looks like one that may not be seen: the archive knows its facts.
    return found || !element.includes('"kind":"hidden"')
      ? { partial: false, target: found }
      : olderTarget(sources, user, stream, seq, false)
  }
  if (head && seq > head.seq) return { partial: !sure, target: null }
  if (seq > window.applied) return { partial: true, target: null }
  return olderTarget(sources, user, stream, seq, false)
}

function targetIn(element: string, seq: number): Target | null {
  const { kind, ordinal, senderId, time, packId } = itemFrom(element)
  const id = kind === 'message' ? parsePackId(packId) : null
  return id && { seq, ordinal, sender: senderId, time, packId: id }
}

/** `checked`: whether the archive must say, too, that this user may read it. */
async function olderTarget(
  sources: Sources,
  user: string,
  stream: string,
  seq: number,
  checked: boolean,
): Promise<TargetAnswer> {
  const { archive, archiveGuard } = sources
  if (checked) {
    const access = await archiveAccess(sources, user, stream)
    if (!access) throw unavailable()
    if (!mayRead(access.intervals, seq)) return { partial: true, target: null }
  }
  const found = await orDown(
    archiveGuard(async () => ({
      // In this order: what the archive had before the search, it has searched.
      head: await archive.head(stream),
      target: await archive.target(stream, seq),
    })),
  )
  if (!found) throw unavailable()
  return { partial: found.target === null && (found.head?.seq ?? 0) < seq, target: found.target }
}
