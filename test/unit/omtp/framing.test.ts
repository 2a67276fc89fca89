import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createFraming } from '../../../schemas/omtp/framing.ts'
import { FRAME_BYTES_MIN, frameBytes, LENGTH_BYTES, NIL } from '../../../schemas/omtp/header.ts'

const MAX = 4_096

/** What comes out of these pieces, copied: a frame is valid during the call only. */
function read(pieces: readonly Buffer[]): { frames: Buffer[]; bad: string | null; held: number } {
  const framing = createFraming(MAX)
  const frames: Buffer[] = []
  let bad: string | null = null
  for (const piece of pieces)
    bad = framing.push(piece, (frame) => {
      frames.push(Buffer.from(frame))
      return true
    })
  return { frames, bad, held: framing.held() }
}
const frameOf = (payload: Uint8Array): Buffer => frameBytes(1, 0, NIL, payload)
const payloads = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 8 })

describe('a stream of frames', () => {
  test('says the same however it was split and merged', () => {
    fc.assert(
      fc.property(payloads, fc.array(fc.nat(2_000)), (bodies, cuts) => {
        const whole = Buffer.concat(bodies.map(frameOf))
        const places = [0, ...cuts.map((cut) => cut % (whole.length + 1)), whole.length].sort((a, b) => a - b)
        const pieces = places.slice(1).map((end, i) => whole.subarray(places[i], end))
        const expected = bodies.map((body) => frameOf(body).subarray(LENGTH_BYTES))
        expect(read(pieces)).toEqual({ frames: expected, bad: null, held: 0 })
        expect(read([...whole].map((byte) => Buffer.from([byte])))).toEqual({
          frames: expected,
          bad: null,
          held: 0,
        })
      }),
      { numRuns: 500 },
    )
  })

  test('cut off at any byte gives the frames that are whole, and no more', () => {
    const frames = [frameOf(Buffer.from('one')), frameOf(Buffer.alloc(0)), frameOf(Buffer.from('three'))]
    const whole = Buffer.concat(frames)
    for (let end = 0; end <= whole.length; end++) {
      const got = read([whole.subarray(0, end)])
      let left = end
      const complete = frames.filter((frame) => {
        left -= frame.length
        return left >= 0
      })
      expect(got.frames).toEqual(complete.map((frame) => frame.subarray(LENGTH_BYTES)))
      expect(got.bad).toBeNull()
    }
  })

  test('ends at a Length that no frame can have, as soon as its four bytes are there', () => {
    const good = frameOf(Buffer.from('x'))
    for (const [length, bad] of [
      [0, 'too_short'],
      [FRAME_BYTES_MIN - 1, 'too_short'],
      [MAX + 1, 'too_long'],
      [0x7fff_ffff, 'too_long'],
      [0xffff_ffff, 'too_long'],
    ] as const) {
      const four = Buffer.alloc(4)
      four.writeUInt32BE(length)
      for (const pieces of [
        [Buffer.concat([good, four])],
        [good, ...[...four].map((byte) => Buffer.from([byte]))],
        [good.subarray(0, 20), Buffer.concat([good.subarray(20), four, good])],
      ]) {
        const got = read(pieces)
        expect(got.bad, String(length)).toBe(bad)
        expect(got.frames).toHaveLength(1)
      }
    }
  })

  test('takes memory for what came, not for what was declared', () => {
    const framing = createFraming(0xffff_ffff)
    const head = Buffer.alloc(8)
    head.writeUInt32BE(0xfff_ffff)
    const before = process.memoryUsage().arrayBuffers
    expect(framing.push(head, () => true)).toBeNull()
    expect(framing.held()).toBe(8)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000)
  })

  test('is read no further once its reader has had enough', () => {
    const framing = createFraming(MAX)
    let seen = 0
    const three = Buffer.concat([1, 2, 3].map((n) => frameOf(Buffer.from([n]))))
    framing.push(three, () => {
      seen += 1
      return false
    })
    expect(seen).toBe(1)
  })
})
