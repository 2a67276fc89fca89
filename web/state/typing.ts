/** Who is writing just now, by conversation. */
import type { Client } from '../../client/index.ts'

export interface TypingState {
  in(conversationId: string): readonly string[]
}

/** A hint is good for so long. */
const SHOWN_MS = 6_000

export function createTyping(client: Client, changed: () => void): TypingState {
  const timers = new Map<string, Map<string, ReturnType<typeof setTimeout>>>()

  function stop(conversationId: string, userId: string): void {
    const writing = timers.get(conversationId)
    const timer = writing?.get(userId)
    if (!writing || timer === undefined) return
    clearTimeout(timer)
    writing.delete(userId)
    if (writing.size === 0) timers.delete(conversationId)
    changed()
  }
  client.on('typing', ({ conversationId, userId }) => {
    if (userId === client.userId) return
    stop(conversationId, userId)
    const writing = timers.get(conversationId) ?? new Map<string, ReturnType<typeof setTimeout>>()
    timers.set(conversationId, writing)
    const timer = setTimeout(() => stop(conversationId, userId), SHOWN_MS)
    writing.set(userId, timer)
    changed()
  })
  client.on('message', ({ conversationId, senderId }) => stop(conversationId, senderId))
  return { in: (conversationId) => [...(timers.get(conversationId)?.keys() ?? [])] }
}
