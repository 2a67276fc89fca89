/**
 * The sink of the archive. Records of all partitions are collected for up to a second and inserted together, one block per table;
 * a failed block is sent again as it was, under the same token, so that an insert with an unknown outcome is not doubled.
 * The position is derived from `events`, which is inserted last.
 */
import { type Position, START } from '../../schemas/accept.ts'
import { type Clock, Fault, type Logger } from '../../schemas/ports.ts'
import { topics } from '../../schemas/topics.ts'
import type { ArchivePort } from '../ports.ts'
import type { Accepted, Projection, Sink } from '../projection.ts'
import { type ArchiveWrite, archive, archiveTables } from './project.ts'
import { eventColumns } from './tables.ts'

export interface ArchiveSinkOptions {
  readonly clickhouse: ArchivePort
  readonly generation: number
  readonly clock: Clock
  readonly logger: Logger
  /** Longest wait for more records. Default 1,000. */
  readonly lingerMs?: number
  /** Default 20,000. */
  readonly rowsPerBlockMax?: number
  /** Default: that of this release. */
  readonly projection?: Pick<Projection<ArchiveWrite>, 'project'>
}

interface Waiting {
  readonly records: readonly Accepted[]
  readonly done: () => void
  readonly failed: (fault: unknown) => void
}

const RETRY_MS_MIN = 200
const RETRY_MS_MAX = 5_000

export interface ArchiveSink extends Sink {
  /** Partitions that are being archived here. */
  partitions(): readonly number[]
  close(): void
}

export function archiveSink(options: ArchiveSinkOptions): ArchiveSink {
  const { clickhouse, generation, clock, logger, projection = archive } = options
  const lingerMs = options.lingerMs ?? 1_000
  const rowsMax = options.rowsPerBlockMax ?? 20_000
  const owned = new Set<number>()
  let waiting: Waiting[] = []
  let count = 0
  let cancelLinger: (() => void) | null = null
  let busy = false
  let closed = false

  function due(): void {
    cancelLinger?.()
    cancelLinger = null
    if (!busy && count > 0) void flush()
  }

  async function flush(): Promise<void> {
    const batch = waiting
    waiting = []
    count = 0
    busy = true
    try {
      await insert(batch.flatMap(({ records }) => records))
      for (const { done } of batch) done()
    } catch (err) {
      for (const { failed } of batch) failed(err)
    }
    busy = false
    if (count >= rowsMax) due()
    else if (count > 0) cancelLinger ??= clock.after(lingerMs, due)
  }

  async function insert(records: readonly Accepted[]): Promise<void> {
    const rows = new Map<string, object[]>(archiveTables.map((table) => [table, []]))
    for (const record of records)
      for (const { table, row } of projection.project(record)) rows.get(table)?.push(row)
    const dedupToken = tokenOf(records, generation)
    for (const table of archiveTables) {
      const block = rows.get(table) ?? []
      if (block.length === 0) continue
      const into = table === 'events' ? `events (${eventColumns.join(', ')})` : table
      await untilDone(table, () => clickhouse.insert(into, block, { dedupToken }))
    }
  }

  /** Here and not in the reader: a batch spans partitions and must stay as it is until it is in. */
  async function untilDone(table: string, work: () => Promise<void>): Promise<void> {
    for (let wait = RETRY_MS_MIN, tries = 1; ; tries++, wait = Math.min(2 * wait, RETRY_MS_MAX)) {
      try {
        await work()
        if (tries > 1) logger.info({ table, tries }, 'the archive takes rows again')
        return
      } catch (err) {
        if (!(err instanceof Fault)) throw err
        if (closed) throw err
        if (tries === 1 || tries % 10 === 0)
          logger.warn({ table, tries, code: err.code, err }, 'insert into the archive failed; trying on')
        await new Promise<void>((resolve) => void clock.after(wait, resolve))
      }
    }
  }

  return {
    async begin(partition, range, fresh) {
      owned.add(partition)
      // The newest of any generation: one log may hold several, and the newest of them nothing of this partition yet.
      const [row] = await clickhouse.query<Record<'generation' | 'offset_' | 'epoch_' | 'source_', string>>(
        // An alias must not be a column's name: ORDER BY would take the text.
        `SELECT generation, toString(offset) AS offset_, toString(epoch) AS epoch_, toString(source) AS source_ FROM events
         WHERE generation <= {generation:UInt32} AND partition = {partition:UInt32}
         ORDER BY generation DESC, source DESC LIMIT 1`,
        { generation, partition },
      )
      if (!row || fresh) return START
      const at: Position = {
        generation: Number(row.generation),
        offset: Number(row.offset_) + 1,
        epoch: Number(row.epoch_),
        last: Number(row.source_),
      }
      if (at.offset <= range.end) return at
      logger.error(
        { partition, ...at, end: range.end },
        'the archive is ahead of the log: was the log replaced?',
      )
      return START
    },
    apply: (_partition, records) =>
      new Promise((resolve, reject) => {
        // Claims and dropped records need no row: the position behind them is found again by reading them again.
        if (records.length === 0) return resolve('applied')
        waiting.push({ records, done: () => resolve('applied'), failed: reject })
        count += records.length
        if (count >= rowsMax) due()
        else if (!busy) cancelLinger ??= clock.after(lingerMs, due)
      }),
    tick: async () => [],
    release: (partition) => void owned.delete(partition),
    partitions: () => [...owned],
    close() {
      closed = true
      due()
    },
  }
}

/** Names the block by what is in it: offset ranges per partition. */
function tokenOf(records: readonly Accepted[], generation: number): string {
  const ranges = new Map<number, { first: number; last: number }>()
  for (const { partition, offset } of records) {
    const range = ranges.get(partition)
    if (range) range.last = offset
    else ranges.set(partition, { first: offset, last: offset })
  }
  const parts = [...ranges].map(([partition, { first, last }]) => `${partition}:${first}-${last}`)
  return `${topics.events}:${generation}:${parts.join(',')}`
}
