/** Messages pinned for all in a conversation: as read, and as told since. */
import type { Message, Pinned } from '../../client/index.ts'
import type { GroupState } from './group-state.ts'

export interface Pins {
  isPinned(seq: number): boolean
  /** Newest first; those that are not known yet are read and come later. */
  messages(): readonly Message[]
  apply(change: Pinned): void
  /** A recall unpins. */
  recalled(seq: number): void
}

export function createPins(
  group: GroupState,
  messageAt: (seq: number) => Message | null,
  read: (seq: number) => void,
): Pins {
  /** Told in order, so that it is never older than what was read. */
  const told = new Map<number, boolean>()

  function seqs(): number[] {
    const all = new Set(group.group()?.pinned ?? [])
    for (const [seq, on] of told) {
      if (on) all.add(seq)
      else all.delete(seq)
    }
    return [...all].sort((a, b) => b - a)
  }
  return {
    isPinned: (seq) => told.get(seq) ?? group.group()?.pinned.includes(seq) ?? false,
    messages: () =>
      seqs().flatMap((seq) => {
        const message = messageAt(seq)
        if (!message) read(seq)
        return message?.content ? [message] : []
      }),
    apply({ targetSeq, on }) {
      told.set(targetSeq, on)
    },
    recalled(seq) {
      told.set(seq, false)
    },
  }
}
