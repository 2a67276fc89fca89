/**
 * Frames of one polling session, in both directions. An HTTP answer may be lost, so what was answered is kept until a later
 * poll confirms it by its position, and is answered again until then; what a client sends again is told by its position too.
 * Owned by its session and changed in place. Pure otherwise.
 */
export interface PollQueue {
  /** Not confirmed, oldest first. */
  frames: Buffer[]
  bytes: number
  /** Position up to which the client holds everything: that before the first of `frames`. */
  confirmed: number
  /** Position up to which frames have been in an answer. */
  answered: number
  /** Frames taken from the client. */
  taken: number
}

export interface QueueLimits {
  readonly framesMax: number
  readonly bytesMax: number
  /** An answer ends before the frame that would bring it over this; one frame it always has. */
  readonly answerBytesMax: number
}

export const newQueue = (): PollQueue => ({ frames: [], bytes: 0, confirmed: 0, answered: 0, taken: 0 })

/** False: full, and the frame was not taken. */
export function enqueue(queue: PollQueue, frame: Buffer, limits: QueueLimits): boolean {
  if (queue.frames.length >= limits.framesMax || queue.bytes + frame.length > limits.bytesMax) return false
  queue.frames.push(frame)
  queue.bytes += frame.length
  return true
}

/** Puts these bytes in the place of those. Not where they have been in an answer: that is answered again as it was. */
export function replace(queue: PollQueue, before: Buffer, after: Buffer): void {
  const at = queue.frames.indexOf(before, queue.answered - queue.confirmed)
  if (at < 0) return
  queue.frames[at] = after
  queue.bytes += after.length - before.length
}

/** The client holds everything up to `after`. False: no answer ever led there, or what follows it is no longer kept. */
export function confirm(queue: PollQueue, after: number): boolean {
  if (after < queue.confirmed || after > queue.answered) return false
  for (const frame of queue.frames.splice(0, after - queue.confirmed)) queue.bytes -= frame.length
  queue.confirmed = after
  return true
}

/** What follows the confirmed position. `cursor` is the position behind it: the next poll's `after`. */
export function answerOf(
  queue: PollQueue,
  limits: QueueLimits,
): { readonly cursor: number; readonly frames: readonly Buffer[] } {
  let count = 0
  let bytes = 0
  for (const frame of queue.frames) {
    bytes += frame.length
    if (count > 0 && bytes > limits.answerBytesMax) break
    count += 1
  }
  const cursor = queue.confirmed + count
  queue.answered = Math.max(queue.answered, cursor)
  return { cursor, frames: queue.frames.slice(0, count) }
}

/**
 * The frames among `frames` that were not taken yet, where `sent` frames came before them (null: the client does not count).
 * Null: some before them never came.
 */
export function takeNew<T>(queue: PollQueue, sent: number | null, frames: readonly T[]): readonly T[] | null {
  const known = sent === null ? 0 : queue.taken - sent
  if (known < 0) return null
  const fresh = frames.slice(known)
  queue.taken += fresh.length
  return fresh
}

/** Forgets what waits: nobody will fetch it. The positions stay those that the client knows. */
export function drop(queue: PollQueue): void {
  queue.frames = []
  queue.bytes = 0
}
