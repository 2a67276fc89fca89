/** From a record as the archive keeps it to the same record in a log of a later generation. Pure. */
import { createHash, type Hash } from 'node:crypto'
import type { Envelope } from '../../schemas/records.ts'

/** An accepted record as `events` holds it. */
export interface ArchivedRecord {
  readonly generation: number
  readonly partition: number
  readonly source: number
  readonly kind: Exclude<Envelope['kind'], 'claim'>
  readonly stream: string
  readonly seq: number
  readonly ordinal: number
  /** In ms. */
  readonly time: number
  readonly trace: Buffer | null
  readonly schema: Buffer
  readonly payload: Buffer
}

/** Its place in the new log. */
export interface Place {
  readonly generation: number
  readonly epoch: number
  readonly source: number
}

/**
 * What says where it stands is new, all else stays, so that hashes over payload, stream and seq do too. Nobody waits for the answer
 * any more.
 */
export const restamp = (record: ArchivedRecord, { generation, epoch, source }: Place): Envelope => ({
  kind: record.kind,
  generation,
  epoch,
  source,
  stream: record.stream,
  seq: record.seq,
  ordinal: record.ordinal,
  time: record.time,
  schema: record.schema,
  trace: record.trace,
  reply: null,
  payload: record.payload,
})

/** A running hash over what a restore must not change, in order. */
export interface ContentHash {
  add(
    record: Pick<Envelope, 'kind' | 'stream' | 'seq' | 'ordinal' | 'time' | 'trace' | 'schema' | 'payload'>,
  ): void
  count(): number
  digest(): string
}

export function contentHash(): ContentHash {
  const hash: Hash = createHash('sha256')
  let count = 0
  return {
    add({ kind, stream, seq, ordinal, time, trace, schema, payload }) {
      count++
      const trail = trace?.toString('hex') ?? ''
      hash.update(`${kind} ${stream} ${seq} ${ordinal} ${time} ${trail} ${payload.length} `)
      hash.update(schema)
      hash.update(payload)
    },
    count: () => count,
    digest: () => hash.copy().digest('hex'),
  }
}

/** As the column `record_hash` of `events`: the first eight bytes, least significant first. */
export function recordHash({ stream, seq, payload }: Pick<Envelope, 'stream' | 'seq' | 'payload'>): bigint {
  const hash = createHash('sha256')
  hash.update(`${stream} ${seq} `)
  hash.update(payload)
  return hash.digest().readBigUInt64LE()
}
