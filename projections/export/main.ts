/** `npm run export`: a user's or a conversation's records as JSON Lines with a manifest; `--check` holds an export against its manifest. */
import { Command } from 'commander'
import { openReadStores, openToolKeys } from '../../infra/read-stores.ts'
import { createProgress, grouped } from '../../infra/terminal.ts'
import { runTool, ToolError } from '../../infra/tool.ts'
import { exportOf, type Manifest, type Subject } from './export.ts'
import { checkFolder, intoFolder, openLineFile } from './files.ts'

interface Flags {
  readonly to?: string
  readonly check?: string
}

const command = new Command('export')
  .description(
    'The records of a user or a conversation as JSON Lines, with a manifest of counts, positions and hashes.',
  )
  .argument('[kind]', 'user or conversation')
  .argument('[id]', 'of the user or the conversation')
  .option('--to <folder>', 'where to; it must not be there yet')
  .option('--check <folder>', 'holds an export against its manifest; needs no services')

const { check } = checkOnly(process.argv)
if (check !== undefined) process.exit(await checked(check))

await runTool(command, async (tool) => {
  const [kind, id] = command.args
  const { to } = command.opts<Flags>()
  if ((kind !== 'user' && kind !== 'conversation') || id === undefined || to === undefined)
    throw new ToolError('npm run export -- user|conversation ID --to FOLDER, or --check FOLDER')
  const subject: Subject = { kind, id }
  const progress = createProgress(process.stderr)
  const { clickhouse, shared } = await openReadStores(tool)
  const { opener } = await openToolKeys(tool)
  const manifest = await intoFolder(to, (folder) =>
    exportOf(subject, {
      ...{
        clickhouse,
        shared,
        opener,
        generation: tool.config.generation,
        now: tool.clock.now(),
        signal: tool.signal,
      },
      open: (name) => openLineFile(folder, name),
      progress: (records) => progress.show(`${grouped(records)} records`),
    }),
  )
  progress.done()
  console.log(summaryOf(manifest))
  return 0
})

/** An export is checked wherever it is, without a platform. */
function checkOnly(argv: readonly string[]): { check?: string } {
  const at = argv.indexOf('--check')
  const folder = at >= 0 ? argv[at + 1] : argv.find((arg) => arg.startsWith('--check='))?.slice(8)
  return folder === undefined ? {} : { check: folder }
}

async function checked(folder: string): Promise<number> {
  try {
    const { manifest, wrong } = await checkFolder(folder)
    console.log(wrong.length === 0 ? `whole: ${summaryOf(manifest)}` : wrong.join('\n'))
    return wrong.length === 0 ? 0 : 1
  } catch (err) {
    if (!(err instanceof RangeError)) throw err
    console.error(err.message)
    return 2
  }
}

function summaryOf({ subject, records, logins, streams, files, at }: Manifest): string {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  return `${subject.kind} ${subject.id}: ${grouped(records)} records of ${grouped(streams.length)} streams, ${grouped(logins)} logins, ${grouped(bytes)} bytes, made ${at}`
}
