/** Reads stretches of a topic at full speed, beside all other readers and without moving them. */
import { randomBytes } from 'node:crypto'
import { Fault, type LogRange, type LogRecord, type LogStore } from '../schemas/ports.ts'

export interface ScanOptions {
  readonly store: LogStore
  readonly topic: string
  /** Of the topic: all of them are read. */
  readonly partitions: number
  /** Where to begin; default: what is first kept. */
  readonly from?: (partition: number, range: LogRange) => number | Promise<number>
  /** Where to stop, this offset not included; default: the end when the scan began. */
  readonly until?: (partition: number, range: LogRange) => number | Promise<number>
  readonly compacted?: boolean
  readonly signal?: AbortSignal
  /** Records of one partition in order; awaited before more of that partition comes. */
  take(partition: number, records: readonly LogRecord[]): void | Promise<void>
}

/** Bytes that a fetch waits for: few and large ones. */
const MIN_BYTES = 262_144
const MAX_WAIT_MS = 50

/**
 * Resolves with the stretch [from, until) of each partition once all of it was taken. Rejects with Fault `aborted` when the signal
 * came, `offset_out_of_range` where the beginning is no longer kept, and with whatever `take` rejected with.
 */
export async function scan(options: ScanOptions): Promise<ReadonlyMap<number, LogRange>> {
  const { store, topic, signal } = options
  const group = `scan-${randomBytes(6).toString('hex')}`
  const stretches = new Map<number, LogRange>()
  const next = new Map<number, number>()
  const left = new Set(Array.from({ length: options.partitions }, (_, partition) => partition))
  const consumer = store.consumer({
    group,
    topics: [topic],
    ...{ maxWaitMs: MAX_WAIT_MS, minBytes: MIN_BYTES },
    ...(options.compacted ? { compacted: [topic] } : {}),
  })
  let stop: (err?: unknown) => void = () => {}
  const stopped = new Promise<void>((resolve, reject) => {
    stop = (err) => (err === undefined ? resolve() : reject(err))
  })
  const aborted = (): void => stop(new Fault('aborted', 'stopped before the end', { retriable: true }))
  signal?.addEventListener('abort', aborted, { once: true })

  function passed(partition: number): void {
    consumer.pause(topic, partition)
    left.delete(partition)
    if (left.size === 0) stop()
  }

  async function begin(partition: number): Promise<void> {
    const range = await consumer.range(topic, partition)
    const stretch = stretches.get(partition) ?? {
      begin: (await options.from?.(partition, range)) ?? range.begin,
      end: (await options.until?.(partition, range)) ?? range.end,
    }
    const from = next.get(partition) ?? stretch.begin
    if (from < range.begin)
      throw new Fault(
        'offset_out_of_range',
        `${topic}/${partition} begins at ${range.begin}; what was before it is gone, and ${from} was to be read`,
        { retriable: false },
      )
    stretches.set(partition, stretch)
    if (from >= stretch.end) passed(partition)
    else consumer.seek(topic, partition, from)
  }

  try {
    await consumer.start({
      assigned(added) {
        for (const partition of added) if (left.has(partition)) begin(partition).catch(stop)
      },
      async records(_topic, partition, records) {
        const stretch = stretches.get(partition)
        if (!stretch || !left.has(partition)) return
        const last = records.at(-1)
        const wanted =
          last && last.offset < stretch.end ? records : records.filter(({ offset }) => offset < stretch.end)
        try {
          await options.take(partition, wanted)
        } catch (err) {
          stop(err)
          return
        }
        if (!last) return
        next.set(partition, last.offset + 1)
        if (last.offset >= stretch.end - 1) passed(partition)
      },
      failed: stop,
    })
    await stopped
  } finally {
    signal?.removeEventListener('abort', aborted)
    await consumer.stop()
    const admin = await store.admin()
    await admin.deleteGroup(group).catch(() => {})
    await admin.close()
  }
  return stretches
}
