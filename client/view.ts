/** The messages of one conversation, whatever the order in which events and pages come in. Pure. */
import type { ConversationView, Edited, Handlers, Message, Reaction, Recalled, ViewEvent } from './api.ts'
import { withEdit, withRecall } from './messages.ts'

/** All that is known of one seq. */
interface Slot {
  /** As told or read with the latest change in it. */
  message: Message | null
  edited: Edited | null
  recalled: Recalled | null
  /** As the server counted them when the conversation had come to `countedAt`. */
  counted: readonly Reaction[]
  countedAt: number
  /** Told one by one: emoji → user → seq → put on or taken off. */
  reacted: Map<string, Map<string, Map<number, boolean>>> | null
  /** What all of this makes; null: not made yet. */
  shown: Message | null
}

/**
 * Reactions told one by one count on top of those of the newest page. Where a page counted one that was never told, and its
 * user then puts on the same again, it counts twice until the next page; one's own never do.
 */
export function conversationView(conversationId: string, userId: string): ConversationView {
  const slots = new Map<number, Slot>()
  let list: Message[] | null = null

  /** The slot, to be changed. */
  function slotAt(seq: number): Slot {
    let slot = slots.get(seq)
    if (!slot) {
      const known = { message: null, edited: null, recalled: null, reacted: null, shown: null }
      slot = { ...known, counted: [], countedAt: 0 }
      slots.set(seq, slot)
    }
    slot.shown = null
    list = null
    return slot
  }

  function add(message: Message, countedAt: number): void {
    const slot = slotAt(message.seq)
    if (!slot.message || (message.changedBy ?? 0) > (slot.message.changedBy ?? 0)) slot.message = message
    if (countedAt < slot.countedAt) return
    slot.counted = message.reactions
    slot.countedAt = countedAt
  }

  const takes: { [E in ViewEvent]: (value: Parameters<Handlers[E]>[0]) => void } = {
    // Reactions to it come later in the stream.
    message: (message) => add(message, message.seq),
    recalled(change) {
      slotAt(change.targetSeq).recalled = change
    },
    edited(change) {
      const slot = slotAt(change.targetSeq)
      if (change.seq > (slot.edited?.seq ?? 0)) slot.edited = change
    },
    reaction({ targetSeq, emoji, byUserId, seq, on }) {
      const slot = slotAt(targetSeq)
      slot.reacted ??= new Map()
      const users = slot.reacted.get(emoji) ?? new Map<string, Map<number, boolean>>()
      slot.reacted.set(emoji, users)
      users.set(byUserId, (users.get(byUserId) ?? new Map<number, boolean>()).set(seq, on))
    },
    conversation({ reason }) {
      if (reason !== 'reset') return
      for (const seq of slots.keys()) slotAt(seq).message = null
    },
  }

  function shownOf(slot: Slot): Message | null {
    if (slot.shown || !slot.message) return slot.shown
    const message = slot.edited ? withEdit(slot.message, slot.edited) : slot.message
    if (slot.recalled) slot.shown = withRecall(message, slot.recalled)
    else slot.shown = { ...message, reactions: message.content === null ? [] : reactionsOf(slot, userId) }
    return slot.shown
  }

  return {
    conversationId,
    apply(event, value) {
      if (value.conversationId === conversationId) takes[event](value)
    },
    applyPage({ messages, headSeq }) {
      for (const message of messages) if (message.conversationId === conversationId) add(message, headSeq)
    },
    messages() {
      list ??= [...slots.values()].flatMap((slot) => shownOf(slot) ?? []).sort((a, b) => a.seq - b.seq)
      return list
    },
    message(seq) {
      const slot = slots.get(seq)
      return slot ? shownOf(slot) : null
    },
  }
}

/** By emoji, so that their order does not hang on who came first. */
function reactionsOf({ counted, countedAt, reacted }: Slot, userId: string): Reaction[] {
  const byEmoji = new Map(counted.map((reaction) => [reaction.emoji, reaction]))
  for (const [emoji, users] of reacted ?? []) {
    let { count, mine } = byEmoji.get(emoji) ?? { count: 0, mine: false }
    const before = new Map<string, boolean | null>([[userId, mine]])
    for (const [user, events] of users)
      if (user !== userId)
        before.set(
          user,
          newest(events, (seq) => seq <= countedAt),
        )
    // Those that were counted, but nobody told of.
    const unknown = count - [...before.values()].filter((on) => on === true).length
    for (const [user, events] of users) {
      const later = newest(events, (seq) => seq > countedAt)
      if (later === null) continue
      // Whoever first takes it off had it on.
      const first = events.get(Math.min(...[...events.keys()].filter((seq) => seq > countedAt)))
      const was = before.get(user) ?? (unknown > 0 && first === false)
      count += Number(later) - Number(was)
      if (user === userId) mine = later
    }
    byEmoji.set(emoji, { emoji, count, mine })
  }
  return [...byEmoji.values()].filter(({ count }) => count > 0).sort((a, b) => (a.emoji < b.emoji ? -1 : 1))
}

function newest(events: ReadonlyMap<number, boolean>, counts: (seq: number) => boolean): boolean | null {
  let last = 0
  for (const seq of events.keys()) if (counts(seq) && seq > last) last = seq
  return events.get(last) ?? null
}
