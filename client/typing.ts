import { limits } from '../schemas/limits.ts'
import type { Clock } from '../schemas/ports.ts'
import type { ClientFrame } from './wire.ts'

const EVERY_MS = 3_000

/** Says that this user types: at most once in 3 s per conversation, and not at all while offline. */
export function createTyping(
  clock: Clock,
  send: (frame: ClientFrame) => boolean,
): (conversationId: string) => void {
  const lastMs = new Map<string, number>()
  return (conversationId) => {
    const now = clock.now()
    if (now - (lastMs.get(conversationId) ?? 0) < EVERY_MS) return
    if (!send({ type: 'typing', conversationId })) return
    if (lastMs.size >= limits.streamsPerConnectionMax) lastMs.clear()
    lastMs.set(conversationId, now)
  }
}
