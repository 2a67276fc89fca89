/** Rows of the archive on their way into one block per table, as the bytes that the store is sent. */
import { topics } from '../../schemas/topics.ts'
import type { EncodedRows } from '../ports.ts'
import type { Accepted } from '../projection.ts'
import { type ArchiveTable, type ArchiveWrite, archiveTables } from './project.ts'

export interface Block {
  add(records: readonly Accepted[], project: (record: Accepted) => readonly ArchiveWrite[]): void
  records(): number
  bytes(): number
  /** Those tables that have rows, in the order of insertion. */
  tables(): readonly (readonly [ArchiveTable, EncodedRows])[]
  /** Names the block by what is in it: offset ranges per partition. */
  token(): string
}

interface Rows {
  readonly columns: readonly string[]
  readonly parts: Buffer[]
}

type Row = Readonly<Record<string, unknown>>

export function createBlock(generation: number): Block {
  const tables = new Map<ArchiveTable, Rows>()
  const ranges = new Map<number, { first: number; last: number }>()
  let records = 0
  let bytes = 0

  /** Its columns are those of the table's first row. */
  function rowsOf(table: ArchiveTable, row: Row): Rows {
    const known = tables.get(table)
    if (known) return known
    const rows = { columns: Object.keys(row), parts: [] }
    tables.set(table, rows)
    return rows
  }

  return {
    add(some, project) {
      const lines = new Map<ArchiveTable, string>()
      for (const record of some) {
        for (const { table, row } of project(record)) {
          const { columns } = rowsOf(table, row as Row)
          lines.set(table, `${lines.get(table) ?? ''}${lineOf(columns, row as Row)}\n`)
        }
        const range = ranges.get(record.partition)
        if (range) range.last = record.offset
        else ranges.set(record.partition, { first: record.offset, last: record.offset })
      }
      for (const [table, text] of lines) {
        const part = Buffer.from(text)
        tables.get(table)?.parts.push(part)
        bytes += part.length
      }
      records += some.length
    },
    records: () => records,
    bytes: () => bytes,
    tables: () =>
      archiveTables.flatMap((table) => {
        const rows = tables.get(table)
        return rows && rows.parts.length > 0 ? [[table, rows] as const] : []
      }),
    token() {
      const parts = [...ranges].map(([partition, { first, last }]) => `${partition}:${first}-${last}`)
      return `${topics.events}:${generation}:${parts.join(',')}`
    },
  }
}

/** Its values in the order of the columns. Rows of a table are mostly written alike: then their values are in that order already. */
function lineOf(columns: readonly string[], row: Row): string {
  const own = Object.keys(row)
  if (own.length === columns.length) {
    if (own.every((name, i) => name === columns[i])) return JSON.stringify(Object.values(row))
    if (columns.every((name) => name in row)) return JSON.stringify(columns.map((name) => row[name]))
  }
  throw new Error(`a row of the archive has columns (${own}) that are not those of the one before it`)
}
