/**
 * Compares two namespaces of the archive inside the engine: counts and hashes per table and bucket, then the rows of the buckets that
 * differ. `events` counts up to the positions that both have; of the other tables a row that differs is looked at again, as both are
 * written to meanwhile.
 */

import { type Clock, Fault, sleepOf } from '../../schemas/ports.ts'
import { type ArchiveTable, archiveTables } from '../archive/project.ts'
import type { ArchivePort } from '../ports.ts'
import type { Comparison, Difference } from './report.ts'

export interface CompareArchiveOptions {
  readonly clickhouse: Pick<ArchivePort, 'query'>
  /** Names of the databases. */
  readonly active: string
  readonly other: string
  readonly generation: number
  readonly clock: Clock
  /** Contents are destroyed by policy, in each namespace at a time of its own: then they are left out. */
  readonly withoutContents?: boolean
  readonly signal?: AbortSignal
  /** Default 12 and 1,500. */
  readonly looksMax?: number
  readonly lookEveryMs?: number
  readonly onProgress?: (table: string) => void
}

const BUCKETS = 256
const SOURCES_PER_BUCKET = 8_192
const EXAMPLES_MAX = 20
/** Of one table; beyond it is another thing. */
const DIFFERENT_MAX = 1_000

/** What a row is known by: the table's sorting key. */
const rowKeys: Readonly<Record<ArchiveTable, readonly string[]>> = {
  membership: ['user', 'conversation', 'seq'],
  observing: ['user', 'conversation', 'seq'],
  single_chats: ['user', 'conversation'],
  messages: ['conversation', 'seq'],
  changes: ['conversation', 'seq'],
  reactions: ['conversation', 'target_seq', 'emoji', 'user'],
  items: ['conversation', 'seq'],
  read_marks: ['user', 'conversation'],
  events: ['generation', 'partition', 'source'],
}

/** Of when a record came into the log: rows that were archived before that was kept have the time of their command instead. */
const notCompared = ['logged_at']

interface Column {
  readonly name: string
  readonly nullable: boolean
}

