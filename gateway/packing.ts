/** Packs the frames of an overview into a few compressed ones. Compression runs beside the event loop, batch by batch. */
import { promisify } from 'node:util'
import { constants, deflateRaw } from 'node:zlib'
import type { ServerFrame } from '../schemas/frames.ts'
import { limits } from '../schemas/limits.ts'
import { encodeJson } from './frames/json-encode.ts'

const compress = promisify(deflateRaw)

/**
 * The first frame goes in whatever its size; of the others, as many as fit into overviewBytesMax. Frames are encoded only
 * as their batch is filled.
 */
export async function packed(id: number, frames: Iterable<ServerFrame>): Promise<ServerFrame[]> {
  const batches: Buffer[] = []
  let texts: string[] = []
  let bytes = 0
  let total = 0
  const close = async () => {
    const text = Buffer.from(`[${texts.join(',')}]`, 'utf8')
    texts = []
    bytes = 0
    batches.push(await compress(text, { level: constants.Z_BEST_SPEED }))
  }
  for (const frame of frames) {
    const text = encodeJson(frame)
    const size = Buffer.byteLength(text, 'utf8')
    total += size
    if (total > limits.overviewBytesMax && total > size) break
    if (bytes > 0 && bytes + size > limits.packedBytesMax) await close()
    texts.push(text)
    bytes += size
  }
  await close()
  return batches.map((data, i) => ({ type: 'packed', id, last: i === batches.length - 1, data }))
}
