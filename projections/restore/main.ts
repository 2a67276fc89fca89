/** `npm run restore`: the topics written anew from the archive, as a new generation, for as many partitions as are wanted. */
import { userInfo } from 'node:os'
import { Command, InvalidArgumentError } from 'commander'
import { archivesIn } from '../../infra/clickhouse/archives.ts'
import { type ClickHouse, createClickHouse } from '../../infra/clickhouse/client.ts'
import { createProgress, grouped } from '../../infra/terminal.ts'
import { runTool, type Tool, ToolError } from '../../infra/tool.ts'
import { archivedSchemas } from '../archive/schemas.ts'
import { restoreContentKeys } from '../content-keys/mirror.ts'
import { archiveIn } from './archive.ts'
import { startAfresh } from './fresh.ts'
import { type Phase, type Restored, RestoreRefused, restore } from './restore.ts'

interface Options {
  readonly partitions?: number
  readonly replace?: true
  readonly from?: string
}

const QUERY_MS_MAX = 900_000
const by = userInfo().username
const PHASES: Readonly<Record<Phase, string>> = {
  check: 'looking at the archive',
  compare: 'comparing with im.events',
  write: 'writing im.events',
  verify: 'reading it back',
}

function partitionsOf(text: string): number {
  const count = Number(text)
  if (Number.isInteger(count) && count >= 1 && count <= 1_024) return count
  throw new InvalidArgumentError('It is a number from 1 to 1024.')
}

const program = new Command('restore')
  .description(
    'Writes im.events anew from the archive, as the generation after LONGWIRE_GENERATION. Longwire must be stopped.',
  )
  .option('--partitions <count>', 'of the new logs; default: LONGWIRE_PARTITIONS', partitionsOf)
  .option('--replace', 'gives up the logs that stand, where the archive has all of them')
  .option('--from <database>', 'of ClickHouse, with the archive; default: the newest one')

await runTool(program, run, { engines: 'start' })

async function run(tool: Tool, command: Command): Promise<number> {
  const { partitions, replace, from } = command.opts<Options>()
  const progress = createProgress(process.stderr)
  const rate = rateOf(tool.clock.now)
  try {
    const done = await restore({
      store: tool.store('restore'),
      clock: tool.clock,
      candidates: () => archivesIn(tool.clickHouseOptions),
      archiveIn: (database) => archiveIn(openArchive(tool, database)),
      database: from ?? null,
      generation: tool.config.generation,
      partitions: partitions ?? tool.config.partitions,
      replace: replace === true,
      by,
      restoreSchemas: async () => tool.schemas.publish(await archivedSchemas(tool.clickhouse())),
      restoreKeys: () => restoreContentKeys(tool.store('keys'), tool.clickhouse()),
      startAfresh: (generation) => freshNamespaces(tool, generation),
      say: (line) => {
        progress.done()
        console.error(line)
      },
      progress: (phase, count, of) => progress.show(`${PHASES[phase]}: ${rate(phase, count, of)}`),
      signal: tool.signal,
    })
    progress.done()
    report(done)
    return 0
  } catch (err) {
    progress.done()
    if (err instanceof RestoreRefused) throw new ToolError(err.message)
    throw err
  }
}

/** Whole partitions are gone through by one query. */
function openArchive(tool: Tool, database: string): ClickHouse {
  const clickhouse = createClickHouse({ ...tool.clickHouseOptions, database, requestTimeoutMs: QUERY_MS_MAX })
  tool.atEnd(() => clickhouse.close())
  return clickhouse
}

async function freshNamespaces(tool: Tool, generation: number): Promise<void> {
  const base = tool.config.clickhouseDatabase
  const found = await archivesIn(tool.clickHouseOptions)
  const archives = found.map(({ database }) => (database === base ? '' : database.slice(base.length + 1)))
  await startAfresh({ store: tool.store('namespaces'), generation, archives, by, at: tool.clock.now() })
}

function report({ generation, partitions, records, found, unanswered }: Restored): void {
  const earlier = found > 0 ? ` (${grouped(found)} of them by an earlier try)` : ''
  console.log(
    `restored ${grouped(records)} records${earlier} as generation ${generation}, in ${partitions} partitions; read back, they are those of the archive`,
  )
  if (unanswered > 0) console.log(`${grouped(unanswered)} accepted commands have no record`)
  console.log('Redis and the archive are built from them at the start, beside what they hold now.')
  console.log('Revoked tokens are not in the archive: revoke them again where im.revocations was lost.')
  console.log(`Start with LONGWIRE_GENERATION=${generation + 1} LONGWIRE_PARTITIONS=${partitions}`)
}

/** Share, rate of the last stretch, and how long it will take at that rate. */
function rateOf(now: () => number): (phase: string, done: number, of: number) => string {
  let began = { phase: '', at: 0, done: 0 }
  return (phase, done, of) => {
    if (phase !== began.phase) began = { phase, at: now(), done }
    const seconds = (now() - began.at) / 1_000
    const perSecond = seconds > 0 ? (done - began.done) / seconds : 0
    const share = of > 0 ? Math.min(100, (100 * done) / of) : 100
    const left = perSecond > 0 ? `, ${Math.ceil((of - done) / perSecond)} s left` : ''
    return `${grouped(done)} of ${grouped(of)} (${share.toFixed(0)} %), ${grouped(perSecond)}/s${left}`
  }
}
