/** The archive against the log: count and hash per partition and per stream, then the rows that differ. */
import { createHash } from 'node:crypto'
import type { Model } from './log.ts'
import type { ArchiveRow, Finding } from './types.ts'

interface Sum {
  count: number
  xor: bigint
}

/** Over payload bytes, stream and seq, never positions: it survives a restore. */
export function rowHash(row: Pick<ArchiveRow, 'payload' | 'stream' | 'seq'>): bigint {
  const hash = createHash('sha256').update(row.payload).update(`|${row.stream}|${row.seq}`)
  return hash.digest().readBigUInt64BE(0)
}

function sums(rows: Iterable<ArchiveRow>): Map<string, Sum> {
  const out = new Map<string, Sum>()
  for (const row of rows) {
    const hash = rowHash(row)
    for (const key of [`partition ${row.partition}`, `stream ${row.stream}`]) {
      const sum = out.get(key) ?? { count: 0, xor: 0n }
      sum.count += 1
      sum.xor ^= hash
      out.set(key, sum)
    }
  }
  return out
}

const keyOf = (row: ArchiveRow) => `${row.partition}/${row.source}`

export function checkArchive(
  model: Model,
  rows: readonly ArchiveRow[],
  counts: ReadonlyMap<string, number>,
): { findings: Finding[]; sums: number; rows: number } {
  const findings: Finding[] = []
  const want = sums(model.accepted)
  const have = sums(rows)
  const differing = [...new Set([...want.keys(), ...have.keys()])].filter((key) => {
    const a = want.get(key)
    const b = have.get(key)
    return a?.count !== b?.count || a?.xor !== b?.xor
  })
  const byKey = new Map<string, ArchiveRow>()
  for (const row of rows) {
    if (byKey.has(keyOf(row))) findings.push({ kind: 'archive-extra', detail: `${keyOf(row)} twice` })
    byKey.set(keyOf(row), row)
  }
  for (const record of model.accepted) {
    const key = keyOf(record)
    const row = byKey.get(key)
    byKey.delete(key)
    const place = `${key} (${record.stream} seq ${record.seq})`
    if (!row) findings.push({ kind: 'archive-missing', detail: place })
    else if (!row.payload.equals(record.payload))
      findings.push({ kind: 'archive-hash', detail: `${place}: other bytes` })
    else if (
      row.stream !== record.stream ||
      row.seq !== record.seq ||
      row.kind !== record.kind ||
      row.ordinal !== record.ordinal
    )
      findings.push({
        kind: 'archive-hash',
        detail: `${place}: filed as ${row.kind} ${row.stream} seq ${row.seq}`,
      })
  }
  for (const key of byKey.keys()) findings.push({ kind: 'archive-extra', detail: key })
  for (const { name, messages, events } of model.streams.values())
    for (const [table, wanted] of [
      ['messages', messages.size],
      ['items', events.length],
    ] as const) {
      const there = counts.get(`${table} ${name}`) ?? 0
      if (there === wanted) continue
      const kind = there < wanted ? 'archive-missing' : 'archive-extra'
      findings.push({ kind, detail: `${name}: ${there} of ${wanted} ${table}` })
    }
  if (findings.length === 0)
    for (const key of differing) findings.push({ kind: 'archive-hash', detail: `sum of ${key}` })
  return { findings, sums: want.size, rows: rows.length }
}
