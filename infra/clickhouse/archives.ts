/** Which databases hold an archive: the one that is set, and those of its namespaces. */
import { type ClickHouseOptions, createClickHouse } from './client.ts'

export interface FoundArchive {
  readonly database: string
  readonly records: number
  /** Of its newest record. */
  readonly generation: number
}

export async function archivesIn(options: ClickHouseOptions): Promise<FoundArchive[]> {
  const base = options.database ?? 'default'
  const root = createClickHouse({ ...options, database: 'default' })
  try {
    const found = await root.query<{ database: string }>(
      `SELECT database FROM system.tables
       WHERE name = 'events' AND engine NOT LIKE '%View' AND (database = {base:String} OR startsWith(database, concat({base:String}, '_')))`,
      { base },
    )
    return await Promise.all(
      found.map(async ({ database }) => {
        const [row] = await root.query<{ n: string; newest: string }>(
          `SELECT toString(count()) AS n, toString(max(generation)) AS newest FROM \`${database}\`.events`,
        )
        return { database, records: Number(row?.n ?? 0), generation: Number(row?.newest ?? 0) }
      }),
    )
  } finally {
    await root.close()
  }
}
