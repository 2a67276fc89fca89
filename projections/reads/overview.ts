/** What a client shows first: the top of the list, and the newest pages of the conversations there. */
import { limits } from '../../schemas/limits.ts'
import type { HistoryAnswer, OverviewAnswer, OverviewRequest, ReadModels } from '../reads.ts'
import { orDown } from './sources.ts'

/** Of one client: a thousand that log in at once share the store's own limit. */
const PAGES_AT_ONCE = 4

export async function overview(
  reads: Pick<ReadModels, 'conversations' | 'history'>,
  user: string,
  ask: OverviewRequest,
): Promise<OverviewAnswer> {
  const list = await reads.conversations(user, { limit: ask.limit ?? null })
  const wanted = Math.max(0, Math.min(ask.pages ?? limits.overviewPagesDefault, limits.overviewPagesMax))
  const ids = list.conversations.slice(0, wanted).map(({ conversationId }) => conversationId)
  const found = new Map<string, HistoryAnswer>()
  let next = 0
  const work = async () => {
    for (let id = ids[next++]; id !== undefined; id = ids[next++]) {
      const page = await orDown(reads.history(user, id, {}))
      // What cannot be read now is left out: the client asks for it when it is opened.
      if (page?.code === null) found.set(id, page)
    }
  }
  await Promise.all(Array.from({ length: PAGES_AT_ONCE }, work))
  const pages = ids.flatMap((conversationId) => {
    const page = found.get(conversationId)
    return page ? [{ conversationId, page }] : []
  })
  return { conversations: list, pages }
}
