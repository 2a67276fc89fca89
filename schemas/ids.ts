import { limits } from './limits.ts'

/**
 * Stream ids. `p2p:<a>:<b>` (ids sorted bytewise), `g:<groupId>`, `r:<roomId>`, `u:<userId>`. Ids are
 * `[A-Za-z0-9_.-]{1,64}`, case-sensitive; display names are separate, since real names hold braces, brackets and spaces.
 */
const ID = new RegExp(`^[A-Za-z0-9_.-]{1,${limits.idCharsMax}}$`)

export type StreamRef =
  | { readonly kind: 'p2p'; readonly users: readonly [string, string] }
  | { readonly kind: 'group'; readonly groupId: string }
  /** A live room: who is in it only gateways know, of their own connections. */
  | { readonly kind: 'room'; readonly roomId: string }
  | { readonly kind: 'user'; readonly userId: string }

export const isId = (value: unknown): value is string => typeof value === 'string' && ID.test(value)

/** Conversation of two users. The alphabet is ASCII, so comparing UTF-16 units is comparing bytes. Equal ids are a note to oneself. */
export const p2pId = (a: string, b: string): string => (a < b ? `p2p:${a}:${b}` : `p2p:${b}:${a}`)
export const groupStream = (groupId: string): string => `g:${groupId}`
export const roomStream = (roomId: string): string => `r:${roomId}`
export const isRoom = (stream: string): boolean => stream.startsWith('r:')
export const userStream = (userId: string): string => `u:${userId}`

/** Parses a stream id; null when it is not one in its only spelling. */
export function parseStream(stream: string): StreamRef | null {
  const parts = stream.split(':')
  const [prefix, a, b] = parts
  if (prefix === 'p2p' && parts.length === 3 && isId(a) && isId(b) && a <= b)
    return { kind: 'p2p', users: [a, b] }
  if (parts.length !== 2 || !isId(a)) return null
  if (prefix === 'g') return { kind: 'group', groupId: a }
  if (prefix === 'r') return { kind: 'room', roomId: a }
  if (prefix === 'u') return { kind: 'user', userId: a }
  return null
}

/** A new group's id follows from its creator and the command's packId, so that a retry meets the same stream. 32 hex digits. */
export function newGroupId(creator: string, packId: Buffer): string {
  // FNV-1a over the creator keeps two creators with one packId apart; the packId itself carries 74 random bits.
  let hash = 0xcbf29ce484222325n
  for (const byte of Buffer.from(creator, 'utf8'))
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n)
  const id = Buffer.from(packId)
  id.writeBigUInt64BE(id.readBigUInt64BE(8) ^ hash, 8)
  return id.toString('hex')
}

/** Time in ms that a UUIDv7 carries in its first 48 bits (RFC 9562, section 5.7). */
export const packIdTime = (packId: Buffer): number => packId.readUIntBE(0, 6)

/** 16 bytes as `xxxxxxxx-xxxx-7xxx-…`. */
export function formatPackId(packId: Buffer): string {
  const hex = packId.toString('hex', 0, 16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

const PACK_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** Bytes of a UUIDv7 in its lower-case text form; null for anything else. */
export const parsePackId = (text: unknown): Buffer | null =>
  typeof text === 'string' && PACK_ID.test(text) ? Buffer.from(text.replaceAll('-', ''), 'hex') : null

/**
 * Partition of a stream: Kafka's default partitioner (murmur2 of the key, sign bit cleared, modulo), so that other
 * clients agree.
 */
export function partitionOf(stream: string, partitions: number): number {
  return (murmur2(Buffer.from(stream, 'utf8')) & 0x7fffffff) % partitions
}

function murmur2(data: Buffer): number {
  const m = 0x5bd1e995
  let h = 0x9747b28c ^ data.length
  let at = 0
  for (; at + 4 <= data.length; at += 4) {
    let k = Math.imul(data.readInt32LE(at), m)
    k ^= k >>> 24
    h = Math.imul(h, m) ^ Math.imul(k, m)
  }
  const rest = data.length - at
  if (rest >= 3) h ^= data.readUInt8(at + 2) << 16
  if (rest >= 2) h ^= data.readUInt8(at + 1) << 8
  if (rest >= 1) h = Math.imul(h ^ data.readUInt8(at), m)
  h = Math.imul(h ^ (h >>> 13), m)
  return h ^ (h >>> 15)
}
