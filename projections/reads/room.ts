/** The newest items of a live room, for gateways that begin to follow it. */
import type { RoomPage } from '../reads.ts'
import { itemFrom } from '../timeline/element.ts'
import { reaches, readLive, type Sources } from './sources.ts'

/** Certain, where the timeline has come to what the head was when it began: what comes later is delivered to whoever had interest before. */
export async function roomPage(sources: Sources, conversationId: string, limit: number): Promise<RoomPage> {
  const { live } = sources
  const { value, complete } = await readLive(sources, async () => {
    const head = (await live.heads([conversationId])).get(conversationId)?.seq ?? 0
    const reached = await reaches(sources, conversationId, head)
    const applied = (await live.heads([conversationId])).get(conversationId)?.applied ?? 0
    const read = await live.elements(conversationId, applied - limit + 1, applied)
    return { reached, applied, items: read.elements.map(itemFrom) }
  })
  return { partial: !complete || !value.reached, headSeq: value.applied, items: value.items }
}
