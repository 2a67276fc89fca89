/** How many have read the newest message of one's own in the open group: read when it can have changed. */
import type { Client, Conversation } from '../../client/index.ts'
import { refresher } from './refresh.ts'
import type { Thread } from './thread.ts'

export interface ReadCount {
  of(thread: Thread, conversation: Conversation): { readonly seq: number; readonly count: number } | null
}

/** Nothing tells that others have read on; so often it is asked while one looks. */
const EVERY_MS = 10_000

export function createReadCount(client: Client, changed: () => void): ReadCount {
  let asked: { conversationId: string; seq: number } | null = null
  let known: { conversationId: string; seq: number; count: number } | null = null

  const reading = refresher(async () => {
    if (!asked) return false
    const { conversationId, seq } = asked
    try {
      const { count, partial } = await client.readers(conversationId, seq, { limit: 1 })
      known = { conversationId, seq, count }
      changed()
      return partial
    } catch {
      // Shown nowhere then; the menu of the message says why when it is asked.
      return false
    }
  })
  const timer = setInterval(() => {
    if (client.state === 'closed') clearInterval(timer)
    else if (asked && document.visibilityState === 'visible') void reading.now()
  }, EVERY_MS)

  return {
    of(thread, { kind, conversationId }) {
      const own = thread.messages().findLast(({ senderId, content }) => senderId === client.userId && content)
      if (kind !== 'group' || !own) {
        asked = null
        return null
      }
      const { seq } = own
      if (asked?.conversationId !== conversationId || asked.seq !== seq) {
        asked = { conversationId, seq }
        reading.soon()
      }
      return known?.conversationId === conversationId && known.seq === seq ? known : null
    },
  }
}
