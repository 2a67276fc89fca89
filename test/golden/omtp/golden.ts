/** Golden frames: each line a frame and its bytes in each encoding, as they went out to the world. */
import { readFileSync } from 'node:fs'
import { encodeOmtp } from '../../../gateway/frames/omtp/encode.ts'
import type { ClientFrame, ServerFrame } from '../../../schemas/frames.ts'
import { NIL, type PayloadEncoding, uuidBytes } from '../../../schemas/omtp/header.ts'
import { serverShapes } from '../../../schemas/omtp/shape.ts'
import { clientBytes, idPackId } from '../../support/omtp.ts'

export type Side = 'client' | 'server'
export interface Golden {
  readonly side: Side
  readonly frame: ClientFrame | ServerFrame
  readonly hex: Readonly<Record<PayloadEncoding, string>>
}

export const goldenFile = new URL('./frames.jsonl', import.meta.url)

/** Bytes stand in JSON as Node writes them. */
const revive = (_key: string, value: unknown): unknown => {
  const { type, data } = (value ?? {}) as { type?: unknown; data?: unknown }
  return type === 'Buffer' && Array.isArray(data) ? Buffer.from(data as number[]) : value
}

export const golden = (): Golden[] =>
  readFileSync(goldenFile, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line, revive) as Golden)

/** As the code of today writes it. */
export function bytesOf(
  { side, frame: written }: Pick<Golden, 'side' | 'frame'>,
  encoding: PayloadEncoding,
): Buffer {
  const frame = JSON.parse(JSON.stringify(written), revive) as ClientFrame | ServerFrame
  if (side === 'client') return clientBytes(frame as ClientFrame, { encoding })
  const { packId = null, id = null } = frame as { packId?: string | null; id?: number | null }
  const header = serverShapes.get(frame.type)?.inHeader
  const own = header === 'packId' ? uuidBytes(packId) : header === 'id' && id !== null ? idPackId(id) : null
  const named =
    frame.type === 'event' ? uuidBytes((frame as { item: { packId: string | null } }).item.packId) : NIL
  return encodeOmtp(frame as ServerFrame, own ?? named, { encoding, deflate: false })
}
