/**
 * The sink of the archive. Records of all partitions are collected for up to a second and inserted together, one block per table;
 * a failed block is sent again as it was, under the same token, so that an insert with an unknown outcome is not doubled.
 * The position is derived from `events`, which is inserted last.
 */
import { type Position, START } from '../../schemas/accept.ts'
import { type Clock, Fault, type Logger, sleepOf } from '../../schemas/ports.ts'
import type { ArchivePort, EncodedRows } from '../ports.ts'
import type { Accepted, Projection, Sink } from '../projection.ts'
import { type Block, createBlock } from './block.ts'
import { type ArchiveTable, type ArchiveWrite, archive } from './project.ts'

export interface ArchiveSinkOptions {
  readonly clickhouse: ArchivePort
  readonly generation: number
  readonly clock: Clock
  readonly logger: Logger
  /** Longest wait for more records. Default 1,000. */
  readonly lingerMs?: number
  /** Default 20,000. */
  readonly rowsPerBlockMax?: number
  /**
   * Blocks that may be on their way while more is taken in, until `settled`: until then what was applied need not be there, and the
   * tables, which are written side by side, do not fit together. For a namespace that nobody reads yet. Default: none, what was
   * applied is there, and tables are written in the order of `archiveTables`.
   */
  readonly blocksAhead?: number
  /** Default: that of this release. */
  readonly projection?: Pick<Projection<ArchiveWrite>, 'project'>
}

interface Taken {
  readonly block: Block
  readonly inserted: Promise<void>
  done(): void
  failed(fault: unknown): void
}

const RETRY_MS_MIN = 200
const RETRY_MS_MAX = 5_000
/** Of one block, whatever its rows: an engine takes so much in one request, and it is kept in memory. */
const BYTES_MAX = 40_000_000
/** Some ten milliseconds' worth. */
const RECORDS_AT_ONCE = 500

export interface ArchiveSink extends Sink {
  /** Partitions that are being archived here. */
  partitions(): readonly number[]
  close(): void
}

export function archiveSink(options: ArchiveSinkOptions): ArchiveSink {
  const { clickhouse, generation, clock, logger, projection = archive, blocksAhead = 0 } = options
  const lingerMs = options.lingerMs ?? 1_000
  const rowsMax = options.rowsPerBlockMax ?? 20_000
  let isAhead = blocksAhead > 0
  const owned = new Set<number>()
  let open: Taken | null = null
  /** Closed ones that are not in yet, in order. */
  let queue: readonly Taken[] = []
  /** Until all rows of the last of them are in but its `events`. */
  let rowsIn: Promise<void> = Promise.resolve()
  /** Until its `events` are in too, and those of all before it. */
  let allIn: Promise<void> = Promise.resolve()
  let cancelLinger: (() => void) | null = null
  let closed = false
  let broken: { readonly err: unknown } | null = null

  function closeBlock(): void {
    cancelLinger?.()
    cancelLinger = null
    if (open === null) return
    const taken = open
    const before = allIn
    open = null
    queue = [...queue, taken]
    rowsIn = (isAhead ? rowsIn : before).then(() => insertRows(taken.block))
    // What comes behind a block must not be there without it: the position would pass over it.
    allIn = Promise.all([rowsIn, before]).then(async () => {
      await insertEvents(taken.block)
      queue = queue.slice(1)
      taken.done()
      if (open) afterAdding(open)
    })
    allIn.catch(breakOff)
  }

  function breakOff(err: unknown): void {
    if (broken) return
    broken = { err }
    for (const { failed } of open ? [...queue, open] : queue) failed(err)
    queue = []
    open = null
  }

  /** Where nothing is on its way, what has come waits for more; else it waits for that. */
  function afterAdding({ block }: Taken): void {
    if (block.records() >= rowsMax || block.bytes() >= BYTES_MAX) closeBlock()
    else if (queue.length === 0) cancelLinger ??= clock.after(lingerMs, closeBlock)
  }

  async function insertRows(block: Block): Promise<void> {
    const tables = block.tables().filter(([table]) => table !== 'events')
    if (isAhead) await Promise.all(tables.map((one) => insert(block, one)))
    else for (const one of tables) await insert(block, one)
  }

  async function insertEvents(block: Block): Promise<void> {
    for (const one of block.tables()) if (one[0] === 'events') await insert(block, one)
  }

  const insert = (block: Block, [table, rows]: readonly [ArchiveTable, EncodedRows]): Promise<void> =>
    untilDone(table, () => clickhouse.insert(table, rows, { dedupToken: block.token() }))

  function take(): Taken {
    const { promise: inserted, resolve: done, reject: failed } = Promise.withResolvers<void>()
    // Whoever waits for it hears of it.
    inserted.catch(() => {})
    return { block: createBlock(generation), inserted, done, failed }
  }

  function requireWhole(): void {
    if (broken) throw broken.err
  }

  function add(records: readonly Accepted[]): Taken {
    requireWhole()
    open ??= take()
    const taken = open
    taken.block.add(records, (record) => projection.project(record))
    afterAdding(taken)
    return taken
  }

  async function drained(): Promise<void> {
    requireWhole()
    closeBlock()
    await Promise.all(queue.map(({ inserted }) => inserted))
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
        await sleepOf(clock)(wait)
      }
    }
  }

  return {
    async begin(partition, range, fresh) {
      owned.add(partition)
      requireWhole()
      if (isAhead) await drained()
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
    async apply(_partition, records) {
      // Claims and dropped records need no row: the position behind them is found again by reading them again.
      if (records.length === 0) return 'applied'
      if (!isAhead) await add(records).inserted
      else {
        for (let at = 0; at < records.length; at += RECORDS_AT_ONCE) {
          add(records.slice(at, at + RECORDS_AT_ONCE))
          // The insert that is on its way has a next one to send.
          await new Promise(setImmediate)
        }
        for (let [first] = queue; first && queue.length > blocksAhead; [first] = queue) await first.inserted
        requireWhole()
      }
      return 'applied'
    },
    settled() {
      isAhead = false
      return drained()
    },
    tick: async () => [],
    release: (partition) => void owned.delete(partition),
    partitions: () => [...owned],
    close() {
      closed = true
      closeBlock()
    },
  }
}