export async function compareArchive(options: CompareArchiveOptions): Promise<Comparison> {
  const { clickhouse, active, other, generation, clock, signal } = options
  const kinds = new Map<string, { compared: number; different: number }>()
  const examples: Difference[] = []
  const notes: string[] = []
  if (options.withoutContents) notes.push('contents were left out: a storage policy destroys them')

  async function columnsOf(table: string): Promise<Column[]> {
    const rows = await clickhouse.query<{ db: string; name: string; nullable: boolean }>(
      `SELECT database AS db, name, startsWith(type, 'Nullable') AS nullable FROM system.columns
       WHERE database IN ({active:String}, {other:String}) AND table = {table:String}
         AND default_kind NOT IN ('MATERIALIZED', 'ALIAS', 'EPHEMERAL') ORDER BY position`,
      { active, other, table },
    )
    const of = (db: string) => rows.filter((row) => row.db === db)
    const [left, right] = [of(active), of(other)]
    const both = left.filter(({ name }) => right.some((one) => one.name === name))
    const alone = [...left, ...right].filter(({ name }) => !both.some((one) => one.name === name))
    if (alone.length > 0)
      notes.push(`${table}: not in both, and left out: ${alone.map(({ name }) => name).join(', ')}`)
    return both
      .filter(({ name }) => !(options.withoutContents && name === 'content') && !notCompared.includes(name))
      .map(({ name, nullable }) => ({ name, nullable: Boolean(nullable) }))
  }

  /** Up to where both have come in each partition. */
  async function common(): Promise<ReadonlyMap<number, number>> {
    const [left, right] = await Promise.all(
      [active, other].map((db) =>
        clickhouse.query<{ p: number; last: string }>(
          `SELECT partition AS p, toString(max(source)) AS last FROM ${db}.events
           WHERE generation = {generation:UInt32} GROUP BY p`,
          { generation },
        ),
      ),
    )
    const inRight = new Map((right ?? []).map(({ p, last }) => [p, Number(last)]))
    return new Map(
      (left ?? []).flatMap(({ p, last }) => {
        const to = inRight.get(p)
        return to === undefined ? [] : [[p, Math.min(to, Number(last))]]
      }),
    )
  }

  async function compareTable(table: ArchiveTable, until: ReadonlyMap<number, number>): Promise<void> {
    const key = rowKeys[table]
    const columns = await columnsOf(table)
    const hash = `cityHash64(${columns
      .flatMap(({ name, nullable }) =>
        nullable ? [`isNull(${name})`, `ifNull(toString(${name}), '')`] : [name],
      )
      .join(', ')})`
    const isEvents = table === 'events'
    const bucket = isEvents
      ? `partition * 1000000 + intDiv(source, ${SOURCES_PER_BUCKET})`
      : `cityHash64(${key[0]}) % ${BUCKETS}`
    const within = isEvents
      ? `generation = {generation:UInt32} AND source <= transform(partition, {partitions:Array(UInt32)}, {lasts:Array(Int64)}, toInt64(-1))`
      : '1'
    const params = { generation, partitions: [...until.keys()], lasts: [...until.values()] }
    const [left, right] = await Promise.all(
      [active, other].map((db) =>
        clickhouse.query<{ b: string; n: string; h: string }>(
          `SELECT toString(${bucket}) AS b, toString(count()) AS n, toString(sum(${hash})) AS h
           FROM ${db}.${table} FINAL WHERE ${within} GROUP BY b`,
          params,
        ),
      ),
    )
    const counts = { compared: 0, different: 0 }
    kinds.set(table, counts)
    const inRight = new Map((right ?? []).map((row) => [row.b, row]))
    const unequal: string[] = []
    for (const row of left ?? []) {
      counts.compared += Number(row.n)
      const its = inRight.get(row.b)
      inRight.delete(row.b)
      if (its?.n !== row.n || its.h !== row.h) unequal.push(row.b)
    }
    unequal.push(...inRight.keys())
    if (unequal.length === 0) return

    const keyText = `toString(tuple(${key.join(', ')}))`
    const cells = `toString(tuple(${columns.map(({ name }) => (name === 'payload' ? 'hex(payload)' : name)).join(', ')}))`
    /** Rows that differ, of some buckets or of those that differed before. */
    const look = (where: string, more: Record<string, unknown>) => {
      const side = (db: string) =>
        `SELECT ${keyText} AS k, ${hash} AS h, ${cells} AS c FROM ${db}.${table} FINAL WHERE ${within} AND ${where}`
      return clickhouse.query<{ k: string; a: string; b: string }>(
        `SELECT if(l.k = '', r.k, l.k) AS k, l.c AS a, r.c AS b
         FROM (${side(active)}) AS l FULL OUTER JOIN (${side(other)}) AS r ON l.k = r.k
         WHERE l.h != r.h ORDER BY k LIMIT ${DIFFERENT_MAX}`,
        { ...params, ...more },
      )
    }
    let rows = await look(`toString(${bucket}) IN {buckets:Array(String)}`, { buckets: unequal })
    // What is written once cannot become equal.
    for (let looks = 1; !isEvents && rows.length > 0 && looks < (options.looksMax ?? 12); looks++) {
      check()
      await sleepOf(clock)(options.lookEveryMs ?? 1_500)
      rows = await look(`${keyText} IN {keys:Array(String)}`, { keys: rows.map(({ k }) => k) })
    }
    counts.different = rows.length
    if (rows.length === DIFFERENT_MAX) notes.push(`${table}: more than ${DIFFERENT_MAX} rows differ`)
    for (const { k, a, b } of rows.slice(0, EXAMPLES_MAX - examples.length))
      examples.push({ kind: table, key: k, inActive: cut(a, b), inOther: cut(b, a) })
  }

  function check(): void {
    if (signal?.aborted) throw new Fault('aborted', 'stopped before the end', { retriable: true })
  }

  const until = await common()
  for (const table of archiveTables) {
    check()
    options.onProgress?.(table)
    await compareTable(table, until)
  }
  return { kinds, examples, notes }
}

const SHOWN_MAX = 160

/** From a little before where it begins to differ. */
function cut(text: string, other: string): string {
  let same = 0
  while (same < text.length && text[same] === other[same]) same++
  const from = same > 60 ? same - 40 : 0
  const shown = text.slice(from, from + SHOWN_MAX)
  return `${from > 0 ? '…' : ''}${shown}${from + SHOWN_MAX < text.length ? '…' : ''}`
}
