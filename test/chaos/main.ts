/** `npm run test:chaos`: see `--help`. Exits 0 only when every guarantee held and every fault was seen to bite. */
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { Command } from 'commander'
import { reportOf } from './report.ts'
import { runChaos } from './run.ts'
import { allFaults, fullRun, type RunSettings, smokeRun } from './settings.ts'

interface Flags {
  readonly seed?: string
  readonly seconds?: string
  readonly rate?: string
  readonly smoke?: boolean
  readonly broken?: string
  readonly keep?: boolean
}

const flags = new Command('test:chaos')
  .description(
    'Load through the SDK while everything is killed, then an independent check of every guarantee.',
  )
  .option('--seed <number>', 'of the fault schedule (default: LONGWIRE_SEED, else random)')
  .option('--seconds <number>', 'length of the load')
  .option('--rate <number>', 'commands per second')
  .option('--smoke', 'the short run for CI')
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
const seed = number(flags.seed ?? process.env.LONGWIRE_SEED, Math.floor(Math.random() * 2 ** 31))
const enginesDir = path.resolve(process.env.LONGWIRE_ENGINES ?? '.longwire/engines')

let stop = async () => {}
let interrupted = false
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    if (interrupted) process.exit(130)
    interrupted = true
    process.stdout.write('\nstopping everything\n')
    void stop().finally(() => process.exit(130))
  })

process.exitCode = await plainRun()

async function plainRun(): Promise<number> {
  const size = flags.smoke ? smokeRun : fullRun
  const settings: RunSettings = {
    ...size,
    seed,
    seconds: number(flags.seconds, size.seconds),
    ratePerSecond: number(flags.rate, size.ratePerSecond),
    faults: allFaults,
    broken: null,
  }
  const dir = mkdtempSync(path.join(os.tmpdir(), 'longwire-chaos-'))
  say(`seed ${seed} (LONGWIRE_SEED=${seed} plays it again); data in ${dir}`)
  try {
    const result = await runChaos({
      ...{ settings, dir, enginesDir, say },
      preloads: () => [],
      onStop: (how) => {
        stop = how
      },
    })
    process.stdout.write(`${reportOf(result)}\n`)
    const good = result.findings.length === 0 && result.voids.length === 0
    if (good && !flags.keep) rmSync(dir, { recursive: true, force: true })
    else say(`history and logs are in ${dir}`)
    return good ? 0 : 1
  } catch (error) {
    if (interrupted) return 130
    say(`the run broke off: ${(error as Error).stack ?? String(error)}`)
    say(`logs are in ${dir}`)
    return 1
  }
}
