/** CRC-64-AVRO (Avro 1.11 specification, "Schema Fingerprints"). */
const EMPTY = 0xc15d213aa4d7a795n

const TABLE = Array.from({ length: 256 }, (_, index) => {
  let value = BigInt(index)
  for (let bit = 0; bit < 8; bit++) value = (value >> 1n) ^ (EMPTY & -(value & 1n))
  return BigInt.asUintN(64, value)
})

/** Fingerprint of a schema's Parsing Canonical Form, 8 bytes little-endian as single-object encoding wants it. */
export function fingerprintOf(canonical: string): Buffer {
  let value = EMPTY
  for (const byte of Buffer.from(canonical, 'utf8')) {
    value = (value >> 8n) ^ (TABLE[Number((value ^ BigInt(byte)) & 0xffn)] ?? 0n)
  }
  const out = Buffer.alloc(8)
  out.writeBigUInt64LE(BigInt.asUintN(64, value))
  return out
}
