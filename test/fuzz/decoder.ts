/** Broken frames through framing and codec, as one connection after another would take them. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Decoded } from '../../gateway/frames/frame-codec.ts'
import { createOmtpCodec } from '../../gateway/frames/omtp/connection-codec.ts'
import { codes } from '../../schemas/codes.ts'
import { limits } from '../../schemas/limits.ts'
import { createFraming } from '../../schemas/omtp/framing.ts'
import { FRAME_BYTES_MIN } from '../../schemas/omtp/header.ts'
import type { Random } from '../support/random.ts'
import { corpus, mutated } from './mutate.ts'

export interface DecoderReport {
  readonly frames: number
  readonly decoded: number
  /** By code. */
  readonly refused: Readonly<Record<string, number>>
  readonly ended: number
  readonly crashes: readonly string[]
  readonly perSecond: number
  /** Bytes in use after a collection, at the middle and at the end. */
  readonly heapMiddle: number
  readonly heapEnd: number
  readonly rssMiddle: number
  readonly rssEnd: number
}

/** Frames that one connection takes before the next one comes. */
const PER_CONNECTION = 500
const CRASHES_SHOWN = 10

export async function fuzzDecoder(
  frames: number,
  random: Random,
  progress: (done: number) => void,
): Promise<DecoderReport> {
  const good = corpus()
  const collect = collector()
  const refused: Record<string, number> = {}
  const crashes: string[] = []
  let decoded = 0
  let ended = 0
  let { framing, codec } = connection()
  let heapMiddle = 0
  let rssMiddle = 0
  const began = performance.now()

  function take(bytes: Buffer): boolean {
    const got = codec.decode(bytes)
    if (got.ok) decoded += 1
    else refused[got.code] = (refused[got.code] ?? 0) + 1
    const id = idOf(got)
    // As a session would: each answer closes its request.
    if (id !== null)
      codec.encode({ type: 'error', id, code: 'internal', message: codes.internal.text, retryAfterMs: null })
    return true
  }

  for (let done = 0; done < frames; done++) {
    if (done % PER_CONNECTION === 0) {
      ;({ framing, codec } = connection())
      // zlib ends its streams in a later turn, as a gateway has them: all in one turn would look like a leak.
      await new Promise((resolve) => setImmediate(resolve))
    }
    if (done === Math.floor(frames / 2)) {
      collect()
      heapMiddle = process.memoryUsage().heapUsed
      rssMiddle = process.memoryUsage.rss()
    }
    if (done % 100_000 === 0) progress(done)
    // One in ten breaks the framing itself.
    const bytes = mutated(good, random, random.int(10) > 0)
    try {
      for (let at = 0; at < bytes.length; ) {
        const end = random.int(2) === 0 ? bytes.length : at + 1 + random.int(bytes.length - at)
        if (framing.push(bytes.subarray(at, end), take) !== null) {
          ended += 1
          ;({ framing, codec } = connection())
          break
        }
        at = end
      }
      // What a cut has left open would swallow the frames after it.
      if (framing.held() > 0) ({ framing, codec } = connection())
    } catch (error) {
      if (crashes.length < CRASHES_SHOWN) crashes.push(`${bytes.toString('hex')}: ${String(error)}`)
    }
  }
  const seconds = (performance.now() - began) / 1_000
  collect()
  return {
    frames,
    decoded,
    refused,
    ended,
    crashes,
    perSecond: Math.round(frames / seconds),
    heapMiddle,
    heapEnd: process.memoryUsage().heapUsed,
    rssMiddle,
    rssEnd: process.memoryUsage.rss(),
  }
}

const connection = () => ({
  framing: createFraming(FRAME_BYTES_MIN + limits.frameBytesMax),
  codec: createOmtpCodec(),
})

function idOf(got: Decoded): number | null {
  if (!got.ok) return got.id
  return 'id' in got.frame ? got.frame.id : null
}

/** Node's own collector, by its hidden name. */
function collector(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}
