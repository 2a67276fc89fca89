/** Namespaces of the archive: the same tables in another database. What is no projection's stands in the first one always. */
import type { Namespaces } from '../../projections/namespaces/follower.ts'
import type { ArchivePort } from '../../projections/ports.ts'
import { type ClickHouse, type ClickHouseOptions, createClickHouse } from './client.ts'

export const databaseOf = (base: string | undefined, namespace: string): string =>
  namespace === '' ? (base ?? 'default') : `${base ?? 'default'}_${namespace}`

export const optionsIn = (options: ClickHouseOptions, namespace: string): ClickHouseOptions => ({
  ...options,
  database: databaseOf(options.database, namespace),
})

/** Asks whichever namespace is read at the moment of the query. */
export function activeArchive(
  options: ClickHouseOptions,
  namespaces: Namespaces,
): Pick<ArchivePort, 'query'> & { close(): Promise<void> } {
  const clients = new Map<string, ClickHouse>()
  const clientOf = (namespace: string): ClickHouse => {
    const known = clients.get(namespace)
    if (known) return known
    const client = createClickHouse(optionsIn(options, namespace))
    clients.set(namespace, client)
    return client
  }
  return {
    query: (sql, params, limits) =>
      clientOf(namespaces.of('archive').active).query(sql, params as Record<string, unknown>, limits),
    async close() {
      for (const client of clients.values()) await client.close()
    },
  }
}
