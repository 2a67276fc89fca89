/** `npm run bench -- archive`: how long pages and searches take that only a full archive can answer. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createClickHouse } from '../../infra/clickhouse/client.ts'
import { migrateArchive } from '../../infra/clickhouse/migrate.ts'
import { systemClock } from '../../infra/clock.ts'
import { startEmbedded } from '../../infra/embedded/services.ts'
import { silentLog } from '../../infra/log.ts'
import { createRedis } from '../../infra/redis/client.ts'
import { createProgress, grouped, ms, table } from '../../infra/terminal.ts'
import { type ReadModels, readModels } from '../../projections/reads.ts'
import { machine, writeResult } from '../report.ts'
import { usageOf } from '../support/processes.ts'
import { createSamples, type Summary } from '../support/samples.ts'
import { type Filled, fill, vocabulary } from './fill.ts'

export interface ArchiveFlags {
  readonly rows: number
  readonly pages: number
  readonly limit: number
}

interface Timing {
  readonly name: string
  readonly atOnce: number
  readonly perSec: number
  readonly summary: Summary
  /** Of the engine, per read: says the same on a busy machine. */
  readonly engineCpuMs: number
}

interface ArchiveResult {
  readonly at: string
  readonly machine: string
  readonly rows: number
  readonly limit: number
  readonly timings: readonly Timing[]
}

/** What a page may take. */
const P99_MS_MAX = 200
const WARM_UP = 200
const MERGE_POLL_MS = 1_000
const INSERTED_AT_ONCE = 1_000
const INSERT_EVERY_MS = 1_000

export async function benchArchive(flags: ArchiveFlags): Promise<number> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'longwire-bench-archive-'))
  const engines = await startEmbedded({
    dataDir,
    need: { kafka: false, redis: true, clickhouse: true },
    log: silentLog,
  })
  const redis = createRedis({ urls: [engines.redis.url], name: 'bench' }, silentLog)
  const options = { url: engines.clickhouse.url, database: 'longwire', requestTimeoutMs: 300_000 }
  const clickhouse = createClickHouse(options)
  try {
    await redis.ready(5_000)
    await migrateArchive(options, silentLog)
    const progress = createProgress(process.stdout)
    const startedMs = performance.now()
    const filled = await fill(clickhouse, redis, flags.rows, (done) =>
      progress.show(`  ${grouped(done)} of ${grouped(flags.rows)} rows`),
    )
    progress.done(
      `  ${grouped(filled.rows)} messages in the archive, made in ${((performance.now() - startedMs) / 1_000).toFixed(0)} s`,
    )
    await merged(clickhouse)
    const open = () => readModels({ redis, clickhouse, partitions: 1, generation: 0, clock: systemClock })
    const { pid } = engines.clickhouse
    const engineCpuSec = () => usageOf([{ name: 'clickhouse', pid }])[0]?.cpuSec ?? 0
    const timings = await measureAll({
      open,
      filled,
      flags,
      engineCpuSec,
      insert: () => insertMore(clickhouse),
    })
    const result: ArchiveResult = {
      at: new Date().toISOString(),
      machine: machine(),
      rows: filled.rows,
      limit: flags.limit,
      timings,
    }
    print(result)
    console.log(`  written to ${writeResult(result, 'archive')}`)
    const pages = timings.filter(({ name }) => name.startsWith('page'))
    return pages.every(({ summary }) => summary.p99Ms < P99_MS_MAX) ? 0 : 1
  } finally {
    await clickhouse.close()
    await redis.close()
    await engines.stop()
    rmSync(dataDir, { recursive: true, force: true })
  }
}

/** What a bulk load leaves to be merged is no part of a page: an archive that grows with its chats has little of it at a time. */
async function merged(clickhouse: { query<T>(sql: string): Promise<T[]> }): Promise<void> {
  for (;;) {
    const [row] = await clickhouse.query<{ n: string }>('SELECT toString(count()) AS n FROM system.merges')
    if (row?.n === '0') return
    await systemClock.sleep(MERGE_POLL_MS)
  }
}

type Work = (reads: ReadModels, n: number) => Promise<unknown>

interface Scene {
  readonly open: () => ReadModels
  readonly filled: Filled
  readonly flags: ArchiveFlags
  readonly engineCpuSec: () => number
  readonly insert: () => Promise<void>
}

