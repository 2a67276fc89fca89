/** Which schemas a record of a topic names, without decoding it: the one it was written with, and that of the payload inside. Pure. */
import { fingerprintAt, fingerprintKey } from './avro.ts'
import { openCommand, openEnvelope } from './codec.ts'
import { records } from './records.ts'

const HEADER_BYTES = 10
const envelope = fingerprintKey(records.Envelope.fingerprint)
const command = fingerprintKey(records.Command.fingerprint)
const delivery = fingerprintKey(records.Delivery.fingerprint)

/** Map keys of fingerprints, the record's own first; none where it begins with none. */
export function schemasNamed(value: Buffer): readonly string[] {
  const outer = fingerprintAt(value)
  if (outer === null) return []
  const at = { value, pos: HEADER_BYTES }
  if (outer === envelope) {
    // kind, generation, epoch, source; stream; seq, ordinal, time
    skipNumbers(at, 4)
    skipBytes(at)
    skipNumbers(at, 3)
    return withInner(outer, at)
  }
  if (outer === command) {
    // stream, packId, sender, device, trace, reply
    skipBytes(at)
    at.pos += 16
    skipBytes(at)
    skipBytes(at)
    if (number(at) === 1) at.pos += 16
    if (number(at) === 1) for (let i = 0; i < 3; i++) skipBytes(at)
    return withInner(outer, at)
  }
  if (outer === delivery) {
    // instance, partition, counter, event
    skipBytes(at)
    skipNumbers(at, 2)
    if (number(at) !== 1) return [outer]
    const length = number(at)
    return [outer, ...schemasNamed(value.subarray(at.pos, at.pos + length))]
  }
  return [outer, ...innerOfAnotherVersion(value)]
}

interface At {
  readonly value: Buffer
  pos: number
}

function withInner(outer: string, { value, pos }: At): string[] {
  return pos + 8 <= value.length ? [outer, value.toString('latin1', pos, pos + 8)] : [outer]
}

function innerOfAnotherVersion(value: Buffer): string[] {
  for (const open of [openCommand, openEnvelope])
    try {
      return [fingerprintKey(open(value).schema)]
    } catch {
      // Not this one, or not known yet.
    }
  return []
}

function skipNumbers(at: At, count: number): void {
  for (let left = count; left > 0 && at.pos < at.value.length; ) if ((at.value[at.pos++] ?? 0) < 0x80) left--
}

function skipBytes(at: At): void {
  const length = number(at)
  at.pos += length
}

/** Of a length or a branch: never beyond what fits a record. */
function number(at: At): number {
  let value = 0
  for (let scale = 1; at.pos < at.value.length; scale *= 128) {
    const byte = at.value[at.pos++] ?? 0
    value += (byte & 0x7f) * scale
    if (byte < 0x80) break
  }
  return Math.max(0, Math.floor(value / 2))
}
