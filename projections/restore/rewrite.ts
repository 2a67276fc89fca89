/**
 * Writes im.events anew from the archive, by the rules that every writer of it keeps: claim, fold what stands there, go on behind it.
 * So a rewriter that was interrupted is followed by another, and what the first one still sends no longer counts.
 */
import { claimRecord } from '../../processors/sequencer/owner.ts'
import { type Position, START } from '../../schemas/accept.ts'
import { sealEnvelope } from '../../schemas/codec.ts'
import { partitionOf } from '../../schemas/ids.ts'
import { limits } from '../../schemas/limits.ts'
import { type Appender, Fault, type LogStore, type NewRecord } from '../../schemas/ports.ts'
import { readRecord } from '../../schemas/read.ts'
import { topics } from '../../schemas/topics.ts'
import { scan } from '../scan.ts'
import type { Archive, Stretch } from './archive.ts'
import { merged, type Pages } from './merge.ts'
import { type ArchivedRecord, type ContentHash, contentHash, restamp } from './restamp.ts'

export interface RewriteOptions {
  readonly store: LogStore
  readonly archive: Pick<Archive, 'page'>
  readonly stretches: readonly Stretch[]
  /** Of the new im.events, which stands and holds nothing but what an earlier rewriter of this generation wrote. */
  readonly partitions: number
  readonly generation: number
  /** Name of the rewriter, for its claims. */
  readonly owner: string
  readonly signal?: AbortSignal
  /** Of one append. Default 1,000. */
  readonly batchRecordsMax?: number
  /** Told now and then how many records are done with. */
  readonly progress?: (phase: 'write' | 'verify', done: number) => void
}

export interface Rewritten {
  readonly records: number
  /** Of them, those that an interrupted restore had written already. */
  readonly found: number
}

/** Of one new partition. */
interface Target {
  readonly epoch: number
  /** Records that stand in the log already. */
  readonly found: number
  readonly hash: ContentHash
  waiting: NewRecord[]
  bytes: number
  sent: Promise<unknown>
}

const BATCH_RECORDS = 1_000
const BATCH_BYTES_MAX = 400_000
/** On their way of all partitions together: below what an appender takes. */
const BATCHES_BYTES = limits.appendBufferBytesMax / 2
/** Held of all partitions together, roughly. */
const PAGES_BYTES = 48_000_000
const PAGE_RECORDS_MAX = 5_000
const APPEND_MS_MAX = 30_000

/**
 * Resolves when all records of the archive stand in im.events and were read back. Rejects with Fault `not_restored` where the log
 * does not come out as it should; nothing is then to be called complete.
 */
export async function rewrite(options: RewriteOptions): Promise<Rewritten> {
  const { store, generation, partitions, signal } = options
  const batchMax = options.batchRecordsMax ?? BATCH_RECORDS
  const bytesMax = Math.min(BATCH_BYTES_MAX, BATCHES_BYTES / partitions)
  const appender = await store.appender('restore', { failQueuedOnError: true, timeoutMs: APPEND_MS_MAX })
  try {
    const targets = await claimAll(appender, options)
    const seqs = new Map<string, number>()
    let records = 0
    for await (const chunk of merged(pagesOf(options))) {
      if (signal?.aborted) throw new Fault('aborted', 'stopped before the end', { retriable: true })
      for (const record of chunk) {
        follow(seqs, record)
        const partition = partitionOf(record.stream, partitions)
        const target = targets[partition] as Target
        const source = target.hash.count()
        target.hash.add(record)
        if (source < target.found) continue
        const envelope = restamp(record, { generation, epoch: target.epoch, source })
        const value = sealEnvelope(envelope)
        target.waiting.push({ key: record.stream, value })
        target.bytes += value.length
        if (target.waiting.length >= batchMax || target.bytes >= bytesMax)
          await send(appender, partition, target)
      }
      records += chunk.length
      options.progress?.('write', records)
    }
    for (const [partition, target] of targets.entries()) await send(appender, partition, target)
    await Promise.all(targets.map(({ sent }) => sent))
    await verify(targets, options)
    return { records, found: targets.reduce((sum, { found }) => sum + found, 0) }
  } finally {
    await appender.close()
  }
}

