/**
 * The frame of OMTP: Length (uint32 big-endian, counts itself), a header of 24 bytes (type uint16, version uint16, flag uint32,
 * packId 16 bytes), the payload. Pure.
 */
export const LENGTH_BYTES = 4
export const HEADER_BYTES = 24
export const FRAME_BYTES_MIN = LENGTH_BYTES + HEADER_BYTES
export const OMTP_VERSION = 1

/** How a payload is written: the lowest four bits of `flag`. */
export const payloadEncodings = ['json', 'protobuf', 'xml', 'tars'] as const
export type PayloadEncoding = (typeof payloadEncodings)[number]
const ENCODING_MASK = 0x0f
/** Raw DEFLATE (RFC 1951). */
export const FLAG_DEFLATE = 0x10
const KNOWN_FLAGS = ENCODING_MASK | FLAG_DEFLATE

export const NIL = Buffer.alloc(16)
export const isNil = (packId: Buffer): boolean => packId.equals(NIL)

export interface Header {
  readonly type: number
  readonly version: number
  readonly flag: number
  /** 16 bytes, of the frame's own memory. */
  readonly packId: Buffer
  readonly payload: Buffer
}

/** Of a frame without its Length; `bytes` must be HEADER_BYTES or more. */
export const parseHeader = (bytes: Buffer): Header => ({
  type: bytes.readUInt16BE(0),
  version: bytes.readUInt16BE(2),
  flag: bytes.readUInt32BE(4),
  packId: bytes.subarray(8, HEADER_BYTES),
  payload: bytes.subarray(HEADER_BYTES),
})

/** Null: bits that nobody has given a meaning yet are set. */
export function parseFlag(flag: number): { encoding: PayloadEncoding; deflated: boolean } | null {
  const encoding = payloadEncodings[flag & ENCODING_MASK]
  if (encoding === undefined || (flag & ~KNOWN_FLAGS) !== 0) return null
  return { encoding, deflated: (flag & FLAG_DEFLATE) !== 0 }
}

export const flagOf = (encoding: PayloadEncoding, deflated: boolean): number =>
  payloadEncodings.indexOf(encoding) | (deflated ? FLAG_DEFLATE : 0)

/** A whole frame, Length included. */
export function frameBytes(type: number, flag: number, packId: Buffer, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(FRAME_BYTES_MIN + payload.length)
  bytes.writeUInt32BE(bytes.length, 0)
  bytes.writeUInt16BE(type, 4)
  bytes.writeUInt16BE(OMTP_VERSION, 6)
  bytes.writeUInt32BE(flag, 8)
  packId.copy(bytes, 12, 0, 16)
  bytes.set(payload, FRAME_BYTES_MIN)
  return bytes
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
/** Bytes of a UUID of any version; nil for what is none. */
export const uuidBytes = (text: string | null): Buffer =>
  text !== null && UUID.test(text) ? Buffer.from(text.replaceAll('-', ''), 'hex') : NIL
