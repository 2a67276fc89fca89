/** What `npm run test:chaos` does: see `--help`. Its result is 0 only when every guarantee held and every fault was seen to bite. */
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { Command } from 'commander'
import { exitWithParent } from '../../infra/lifecycle.ts'
import { type BrokenBuild, brokenBuilds, preloadsOf, unpatched } from './broken/builds.ts'
import type { RunResult } from './report.ts'
import { examples, reportOf } from './report.ts'
import { runChaos } from './run.ts'
import {
  type CrowdName,
  crowdNames,
  derivedFaults,
  type FaultName,
  fullRun,
  linkFaults,
  linkRun,
  type RunSettings,
  rebuildRun,
  smokeRun,
  storeFaults,
} from './settings.ts'

interface Flags {
  readonly seed?: string
  readonly seconds?: string
  readonly rate?: string
  readonly smoke?: boolean
  readonly links?: boolean
  readonly rebuild?: boolean
  readonly truncate?: boolean
  readonly crowds?: string
  readonly redisLate?: string
  readonly broken?: string
  readonly keep?: boolean
  readonly kills?: string
  readonly drops?: string
  readonly faults?: string
}

const faultNames: readonly FaultName[] = [...storeFaults, ...linkFaults, ...derivedFaults]
const flags = new Command('test:chaos')
  .description(
    'Load through the SDK while everything is killed, then an independent check of every guarantee.',
  )
  .option(
    '--seed <number>',
    'of the fault schedule (default: LONGWIRE_SEED, else drawn, or fixed for --smoke)',
  )
  .option('--seconds <number>', 'length of the load')
  .option('--rate <number>', 'commands per second')
  .option('--kills <number>', 'kill -9 of role processes')
  .option('--drops <number>', 'produce answers lost after the append')
  .option('--faults <names>', `the others, separated by commas: ${faultNames.join(', ')}, or none`)
  .option('--crowds <names>', `bad clients beside the good: ${crowdNames.join(', ')}, or none`)
  .option('--redis-late <ms>', 'start without Redis, which comes so long after the load has begun')
  .option('--smoke', 'the short run for CI')
  .option('--links', 'the run of what connections suffer')
  .option('--rebuild', 'the run of what is built from the log, at the end of which it is built anew')
  .option('--truncate', 'last of all, im.events loses what nobody has projected (part of --rebuild)')
  .option('--broken <name>', 'run a broken build, or `all`: it must be caught')
  .option('--keep', 'keep history, logs and data of a run that passed, too')
  .parse()
  .opts<Flags>()

const startMs = performance.now()
const say = (line: string) =>
  void process.stdout.write(`${((performance.now() - startMs) / 1_000).toFixed(1).padStart(7)} s  ${line}\n`)
const number = (text: string | undefined, fallback: number) => {
  const value = text === undefined || text === '' ? fallback : Number(text)
  if (Number.isSafeInteger(value) && value >= 0) return value
  process.stderr.write(`${text} is not a whole number\n`)
  process.exit(2)
}
/** Names separated by commas, in the order of `known`; `none` is none of them. */
function namesOf<T extends string>(text: string, known: readonly T[]): readonly T[] {
  const names = text === 'none' ? [] : text.split(',')
  const unknown = names.find((name) => !known.some((one) => one === name))
  if (unknown !== undefined) {
    process.stderr.write(`there is no ${unknown}: ${known.join(', ')}, or none\n`)
    process.exit(2)
  }
  return known.filter((one) => names.includes(one))
}
/** A gate asks everyone the same; the full run draws. */
const smokeSeed = 1_920_044_172
const drawn = flags.smoke ? smokeSeed : Math.floor(Math.random() * 2 ** 31)
const seed = number(flags.seed ?? process.env.LONGWIRE_SEED, drawn)
const enginesDir = path.resolve(process.env.LONGWIRE_ENGINES ?? '.longwire/engines')

/** A broken build may never come to rest. */
const brokenRestMsMax = 45_000

let stop = async () => {}
let interrupted = false
const interrupt = () => {
  if (interrupted) process.exit(130)
  interrupted = true
  process.stdout.write('\nstopping everything\n')
  void stop().finally(() => process.exit(130))
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupt)
exitWithParent(interrupt)

