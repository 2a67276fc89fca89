/**
 * `npm run audit -- CONVERSATION --token-file FILE --reason TEXT`: what users no longer see, for whoever has a token with the right
 * `audit`. Each reading stands on im.readings before anything is shown; `--readings` lists them.
 */
import { readFileSync } from 'node:fs'
import { Command, InvalidArgumentError } from 'commander'
import { createRevocations } from '../../gateway/tokens/revocations.ts'
import { keysOf } from '../../gateway/tokens/setup.ts'
import type { Verdict } from '../../gateway/tokens/verdict.ts'
import { createVerifier } from '../../gateway/tokens/verifier.ts'
import { silentLog } from '../../infra/log.ts'
import { openReadStores, openToolKeys } from '../../infra/read-stores.ts'
import { table } from '../../infra/terminal.ts'
import { runTool, type Tool, ToolError } from '../../infra/tool.ts'
import { isId, parseStream } from '../../schemas/ids.ts'
import { topics } from '../../schemas/topics.ts'
import { oneLine, textIn } from '../at/text.ts'
import { scan } from '../scan.ts'
import { type HiddenContent, hiddenIn, readings, record, type Scope } from './audit.ts'

interface Flags {
  readonly user?: string
  readonly seqs?: { readonly from: number; readonly to: number }
  readonly tokenFile?: string
  readonly reason?: string
  readonly readings: boolean
  readonly json: boolean
}

const REASON_CHARS_MAX = 500
const CONTENTS_MAX = 10_000
const STDIN = 0
const DAY_MS = 86_400_000

const seqs = (text: string) => {
  const [, first, last] = /^(\d{1,15})(?:-(\d{1,15}))?$/.exec(text) ?? []
  const [from, to] = [Number(first), Number(last ?? first)]
  if (first === undefined || from < 1 || to < from) throw new InvalidArgumentError('must be like 17 or 17-40')
  return { from, to }
}

const command = new Command('audit')
  .description(
    'What users no longer see of a conversation: recalled, edited over, erased. For auditors, and each reading is recorded.',
  )
  .argument('[conversation]', 'p2p:ann:bob or g:…')
  .option('--token-file <file>', 'with the auditor’s token, which must give the right `audit`; - for stdin')
  .option('--reason <text>', 'why it is read; it stands on the record')
  .option('--user <id>', 'messages of this user only')
  .option('--seqs <range>', 'messages with these seqs only, as 17-40', seqs)
  .option('--readings', 'who has read what, instead', false)
  .option('--json', 'as JSON Lines', false)

await runTool(command, async (tool) => {
  const flags = command.opts<Flags>()
  const [conversation] = command.args
  const auditor = await auditorOf(tool, flags.tokenFile)
  if (flags.readings) return showReadings(tool, flags.json)
  if (conversation === undefined || parseStream(conversation) === null)
    throw new ToolError(
      `'${conversation ?? ''}' is no conversation: p2p:<a>:<b> with the ids in their order, or g:<group id>`,
    )
  const reason = flags.reason?.trim() ?? ''
  if (reason === '' || reason.length > REASON_CHARS_MAX)
    throw new ToolError(`--reason says why, in at most ${REASON_CHARS_MAX} characters`)
  if (flags.user !== undefined && !isId(flags.user)) throw new ToolError(`'${flags.user}' is no user id`)
  const { keys } = await openToolKeys(tool)
  if (!keys) throw new ToolError('contents are not sealed here, and nothing is held for auditors')
  const { from, to } = flags.seqs ?? { from: 1, to: null }
  const scope: Scope = { conversation, user: flags.user ?? null, from, to }
  const { clickhouse } = await openReadStores(tool)
  const found = await hiddenIn(scope, {
    ...{ clickhouse, ring: keys.ring, now: tool.clock.now() },
    holdMs: tool.config.holdDays * DAY_MS,
  })
  if (found.length > CONTENTS_MAX)
    throw new ToolError(
      `${found.length} contents: at most ${CONTENTS_MAX} at a time; narrow it with --seqs or --user`,
    )
  const contents = found.filter(({ content }) => content !== null).length
  await record(tool.store('readings'), { auditor, at: tool.clock.now(), reason, ...scope, contents })
  for (const one of found) console.log(flags.json ? JSON.stringify(one) : lineOf(one))
  if (!flags.json)
    console.log(
      `\n  ${found.length} contents that users do not see, ${contents} of them readable; recorded as read by ${auditor}`,
    )
  return 0
})

function lineOf({ seq, time, sender, why, by, content, contentType }: HiddenContent): string {
  const said = content === null ? '(destroyed)' : oneLine(textIn(content) ?? `[${contentType}] ${content}`)
  const hidden = by === null ? why : `${why} by ${by}`
  return `  ${String(seq).padStart(6)}  ${new Date(time).toISOString()}  ${sender}  (${hidden}): ${said}`
}

async function showReadings(tool: Tool, json: boolean): Promise<number> {
  const all = await readings(tool.store('readings'))
  if (json) for (const one of all) console.log(JSON.stringify(one))
  else {
    const rows = all.map(({ auditor, at, conversation, user, from, to, contents, reason }) => [
      ...[new Date(at).toISOString(), auditor, conversation, user ?? 'all'],
      to === null ? 'all' : `${from}-${to}`,
      ...[contents, oneLine(reason)],
    ])
    console.log(table(['at', 'auditor', 'conversation', 'of', 'seqs', 'contents', 'reason'], rows))
  }
  return 0
}

/** Whom the token names. Its revocation counts as at a login. */
async function auditorOf(tool: Tool, file: string | undefined): Promise<string> {
  if (file === undefined)
    throw new ToolError('--token-file names the file with your token; - reads it from stdin')
  let token: string
  try {
    token = readFileSync(file === '-' ? STDIN : file, 'utf8').trim()
  } catch (err) {
    throw new ToolError(`${file} cannot be read (${(err as NodeJS.ErrnoException).code})`)
  }
  const revocations = createRevocations()
  await scan({
    ...{ store: tool.store('revocations'), topic: topics.revocations, partitions: 1, compacted: true },
    take(_, batch) {
      for (const { value } of batch) if (value) revocations.apply(value)
    },
  })
  const keys = keysOf(tool.config, { clock: tool.clock, random: () => 0, log: silentLog })
  tool.atEnd(async () => keys.stop())
  const { tokenIssuer: issuer, tokenAudience: audience } = tool.config
  const revokedBefore = revocations.before
  const verdict: Verdict = await createVerifier({
    keys,
    issuer,
    audience,
    clock: tool.clock,
    revokedBefore,
  }).verify(token)
  if (!verdict.ok) throw new ToolError(`the token is refused: ${verdict.code}`)
  if (!verdict.rights.includes('audit')) throw new ToolError('the token does not give the right `audit`')
  return verdict.userId
}
