/** `npm run at -- TIME …`: the past, from the archive or from the log. */
import { Command, InvalidArgumentError } from 'commander'
import { openReadStores, openToolKeys } from '../../infra/read-stores.ts'
import { createProgress, grouped, table } from '../../infra/terminal.ts'
import { runTool, ToolError } from '../../infra/tool.ts'
import { checkTime, conversationAt, iso, listAt, rosterAt, unreadAt, type Where } from './at.ts'
import { archivePast, logPast } from './sources.ts'
import { conversationText, entriesText, rosterText } from './text.ts'
import { timeIn } from './time.ts'

interface Flags {
  readonly fromLog: boolean
  readonly json: boolean
  readonly limit: number
}

const limit = (text: string): number => {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1 || value > 10_000)
    throw new InvalidArgumentError('must be from 1 to 10000')
  return value
}

const command = new Command('at')
  .description('A conversation, a roster, unread counts or a list of conversations as they were at a moment.')
  .argument('<time>', 'broker time: 2026-11-22T08:30:00Z, or milliseconds')
  .argument('<what>', 'conversation, roster, unread or list')
  .argument('<id>', 'of the conversation, the group or the user')
  .argument('[conversation]', 'with unread: of this one only')
  .option(
    '--from-log',
    'read the log, not the archive: slower, and true whatever happened to the archive',
    false,
  )
  .option('--limit <n>', 'messages of a conversation', limit, 30)
  .option('--json', 'as JSON', false)
  .addHelpText(
    'after',
    `
  npm run at -- 2026-11-22T08:30:00Z conversation g:4f2a… --limit 100
  npm run at -- 2026-11-22T08:30:00Z roster g:4f2a…
  npm run at -- 2026-11-22T08:30:00Z unread ann p2p:ann:bob
  npm run at -- 2026-11-22T08:30:00Z list ann --from-log`,
  )

await runTool(command, async (tool) => {
  const [timeText = '', what = '', id = '', conversation] = command.args
  const flags = command.opts<Flags>()
  const time = timeIn(timeText)
  if (!['conversation', 'roster', 'unread', 'list'].includes(what))
    throw new ToolError(`there is no '${what}': conversation, roster, unread or list`)
  if (conversation !== undefined && what !== 'unread')
    throw new ToolError(`${what} takes one id, and '${conversation}' is a second one`)
  const progress = createProgress(process.stderr)
  const { opener } = await openToolKeys(tool)
  const past = flags.fromLog
    ? logPast({
        ...{ store: tool.store('at'), partitions: tool.config.partitions, signal: tool.signal, opener },
        progress: (done, of) => progress.show(`reading the log: ${grouped(done)} of at most ${grouped(of)}`),
      })
    : archivePast((await openReadStores(tool)).clickhouse, opener)
  const where: Where = { past, time }
  await checkTime(where, tool.clock.now())
  const last = (await past.times())?.last ?? 0
  const { answer, text } = await ask(where, what, id, conversation, flags.limit)
  progress.done()
  if (flags.json)
    console.log(JSON.stringify({ time, at: iso(time), from: flags.fromLog ? 'log' : 'archive', ...answer }))
  else console.log(`\n  as of ${iso(time)}, from the ${flags.fromLog ? 'log' : 'archive'}\n\n${text}\n`)
  if (time > last) console.error(`the archive has come to ${iso(last)}: what came later may not be in it yet`)
  return 0
})

async function ask(where: Where, what: string, id: string, conversation: string | undefined, keep: number) {
  switch (what) {
    case 'conversation': {
      const answer = await conversationAt(where, id, keep)
      return { answer, text: conversationText(answer) }
    }
    case 'roster': {
      const answer = await rosterAt(where, id)
      return { answer, text: rosterText(table, answer, where.time) }
    }
    default: {
      const conversations = await (what === 'list' ? listAt(where, id) : unreadAt(where, id, conversation))
      return { answer: { user: id, conversations }, text: entriesText(table, conversations) }
    }
  }
}
