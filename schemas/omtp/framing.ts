/**
 * Cuts a byte stream into OMTP frames, however it was split or merged on the way. Memory grows with the bytes that came, never
 * with the Length that was declared.
 */
import { FRAME_BYTES_MIN, LENGTH_BYTES } from './header.ts'

/** A Length that no frame can have. What follows cannot be told apart any more: the stream is of no use. */
export type BadLength = 'too_short' | 'too_long'

export interface Framing {
  /**
   * `take` gets each complete frame without its Length, valid during the call; false from it ends the reading. Null: go on.
   */
  push(chunk: Buffer, take: (frame: Buffer) => boolean): BadLength | null
  /** Bytes that are held of a frame that is not complete. */
  held(): number
}

const NONE = Buffer.alloc(0)
const CAPACITY_MIN = 64

/** `lengthMax`: greatest Length. */
export function createFraming(lengthMax: number): Framing {
  let memory: Buffer = NONE
  let held = 0
  let dead: BadLength | null = null

  const wrong = (length: number): BadLength | null =>
    length < FRAME_BYTES_MIN ? 'too_short' : length > lengthMax ? 'too_long' : null

  /** Keeps `bytes` behind what is held already; `whole` is what the frame will have. */
  function hold(bytes: Buffer, whole: number): void {
    const needed = held + bytes.length
    if (needed > memory.length) {
      const capacity = Math.min(whole, Math.max(CAPACITY_MIN, 2 * needed))
      // Not from the pool: what stays must not keep a slab of others alive.
      const grown = Buffer.allocUnsafeSlow(Math.max(capacity, needed))
      memory.copy(grown, 0, 0, held)
      memory = grown
    }
    bytes.copy(memory, held)
    held = needed
  }

  /** Completes the held frame out of `chunk`; returns how much of that it took. */
  function fill(chunk: Buffer): number {
    let used = 0
    if (held < LENGTH_BYTES) {
      used = Math.min(chunk.length, LENGTH_BYTES - held)
      hold(chunk.subarray(0, used), CAPACITY_MIN)
      if (held < LENGTH_BYTES) return used
    }
    const length = memory.readUInt32BE(0)
    dead = wrong(length)
    if (dead !== null) return used
    const more = Math.min(chunk.length - used, length - held)
    hold(chunk.subarray(used, used + more), length)
    return used + more
  }

  return {
    held: () => held,
    push(chunk, take) {
      let at = 0
      while (dead === null && at < chunk.length) {
        if (held > 0) {
          at += fill(chunk.subarray(at))
          if (dead !== null || held < LENGTH_BYTES || held < memory.readUInt32BE(0)) continue
          const frame = memory.subarray(LENGTH_BYTES, held)
          memory = NONE
          held = 0
          if (!take(frame)) return null
          continue
        }
        const left = chunk.length - at
        const length = left < LENGTH_BYTES ? null : chunk.readUInt32BE(at)
        dead = length === null ? null : wrong(length)
        if (dead !== null) break
        if (length === null || left < length) {
          hold(chunk.subarray(at), length ?? CAPACITY_MIN)
          break
        }
        const frame = chunk.subarray(at + LENGTH_BYTES, at + length)
        at += length
        if (!take(frame)) return null
      }
      if (dead !== null) {
        memory = NONE
        held = 0
      }
      return dead
    },
  }
}