/** Claims every partition and folds up to the claim: what counts there needs no second writing. */
async function claimAll(appender: Appender, options: RewriteOptions): Promise<Target[]> {
  const { generation, owner, partitions } = options
  const value = sealEnvelope(claimRecord(generation, 0, owner))
  const epochs = await Promise.all(
    Array.from({ length: partitions }, (_, partition) =>
      appender.append(topics.events, partition, { key: null, value }),
    ),
  )
  const positions = await readBack(options, (partition) => (epochs[partition] ?? 0) + 1)
  return epochs.map((epoch, partition): Target => {
    const { last } = positions[partition] as Position
    return {
      epoch,
      found: last + 1,
      hash: contentHash(),
      waiting: [],
      bytes: 0,
      sent: Promise.resolve(),
    }
  })
}

/** One request in flight per partition; the next batch fills meanwhile. */
async function send(appender: Appender, partition: number, target: Target): Promise<void> {
  await target.sent
  const { waiting } = target
  if (waiting.length === 0) return
  target.waiting = []
  target.bytes = 0
  target.sent = appender.appendBatch(topics.events, partition, waiting)
  // Awaited with the next batch; until then nobody listens.
  target.sent.catch(() => {})
}

/** The archive was found gapless before; one that changed since must not become a log. */
function follow(seqs: Map<string, number>, { kind, stream, seq }: ArchivedRecord): void {
  if (kind !== 'event') return
  const next = (seqs.get(stream) ?? 0) + 1
  if (seq !== next) throw unfit(`${stream}: the archive goes on with seq ${seq}, ${next} was to come`)
  seqs.set(stream, seq)
}

/** Reads the log from its beginning as any reader does: it must hold exactly what the archive held, in order. */
async function verify(targets: readonly Target[], options: RewriteOptions): Promise<void> {
  const read = targets.map(() => contentHash())
  let done = 0
  const positions = await readBack(options, undefined, (partition, record) => {
    read[partition]?.add(record)
    if (++done % 10_000 === 0) options.progress?.('verify', done)
  })
  for (const [partition, { epoch, hash }] of targets.entries()) {
    const [position, found] = [positions[partition] as Position, read[partition] as ContentHash]
    if (position.epoch !== epoch)
      throw unfit(`im.events/${partition} was claimed by another restore meanwhile`)
    if (found.count() !== hash.count() || found.digest() !== hash.digest())
      throw unfit(
        `im.events/${partition} holds ${found.count()} records where the archive has ${hash.count()}, or others`,
      )
  }
}

type OnAccepted = (partition: number, record: Parameters<ContentHash['add']>[0]) => void

/** Positions behind what counts in im.events, up to `until` or its end. */
async function readBack(
  { store, partitions, generation, signal }: RewriteOptions,
  until?: (partition: number) => number,
  accepted?: OnAccepted,
): Promise<Position[]> {
  const positions: Position[] = Array.from({ length: partitions }, () => START)
  await scan({
    store,
    topic: topics.events,
    partitions,
    ...(until ? { until } : {}),
    ...(signal ? { signal } : {}),
    take(partition, records) {
      for (const record of records) {
        const read = readRecord(positions[partition] as Position, record)
        if (read.verdict === 'missed-claim')
          throw unfit(`record ${record.offset} of im.events/${partition} names a claim that is not there`)
        positions[partition] = read.next
        if (read.verdict === 'accept' && read.envelope) accepted?.(partition, read.envelope)
        if (read.next.generation > generation)
          throw unfit(`im.events/${partition} is of generation ${read.next.generation} already`)
      }
    },
  })
  return positions
}

/** Each partition's generations one after the other, page by page. */
function pagesOf({ archive, stretches }: RewriteOptions): Pages<ArchivedRecord>[] {
  const byPartition = Map.groupBy(stretches, ({ partition }) => partition)
  const total = stretches.reduce((sum, { records }) => sum + records, 0)
  const bytes = stretches.reduce((sum, one) => sum + one.bytes, 0)
  const recordBytes = 300 + bytes / Math.max(1, total)
  const fitting = Math.floor(PAGES_BYTES / byPartition.size / recordBytes)
  const max = Math.max(50, Math.min(PAGE_RECORDS_MAX, fitting))
  return [...byPartition].map(([partition, ofPartition]) => {
    const generations = ofPartition.map(({ generation }) => generation).sort((a, b) => a - b)
    let at = 0
    let source = -1
    return async () => {
      for (; at < generations.length; at++, source = -1) {
        const page = await archive.page(partition, { generation: generations[at] as number, source }, max)
        source = page.at(-1)?.source ?? source
        if (page.length > 0) return page
      }
      return []
    }
  })
}

const unfit = (message: string) => new Fault('not_restored', message, { retriable: false })
