/** The archive, as replay works on it. */
import type { Clock, Logger } from '../../schemas/ports.ts'
import { archive, archiveTables } from '../archive/project.ts'
import { archiveSink } from '../archive/sink.ts'
import type { ArchivePort } from '../ports.ts'
import { compareArchive } from './compare-archive.ts'
import type { Stage } from './stage.ts'

/** A connection to one database. */
export interface ArchiveAt extends ArchivePort {
  command(sql: string): Promise<void>
  close(): Promise<void>
}

export interface ArchiveStageOptions {
  /** In this namespace; closed by the stage. */
  open(namespace: string): ArchiveAt
  databaseOf(namespace: string): string
  /** Creates database and tables. */
  migrate(namespace: string): Promise<void>
  readonly generation: number
  readonly clock: Clock
  readonly logger: Logger
  /** A storage policy destroys contents, in each namespace at a time of its own. */
  readonly withoutContents: boolean
  readonly signal?: AbortSignal
}

const REBUILD = { lingerMs: 500, rowsPerBlockMax: 40_000, blocksAhead: 1 }

export function archiveStage(options: ArchiveStageOptions): Stage {
  const { databaseOf, generation, clock, logger, withoutContents, signal } = options

  async function at<T>(namespace: string, work: (clickhouse: ArchiveAt) => Promise<T>): Promise<T> {
    const clickhouse = options.open(namespace)
    try {
      return await work(clickhouse)
    } finally {
      await clickhouse.close()
    }
  }

  return {
    projection: 'archive',
    replaceable: ['archive'],
    whereIs: (namespace) => `database ${databaseOf(namespace)} in ClickHouse`,
    prepare: options.migrate,
    sink(namespace, { replaced }) {
      const clickhouse = options.open(namespace)
      const projection = (replaced as { archive?: typeof archive }).archive ?? archive
      const sink = archiveSink({ clickhouse, generation, clock, logger, projection, ...REBUILD })
      return {
        sink,
        async close() {
          sink.close()
          await clickhouse.close()
        },
      }
    },
    positions: (namespace) =>
      at(namespace, async (clickhouse) => {
        const rows = await clickhouse.query<{ p: number; next: string }>(
          `SELECT partition AS p, toString(max(offset) + 1) AS next FROM events
           WHERE generation = {generation:UInt32} GROUP BY p`,
          { generation },
        )
        return new Map(rows.map(({ p, next }) => [Number(p), Number(next)]))
      }),
    compare: (active, other, onProgress) =>
      at('', (clickhouse) =>
        compareArchive({
          ...{ clickhouse, generation, clock, withoutContents, onProgress },
          active: databaseOf(active),
          other: databaseOf(other),
          ...(signal ? { signal } : {}),
        }),
      ),
    drop: (namespace) =>
      at('', async (clickhouse) => {
        if (namespace !== '') return clickhouse.command(`DROP DATABASE IF EXISTS ${databaseOf(namespace)}`)
        // What is no projection's stands here as well.
        for (const table of [...archiveTables, 'purges']) await clickhouse.command(`TRUNCATE TABLE ${table}`)
      }),
    group: (namespace) => (namespace === '' ? 'projections-archive' : `projections-archive@${namespace}`),
  }
}
