/** Numbers that stand for records: pure, and small enough to hold one for each. */
import { hash } from 'node:crypto'

/** 64 bits as two unsigned halves: a BigInt for each record would be most of the work. */
export interface Hash64 {
  readonly high: number
  readonly low: number
}

/** As the archive computes it: the first eight bytes, little-endian, of SHA-256 over stream, seq and payload. Never over positions: it survives a restore. */
export function recordHash(stream: string, seq: number, payload: Buffer): Hash64 {
  const head = Buffer.from(`${stream} ${seq} `, 'utf8')
  const digest = hash('sha256', Buffer.concat([head, payload]), 'buffer')
  return { high: digest.readUInt32LE(4), low: digest.readUInt32LE(0) }
}

/** A content in 16 hex digits. */
export const contentHash = (content: string): string => hash('sha256', content, 'hex').slice(0, 16)

/** Of text that was not made to collide with another: two passes of FNV-1a with a final mix. */
export function textHash(text: string): Hash64 {
  let low = 0x811c9dc5
  let high = 0x9e3779b9
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    low = Math.imul(low ^ unit, 0x01000193)
    high = Math.imul(high ^ unit, 0x85ebca6b)
    high ^= high >>> 15
  }
  return { high: mixed(high ^ Math.imul(low, 0xc2b2ae35)), low: mixed(low ^ (high >>> 7)) }
}

function mixed(value: number): number {
  let h = Math.imul(value ^ (value >>> 16), 0x7feb352d)
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b)
  return (h ^ (h >>> 16)) >>> 0
}

/** Count, exclusive or and sum (modulo 2^64) of hashes: the same for the same set in whatever order. */
export interface Sum {
  count: number
  xorHigh: number
  xorLow: number
  sumHigh: number
  sumLow: number
}

export const emptySum = (): Sum => ({ count: 0, xorHigh: 0, xorLow: 0, sumHigh: 0, sumLow: 0 })

const TWO_32 = 2 ** 32

export function addTo(sum: Sum, { high, low }: Hash64): void {
  sum.count += 1
  sum.xorHigh = (sum.xorHigh ^ high) >>> 0
  sum.xorLow = (sum.xorLow ^ low) >>> 0
  const total = sum.sumLow + low
  sum.sumLow = total >>> 0
  sum.sumHigh = (sum.sumHigh + high + (total >= TWO_32 ? 1 : 0)) >>> 0
}

/** As decimal text, which is how ClickHouse writes a UInt64. */
export const text64 = (high: number, low: number): string =>
  (BigInt(high) * BigInt(TWO_32) + BigInt(low)).toString()

export interface Seen {
  /** True: it was there before, or another of the same fingerprint. */
  add(of: Hash64): boolean
  /** How many were left out of sight: 0 as long as all ever added are remembered. */
  forgotten(): number
}

/** Remembers at least the last `max` fingerprints, in 16 to 32 bytes each: what is newer than that is never missed. */
export function createSeen(max: number): Seen {
  let now = createTable()
  let before: Table | null = null
  let lost = 0
  return {
    add(of) {
      if (before?.has(of) || now.has(of)) return true
      if (now.size() >= max) {
        lost += before?.size() ?? 0
        before = now
        now = createTable()
      }
      now.add(of)
      return false
    },
    forgotten: () => lost,
  }
}

interface Table {
  has(of: Hash64): boolean
  add(of: Hash64): void
  size(): number
}

const FIRST_SLOTS = 1_024

/** Open addressing, at most half full; 0 and 0 stand for an empty slot. */
function createTable(): Table {
  let slots = new Uint32Array(2 * FIRST_SLOTS)
  let size = 0
  const placeOf = ({ high, low }: Hash64): number => {
    const mask = slots.length / 2 - 1
    for (let at = (low ^ Math.imul(high, 0x9e3779b9)) & mask; ; at = (at + 1) & mask) {
      const [h, l] = [slots[2 * at], slots[2 * at + 1]]
      if ((h === 0 && l === 0) || (h === high && l === low)) return 2 * at
    }
  }
  const put = (of: Hash64): void => {
    const at = placeOf(of)
    slots[at] = of.high
    slots[at + 1] = of.low
  }
  const grow = (): void => {
    const old = slots
    slots = new Uint32Array(2 * old.length)
    for (let i = 0; i < old.length; i += 2) {
      const of = { high: old[i] as number, low: old[i + 1] as number }
      if (of.high !== 0 || of.low !== 0) put(of)
    }
  }
  return {
    has: (of) => {
      const at = placeOf(of)
      return slots[at] === of.high && slots[at + 1] === of.low && (of.high !== 0 || of.low !== 0)
    },
    add(of) {
      if (4 * (size + 1) > slots.length) grow()
      put(of)
      size += 1
    },
    size: () => size,
  }
}
