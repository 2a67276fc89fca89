/** How far a member has something to read: to the head, or to where his membership ended. */
import type { EndAnswer } from '../reads.ts'
import { type LiveAccess, liveAccess, readLive, type Sources, settledHeads } from './sources.ts'

export async function endFor(sources: Sources, user: string, conversationId: string): Promise<EndAnswer> {
  const { value, complete } = await readLive(sources, async () => {
    const access = await liveAccess(sources, user, conversationId)
    if (!access.unsure) return access
    await settledHeads(sources, [conversationId])
    return liveAccess(sources, user, conversationId)
  })
  return { partial: !complete || value.unsure, end: endIn(value) }
}

function endIn({ head, intervals }: LiveAccess): EndAnswer['end'] {
  const last = intervals.at(-1)
  if (!last) return null
  const { seq, ordinal } = head ?? { seq: 0, ordinal: 0 }
  return {
    seq: Math.min(seq, last.toSeq ?? seq),
    ordinal: Math.min(ordinal, last.toOrdinal ?? ordinal),
  }
}