if (flags.broken === undefined) {
  process.exitCode = await soundRun()
  const special = flags.smoke || flags.links || flags.rebuild
  // The full run ends with the proof that its checker would have objected.
  if (process.exitCode === 0 && !special && flags.seconds === undefined)
    process.exitCode = await brokenRuns(brokenBuilds)
} else {
  const named = brokenBuilds.filter(({ name }) => flags.broken === 'all' || flags.broken === name)
  if (named.length === 0) {
    const names = brokenBuilds.map(({ name }) => name).join(', ')
    process.stderr.write(`there is no broken build ${flags.broken}: all, ${names}\n`)
    process.exit(2)
  }
  process.exitCode = await brokenRuns(named)
}

// Whoever started this may end it now: everything is stopped, and every file is written.
process.send?.(process.exitCode)

function sizeOf({ smoke, links, rebuild }: Flags): Omit<RunSettings, 'seed'> {
  if (smoke) return smokeRun
  if (links) return linkRun
  return rebuild ? rebuildRun : fullRun
}

async function soundRun(): Promise<number> {
  const size: Omit<RunSettings, 'seed'> = sizeOf(flags)
  const settings: RunSettings = {
    ...size,
    seed,
    seconds: number(flags.seconds, size.seconds),
    ratePerSecond: number(flags.rate, size.ratePerSecond),
    kills: number(flags.kills, size.kills),
    drops: number(flags.drops, size.drops),
    faults: flags.faults === undefined ? size.faults : namesOf(flags.faults, faultNames),
    crowds: flags.crowds === undefined ? size.crowds : namesOf<CrowdName>(flags.crowds, crowdNames),
    redisLateMs: number(flags.redisLate, size.redisLateMs),
    truncate: size.truncate || flags.truncate === true,
  }
  const run = await attempt(settings, null)
  if (!run.result) return 1
  process.stdout.write(`${reportOf(run.result)}\n`)
  const good = run.result.findings.length === 0 && run.result.voids.length === 0
  if (good && !flags.keep) rmSync(run.dir, { recursive: true, force: true })
  else say(`history and logs are in ${run.dir}`)
  return good ? 0 : 1
}

/** Each of them must be caught by the checker. */
async function brokenRuns(builds: readonly BrokenBuild[]): Promise<number> {
  const lines: string[] = []
  let caughtAll = true
  for (const build of builds) {
    say(`broken build ${build.name}`)
    const { dir, result } = await attempt({ ...build.settings, seed }, build)
    const missing = unpatched(build, path.join(dir, 'logs'))
    const telling = result ? tellingOf(build, result) : []
    const caught = missing.length === 0 && telling.length > 0
    caughtAll &&= caught
    for (const line of examples(result?.findings ?? [])) process.stdout.write(`    ${line}\n`)
    const why = missing.length > 0 ? `void: ${missing.join(', ')} ran unpatched` : 'NOT caught'
    const kinds = [...new Set(telling.map(({ kind }) => kind))].join(', ')
    lines.push(`${build.name.padEnd(16)} ${caught ? `caught: ${telling.length} violations (${kinds})` : why}`)
    say(lines.at(-1) ?? '')
    if (caught && !flags.keep) rmSync(dir, { recursive: true, force: true })
    else say(`history and logs are in ${dir}`)
    if (interrupted) return 130
  }
  process.stdout.write(`\n── broken builds ────────────────────────────────────────────────────────────\n`)
  process.stdout.write(`${lines.map((line) => `  ${line}`).join('\n')}\n`)
  return caughtAll ? 0 : 1
}

/** A row that is only late, in a run that never came to rest, tells nothing. */
function tellingOf(build: BrokenBuild, { findings, restMs }: RunResult) {
  const late = (kind: string) => restMs === null && kind === 'archive-missing'
  return findings.filter(({ kind }) => build.expected.includes(kind) && !late(kind))
}

async function attempt(
  settings: RunSettings,
  build: BrokenBuild | null,
): Promise<{ dir: string; result: RunResult | null }> {
  const dir = mkdtempSync(path.join(os.tmpdir(), `longwire-chaos-${build ? `${build.name}-` : ''}`))
  say(`seed ${settings.seed} (LONGWIRE_SEED=${settings.seed} plays it again); data in ${dir}`)
  try {
    const result = await runChaos({
      ...{ settings, dir, enginesDir, say },
      ...(build ? { restMsMax: brokenRestMsMax } : {}),
      preloads: preloadsOf(build, settings.failpoints),
      onStop: (how) => {
        stop = how
      },
    })
    return { dir, result }
  } catch (error) {
    if (interrupted) process.exit(130)
    say(`the run broke off: ${(error as Error).stack ?? String(error)}`)
    say(`logs are in ${dir}`)
    return { dir, result: null }
  }
}