async function measureAll({ open, filled, flags, engineCpuSec, insert }: Scene): Promise<Timing[]> {
  const { pages, limit } = flags
  const { reader, conversations } = filled
  const great = conversations[0] as Filled['conversations'][number]
  const random = (below: number): number => Math.floor(Math.random() * below)
  const page = async (reads: ReadModels, id: string, before: number): Promise<void> => {
    const answer = await reads.history(reader, id, { before, limit })
    if (answer.code !== null || answer.partial || answer.items.length === 0)
      throw new Error(`no page of ${id} before ${before}`)
  }
  const anywhere: Work = (reads) => {
    // Each row is as likely as any other.
    const { id, seqs } =
      Math.random() < 0.2 ? great : (conversations[1 + random(conversations.length - 1)] ?? great)
    return page(reads, id, 2 + random(seqs))
  }
  /** All of a group open it at once and go up. */
  const together: Work = (reads, n) => page(reads, great.id, great.seqs - limit * Math.floor(n / 64))
  const finding =
    (queryOf: () => string): Work =>
    async (reads) => {
      const answer = await reads.search(reader, { query: queryOf() })
      if (answer.code !== null) throw new Error(answer.code)
    }
  const { words, characters } = vocabulary()
  const rare = (list: readonly string[]): string => list[list.length - 1 - random(200)] ?? ''
  const common = (list: readonly string[]): string => list[20 + random(80)] ?? ''
  const runs: { name: string; atOnce: number; count: number; work: Work; inserts?: boolean }[] = [
    { name: 'page, anywhere', atOnce: 1, count: pages, work: anywhere },
    { name: 'page, anywhere', atOnce: 8, count: pages, work: anywhere },
    { name: 'page, anywhere, rows coming in', atOnce: 8, count: pages, work: anywhere, inserts: true },
    { name: 'page, the same for 64 at once', atOnce: 64, count: 8 * pages, work: together },
    { name: 'search, a rare word', atOnce: 1, count: 60, work: finding(() => rare(words)) },
    { name: 'search, a common word', atOnce: 1, count: 60, work: finding(() => common(words)) },
    {
      name: 'search, two words',
      atOnce: 1,
      count: 60,
      work: finding(() => `${rare(words)} ${common(words)}`),
    },
    {
      name: 'search, two Chinese characters',
      atOnce: 1,
      count: 60,
      work: finding(() => rare(characters) + common(characters)),
    },
    { name: 'search, one Chinese character', atOnce: 1, count: 60, work: finding(() => rare(characters)) },
    { name: 'search, one letter', atOnce: 1, count: 20, work: finding(() => 'e') },
  ]
  await timed(open(), WARM_UP, 4, anywhere)
  const timings: Timing[] = []
  for (const { name, atOnce, count, work, inserts } of runs) {
    let inserting = inserts === true
    const beside = (async () => {
      while (inserting) {
        await insert()
        await systemClock.sleep(INSERT_EVERY_MS)
      }
    })()
    // Awaited below; until then a failure of it must not end the process before the engines are stopped.
    beside.catch(() => {})
    const before = engineCpuSec()
    // Anew each time: nothing is held from the run before.
    const { perSec, summary } = await timed(open(), count, atOnce, work)
    const engineCpuMs = ((engineCpuSec() - before) * 1_000) / count
    inserting = false
    await beside
    timings.push({ name, atOnce, perSec, summary, engineCpuMs })
    console.log(`  ${name.padEnd(34)} ${ms(summary.p50Ms)} / ${ms(summary.p99Ms)}`)
  }
  return timings
}

async function timed(reads: ReadModels, count: number, atOnce: number, work: Work) {
  const samples = createSamples()
  const startedMs = performance.now()
  let next = 0
  const one = async (): Promise<void> => {
    for (let n = next++; n < count; n = next++) {
      const fromMs = performance.now()
      await work(reads, n)
      samples.add(performance.now() - fromMs)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, one))
  return { perSec: (count / (performance.now() - startedMs)) * 1_000, summary: samples.summary() }
}

let inserted = 0
/** As a batch of the archive writes them, into conversations that nobody reads. */
async function insertMore(clickhouse: { insert(table: string, rows: readonly object[]): Promise<void> }) {
  const rows = Array.from({ length: INSERTED_AT_ONCE }, () => ({
    ...{ conversation: `g:beside${inserted % 50}`, seq: ++inserted, ordinal: inserted, kind: 'message' },
    ...{ time_ms: Date.now(), sender: 'peer', pack_id: '', content_type: 'text' },
    content: JSON.stringify({ text: `something else ${inserted}` }),
  }))
  await clickhouse.insert('items', rows)
  await clickhouse.insert(
    'messages',
    rows.map(({ kind, time_ms, ...row }) => ({
      ...row,
      ...{ version: row.seq, time: (time_ms / 1_000).toFixed(3), recalled: false },
    })),
  )
}

function print({ machine: on, rows, limit, timings }: ArchiveResult): void {
  console.log(
    `\n${'─'.repeat(100)}\n  ${on}\n  ${grouped(rows)} messages in the archive, pages of ${limit}\n`,
  )
  const cells = timings.map(({ name, atOnce, perSec, summary, engineCpuMs }) => [
    name,
    atOnce,
    grouped(summary.count),
    grouped(perSec),
    ...[summary.p50Ms, summary.p95Ms, summary.p99Ms, summary.maxMs].map(ms),
    ms(engineCpuMs),
  ])
  const header = ['what', 'at once', 'reads', 'per s', 'p50', 'p95', 'p99', 'max', 'engine CPU']
  console.log(`${table(header, cells)}\n`)
}
