/** Reads the archive over ClickHouse's HTTP interface, no client of ours involved. */
import type { ArchiveRow } from './types.ts'

const deadlineMs = 60_000

interface Line {
  readonly partition: number
  readonly source: string | number
  readonly kind: string
  readonly stream: string
  readonly seq: string | number
  readonly ordinal: string | number
  readonly bytes: string
}

export async function readArchive(url: string, database: string): Promise<ArchiveRow[]> {
  const columns = 'partition, source, kind, stream, seq, ordinal, base64Encode(payload) AS bytes'
  const text = await query(
    url,
    `SELECT ${columns} FROM ${database}.events_once ORDER BY partition, source FORMAT JSONEachRow`,
  )
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const row = JSON.parse(line) as Line
      return {
        partition: Number(row.partition),
        source: Number(row.source),
        kind: row.kind,
        stream: row.stream,
        seq: Number(row.seq),
        ordinal: Number(row.ordinal),
        payload: Buffer.from(row.bytes, 'base64'),
      }
    })
}

/** Rows of each conversation in the tables that history and analysts read, under `<table> <conversation>`. */
export async function countRows(url: string, database: string): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  for (const table of ['messages', 'items']) {
    const from = `${database}.${table} GROUP BY conversation FORMAT TSV`
    const text = await query(url, `SELECT conversation, uniqExact(seq) AS n FROM ${from}`)
    for (const line of text.split('\n')) {
      const [conversation, n] = line.split('\t')
      if (conversation && n) counts.set(`${table} ${conversation}`, Number(n))
    }
  }
  return counts
}

/** What the archive answers to a statement, as text. */
export async function query(url: string, sql: string): Promise<string> {
  const response = await fetch(url, { method: 'POST', body: sql, signal: AbortSignal.timeout(deadlineMs) })
  const text = await response.text()
  if (!response.ok) throw new Error(`the archive answered ${response.status}: ${text.slice(0, 300)}`)
  return text
}
