/** Broken frames out of good ones: every golden frame of a client in every encoding, compressed or not. */
import { deflateRawSync } from 'node:zlib'
import { FLAG_DEFLATE, FRAME_BYTES_MIN, payloadEncodings } from '../../schemas/omtp/header.ts'
import { golden } from '../golden/omtp/golden.ts'
import type { Random } from '../support/random.ts'

export function corpus(): readonly Buffer[] {
  return golden()
    .filter(({ side }) => side === 'client')
    .flatMap(({ hex }) => payloadEncodings.map((encoding) => Buffer.from(hex[encoding], 'hex')))
    .flatMap((frame) => [frame, compressed(frame)])
}

function compressed(frame: Buffer): Buffer {
  const payload = deflateRawSync(frame.subarray(FRAME_BYTES_MIN))
  const bytes = Buffer.concat([frame.subarray(0, FRAME_BYTES_MIN), payload])
  bytes.writeUInt32BE(bytes.length, 0)
  bytes.writeUInt32BE(bytes.readUInt32BE(8) | FLAG_DEFLATE, 8)
  return bytes
}

/** Values at which readers of lengths and numbers go wrong. */
const EDGES = [0, 1, 3, 27, 28, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]

type Mutation = (bytes: Buffer, random: Random, others: readonly Buffer[]) => Buffer
const at = (bytes: Buffer, random: Random): number => random.int(Math.max(1, bytes.length))
const cut = (bytes: Buffer, from: number, to: number, instead: Buffer): Buffer =>
  Buffer.concat([bytes.subarray(0, from), instead, bytes.subarray(to)])

const mutations: readonly Mutation[] = [
  // a bit
  (bytes, random) => {
    const place = at(bytes, random)
    return cut(bytes, place, place + 1, Buffer.from([(bytes[place] ?? 0) ^ (1 << random.int(8))]))
  },
  // a byte
  (bytes, random) => {
    const place = at(bytes, random)
    return cut(bytes, place, place + 1, Buffer.from([random.int(256)]))
  },
  // bytes that come in between
  (bytes, random) => {
    const place = at(bytes, random)
    return cut(bytes, place, place, Buffer.alloc(1 + random.int(8), random.int(256)))
  },
  // bytes that go
  (bytes, random) => {
    const place = at(bytes, random)
    return cut(bytes, place, place + 1 + random.int(8), Buffer.alloc(0))
  },
  // an end that is missing
  (bytes, random) => bytes.subarray(0, at(bytes, random)),
  // a part that stands twice
  (bytes, random) => {
    const [from, length] = [at(bytes, random), 1 + random.int(64)]
    return cut(bytes, from, from, bytes.subarray(from, from + length))
  },
  // the rest of another frame
  (bytes, random, others) => {
    const other = others[random.int(others.length)] ?? bytes
    return Buffer.concat([bytes.subarray(0, at(bytes, random)), other.subarray(at(other, random))])
  },
  // an edge where a number may stand
  (bytes, random) => {
    const place = at(bytes, random)
    const edge = Buffer.alloc(4)
    edge.writeUInt32BE(EDGES[random.int(EDGES.length)] ?? 0)
    return cut(bytes, place, place + 4, edge)
  },
  // another type, version or flag
  (bytes, random) => {
    const place = 4 + random.int(8)
    return cut(bytes, place, place + 1, Buffer.from([random.int(256)]))
  },
]

/** `honest`: its Length is made right again, so that what lies behind it is reached. */
export function mutated(frames: readonly Buffer[], random: Random, honest: boolean): Buffer {
  let bytes: Buffer = frames[random.int(frames.length)] ?? Buffer.alloc(0)
  for (let left = 1 + random.int(4); left > 0; left--)
    bytes = mutations[random.int(mutations.length)]?.(bytes, random, frames) ?? bytes
  if (!honest || bytes.length < FRAME_BYTES_MIN) return bytes
  const fixed = Buffer.from(bytes)
  fixed.writeUInt32BE(fixed.length, 0)
  return fixed
}
