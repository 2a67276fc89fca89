/**
 * The texts of schemas beside the records that were written with them: an archive can be read, and the log restored from it, by any
 * release, though im.schemas is lost.
 */
import { randomUUID } from 'node:crypto'
import { fingerprintHex } from '../../schemas/avro.ts'
import { knownSchemas, learnSchema } from '../../schemas/codec.ts'
import { Fault } from '../../schemas/ports.ts'
import { hasTable } from '../archived.ts'
import type { ArchivePort } from '../ports.ts'

export interface SchemaMirror {
  /**
   * Resolves once every schema that this process can read stands in the archive, and so those of all that it archives. Rejects with a
   * Fault where it cannot be written now.
   */
  flush(): Promise<void>
}

/** `fingerprint`: in hex. */
export const schemaStatements: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS schemas (
    fingerprint String,
    text String CODEC(ZSTD)
  ) ENGINE = ReplacingMergeTree ORDER BY fingerprint`,
]

export function createSchemaMirror(clickhouse: Pick<ArchivePort, 'insert'>): SchemaMirror {
  const written = new Set<string>()
  return {
    async flush() {
      // None is ever forgotten: most times there is nothing new.
      if (written.size === knownSchemas.size) return
      const missing = [...knownSchemas].filter(([key]) => !written.has(key))
      const rows = missing.map(([key, text]) => ({ fingerprint: fingerprintHex(key), text }))
      await clickhouse.insert('schemas', rows, { dedupToken: randomUUID() })
      for (const [key] of missing) written.add(key)
    },
  }
}

/** Texts, by which they are ordered; none in an archive of before they were kept there. */
export async function archivedSchemas(clickhouse: Pick<ArchivePort, 'query'>): Promise<string[]> {
  if (!(await hasTable(clickhouse, 'schemas'))) return []
  const rows = await clickhouse.query<{ text: string }>('SELECT DISTINCT text FROM schemas ORDER BY text')
  return rows.map(({ text }) => text)
}

/** So that what another release wrote can be read. Where the archive does not answer nothing of it is read either. */
export async function learnArchivedSchemas(clickhouse: Pick<ArchivePort, 'query'>): Promise<void> {
  try {
    for (const text of await archivedSchemas(clickhouse)) learnSchema(text)
  } catch (err) {
    if (!(err instanceof Fault)) throw err
  }
}
