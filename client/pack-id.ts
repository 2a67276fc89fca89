/** Ids of commands, without Buffer so that a browser bundle stays small. */

export interface PackIds {
  /** The next id: a UUIDv7 (RFC 9562) of this server time, greater than all before it. */
  next(serverTimeMs: number): string
  /** Forgets how far it was: after the server's clock turned out to be behind. */
  reset(): void
}

/** `random` gives that many random bytes. */
export function packIds(random: (bytes: number) => Uint8Array): PackIds {
  let lastMs = 0
  let counter = 0
  return {
    next(serverTimeMs) {
      const ms = Math.max(0, Math.floor(serverTimeMs))
      const bytes = random(10)
      if (ms > lastMs) {
        lastMs = ms
        // Begins in the lower half, so that many ids of one ms have room.
        counter = (((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0)) & 0x7ff
      } else {
        counter += 1
        if (counter > 0xfff) {
          lastMs += 1
          counter = 0
        }
      }
      const time = lastMs.toString(16).padStart(12, '0')
      const variant = (((bytes[2] ?? 0) & 0x3f) | 0x80).toString(16)
      let tail = variant
      for (let i = 3; i < 10; i++) tail += (bytes[i] ?? 0).toString(16).padStart(2, '0')
      const middle = `7${counter.toString(16).padStart(3, '0')}`
      return `${time.slice(0, 8)}-${time.slice(8)}-${middle}-${tail.slice(0, 4)}-${tail.slice(4)}`
    },
    reset() {
      lastMs = 0
    },
  }
}

/** The stream of the group that this command creates; the same rule as the server's, so that it can be looked up. */
export function groupStreamOf(creator: string, packId: string): string {
  let hash = 0xcbf29ce484222325n
  // Ids are ASCII: UTF-16 units are bytes.
  for (let i = 0; i < creator.length; i++)
    hash = BigInt.asUintN(64, (hash ^ BigInt(creator.charCodeAt(i))) * 0x100000001b3n)
  const hex = packId.replaceAll('-', '')
  const low = BigInt(`0x${hex.slice(16)}`) ^ hash
  return `g:${hex.slice(0, 16)}${low.toString(16).padStart(16, '0')}`
}

const POOL_BYTES = 4_096
let pool = new Uint8Array(0)
let used = 0

/** Random bytes from the runtime's generator, drawn in blocks. */
export function randomBytes(bytes: number): Uint8Array {
  if (used + bytes > pool.length) {
    pool = crypto.getRandomValues(new Uint8Array(POOL_BYTES))
    used = 0
  }
  used += bytes
  return pool.subarray(used - bytes, used)
}
