/** `npm run trace -- PACKID`: the whole way of one message. */
import { Command } from 'commander'
import { openReadStores } from '../../infra/read-stores.ts'
import { createProgress, grouped, table } from '../../infra/terminal.ts'
import { runTool } from '../../infra/tool.ts'
import { traceText } from './text.ts'
import { traceOf } from './trace.ts'

const command = new Command('trace')
  .description(
    'The way of one message from its command to the devices, with times and offsets; what it says is not shown.',
  )
  .argument('<packId>', 'as clients name it: 0192f0c1-2b3a-7c4d-8e5f-0123456789ab')
  .option('--json', 'as JSON', false)

await runTool(command, async (tool) => {
  const progress = createProgress(process.stderr)
  const { clickhouse, shared } = await openReadStores(tool)
  const options = {
    ...{ store: tool.store('trace'), clickhouse, shared, partitions: tool.config.partitions },
    ...{ clock: tool.clock, signal: tool.signal },
    progress: (what: string, done: number, of: number) =>
      progress.show(`${what}: ${grouped(done)} of ${grouped(of)}`),
  }
  const trace = await traceOf(options, command.args[0] ?? '')
  progress.done()
  if (command.opts<{ json: boolean }>().json) console.log(JSON.stringify(trace))
  else console.log(`\n${traceText(table, trace)}\n`)
  return 0
})
