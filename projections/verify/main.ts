/** `npm run verify`: proves from the outside that topics and read models are sound; with --watch, again and again. */
import { Command, InvalidArgumentError } from 'commander'
import { createLogger } from '../../infra/log.ts'
import { createMetrics } from '../../infra/metrics.ts'
import { openReadStores, openToolKeys } from '../../infra/read-stores.ts'
import { startReport } from '../../infra/role-report.ts'
import { createProgress, grouped } from '../../infra/terminal.ts'
import { runTool, type Tool, ToolError } from '../../infra/tool.ts'
import { Fault } from '../../schemas/ports.ts'
import { type FindingKind, findingKinds } from './findings.ts'
import { countOf, reportText, totalFindings } from './report.ts'
import { createVerifier, type Report, type Verifier } from './verify.ts'

interface Flags {
  readonly partitions?: number[]
  readonly sample: number
  readonly packIds: number
  readonly wait: number
  readonly live?: string
  readonly archive?: string
  readonly watch: boolean
  readonly every: number
}

const count = (text: string): number => {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('must be a whole number above 0')
  return value
}
const numbers = (text: string): number[] =>
  text.split(',').flatMap((part) => {
    const [, first, last] = /^(\d+)(?:-(\d+))?$/.exec(part.trim()) ?? []
    if (first === undefined) throw new InvalidArgumentError('must be like 0,3,5-7')
    const [from, to] = [Number(first), Number(last ?? first)]
    if (to < from || to > 10_000) throw new InvalidArgumentError('must be like 0,3,5-7')
    return Array.from({ length: to - from + 1 }, (_, i) => from + i)
  })

const command = new Command('verify')
  .description(
    'Reads topics and read models from the outside and proves: seqs without a gap, no packId twice, every command answered once, unread = recounted, archive = log by count and hash.',
  )
  .option('--partitions <list>', 'look at these partitions only, as 0,3,5-7 (default: all)', numbers)
  .option(
    '--sample <n>',
    'streams whose timelines and unread counts are compared, or all',
    (text) => (text === 'all' ? Number.POSITIVE_INFINITY : count(text)),
    2_000,
  )
  .option('--pack-ids <n>', 'newest packIds remembered per partition, 32 to 64 bytes each', count, 4_000_000)
  .option('--wait <seconds>', 'longest wait for read models that trail', count, 60)
  .option('--live <name>', 'compare this namespace of the Redis projections (default: the active one)')
  .option('--archive <name>', 'compare this namespace of the archive (default: the active one)')
  .option('--watch', 'go on with what comes, and export metrics on LONGWIRE_METRICS_PORT', false)
  .option('--every <seconds>', 'with --watch: pause between rounds', count, 30)

await runTool(command, async (tool) => {
  const flags = command.opts<Flags>()
  const { partitions } = tool.config
  const only = flags.partitions && [...new Set(flags.partitions)].sort((a, b) => a - b)
  const beyond = only?.find((partition) => partition >= partitions)
  if (beyond !== undefined)
    throw new ToolError(`--partitions: there is no partition ${beyond}; they are 0 to ${partitions - 1}`)
  const progress = createProgress(process.stderr)
  const stores = await openReadStores(tool, { live: flags.live, archive: flags.archive })
  const began = new Map<string, number>()
  const verifier = await createVerifier({
    store: tool.store('verify'),
    redis: await stores.redis(),
    clickhouse: stores.clickhouse,
    opener: (await openToolKeys(tool)).opener,
    partitions,
    generation: tool.config.generation,
    clock: tool.clock,
    policies: { p2p: tool.config.storeP2p, group: tool.config.storeGroup },
    only,
    sample: flags.sample,
    packIdsMax: flags.packIds,
    waitMs: flags.wait * 1_000,
    signal: tool.signal,
    progress(what, done, of) {
      if (flags.watch) return
      const from = began.get(what) ?? tool.clock.now()
      began.set(what, from)
      const perSecond = done / Math.max(0.001, (tool.clock.now() - from) / 1_000)
      const left = Math.max(0, of - done) / Math.max(1, perSecond)
      progress.show(
        `${what}: ${grouped(done)} of ${grouped(of)}, ${grouped(perSecond)}/s, ${Math.ceil(left)} s left`,
      )
    },
  })
  if (flags.watch) return watch(tool, verifier, flags.every * 1_000)
  const report = await verifier.round()
  progress.done()
  console.log(reportText(report))
  return totalFindings(report) === 0 ? 0 : 1
})

/** Until it is told to stop. A store that does not answer costs a round, not the process. */
async function watch(tool: Tool, verifier: Verifier, everyMs: number): Promise<number> {
  const { config, clock, signal } = tool
  const log = createLogger({ name: 'verify', level: config.logLevel })
  const metrics = createMetrics({ processMetrics: true })
  const totals = { verify_rounds: 0, verify_failed_rounds: 0 }
  let last: Report | null = null
  let down: Fault | null = null
  const report = startReport({
    ...{ log, clock, metrics, host: config.apiHost, port: config.metricsPort },
    counts: () => ({ ...totals, verify_records: last?.counts.records ?? 0 }),
    levels: () => (last ? levelsOf(last) : {}),
    ready: () => last !== null,
    failed: (fault) => {
      down = fault
    },
  })
  tool.atEnd(async () => report.stop())
  while (!signal.aborted && down === null) {
    try {
      last = await verifier.round()
      totals.verify_rounds += 1
      const findings = totalFindings(last)
      const { counts, streams, pairs, tookMs } = last
      const line = { findings, records: counts.records, streams, pairs, tookMs }
      if (findings === 0) log.info(line, 'all is as the log says')
      else log.error({ ...line, first: firstsOf(last) }, 'something is not as the log says')
    } catch (err) {
      if (!(err instanceof Fault) || signal.aborted) throw err
      totals.verify_failed_rounds += 1
      log.warn({ code: err.code, err }, 'a round could not be finished; trying on')
    }
    await pause(tool, everyMs)
  }
  if (down) throw down
  return last && totalFindings(last) > 0 ? 1 : 0
}

function levelsOf(report: Report): Record<string, number> {
  const kinds = (Object.keys(findingKinds) as FindingKind[]).map((kind) => [
    `verify_${kind.replaceAll('-', '_')}`,
    countOf(report, kind),
  ])
  return {
    verify_findings: totalFindings(report),
    ...Object.fromEntries(kinds),
    verify_streams: report.streams,
    verify_pairs: report.pairs,
    verify_took_ms: report.tookMs,
  }
}

function firstsOf({ findings }: Report): string[] {
  return findings.flatMap((of) =>
    of.kinds().flatMap((kind) =>
      of
        .first(kind)
        .slice(0, 1)
        .map((text) => `${kind}: ${text}`),
    ),
  )
}

function pause({ clock, signal }: Tool, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, resolve)
    const stop = (): void => {
      cancel()
      resolve()
    }
    signal.addEventListener('abort', stop, { once: true })
  })
}
