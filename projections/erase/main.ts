/** `npm run erase`: takes a user's contents from everyone, and destroys what auditors have had long enough. */
import { userInfo } from 'node:os'
import { Command } from 'commander'
import { archivesIn } from '../../infra/clickhouse/archives.ts'
import { createClickHouse } from '../../infra/clickhouse/client.ts'
import { databaseOf } from '../../infra/clickhouse/namespaces.ts'
import { keysSecretOf } from '../../infra/keys-secret.ts'
import { openReadStores, openToolKeys } from '../../infra/read-stores.ts'
import { createProgress, grouped, table } from '../../infra/terminal.ts'
import { runTool, type Tool, ToolError } from '../../infra/tool.ts'
import { isId } from '../../schemas/ids.ts'
import { topics } from '../../schemas/topics.ts'
import { sealedFor } from '../content-keys/freshness.ts'
import { isPart, userOf } from '../content-keys/ring.ts'
import type { Namespaces } from '../namespaces/follower.ts'
import { inNamespace } from '../namespaces/redis.ts'
import { standingOf } from '../restore/standing.ts'
import { destroyDue, type Erased, type EraseOptions, eraseUser } from './erase.ts'

const DAY_MS = 86_400_000
const REDIS_READY_MS = 5_000

interface Flags {
  readonly now: boolean
  readonly wait: boolean
}

const command = new Command('erase')
  .description(
    'Contents of messages are sealed under keys of their senders. Erasing takes the keys away: from everyone but auditors at first, and when LONGWIRE_HOLD_DAYS are over from them as well.',
  )
  .argument('<what>', 'user, due or list')
  .argument('[user]', 'with user: whose contents')
  .option('--now', 'with user: nothing is held for auditors; there is no way back', false)
  .option('--no-wait', 'with user: ends before it is certain that no gateway seals under the keys any more')
  .addHelpText(
    'after',
    `
  npm run erase -- user ann        nobody but auditors reads what ann has said until now; it takes some 50 s
  npm run erase -- due             destroys what has been held for long enough; run it daily
  npm run erase -- list            whose contents are held, and until when`,
  )

await runTool(command, async (tool) => {
  const [what = '', user] = command.args
  if (!['user', 'due', 'list'].includes(what)) throw new ToolError(`there is no '${what}': user, due or list`)
  if ((what === 'user') !== (user !== undefined))
    throw new ToolError(
      what === 'user' ? 'whose contents? npm run erase -- user USER' : `${what} takes no user`,
    )
  if (user !== undefined && !isId(user))
    throw new ToolError(`'${user}' is no user id: letters, digits and _ . - , at most 64`)
  const { keys } = await openToolKeys(tool)
  const secret = keysSecretOf(tool.config)
  if (!keys || !secret)
    throw new ToolError('contents are not sealed here: LONGWIRE_KEYS_SECRET_FILE names no secret of keys')
  if (what === 'list') return list(tool, keys.ring.all())
  const progress = createProgress(process.stderr)
  const stores = await openReadStores(tool)
  const options: EraseOptions = {
    ...(await readModelsOf(tool, stores.namespaces)),
    ...{ keys, secret, clock: tool.clock, signal: tool.signal, by: userInfo().username },
    ...{ log: stores.clickhouse, generation: tool.config.generation },
    commandEnds: () => commandEnds(tool),
    progress: (contents) => progress.show(`${grouped(contents)} contents`),
  }
  const holdMs = tool.config.holdDays * DAY_MS
  if (user === undefined) {
    const { users, erased, left } = await destroyDue(options, holdMs)
    progress.done()
    console.log(`destroyed: the keys of ${users.length === 0 ? 'no user' : users.join(', ')}`)
    console.log(summaryOf(erased))
    if (left > 0)
      console.log(
        `${grouped(left)} contents are left as they are: too many of one user and month were cut out`,
      )
    return left > 0 ? 1 : 0
  }
  const until = command.opts<Flags>().now ? 0 : tool.clock.now() + holdMs
  const erased = await eraseUser(options, user, until)
  progress.done()
  const held = until > tool.clock.now()
  console.log(
    `erased: ${user}; ${held ? `auditors may read it until ${day(until)}, then npm run erase -- due destroys it` : 'the keys are destroyed'}`,
  )
  console.log(summaryOf(erased))
  if (command.opts<Flags>().wait) await untilUnused(tool, user, sealedFor(keys.ring, user, tool.clock.now()))
  return 0
})

/** What he writes meanwhile may be sealed by a gateway that has not heard of it, and is then gone with the rest. */
async function untilUnused(tool: Tool, user: string, ms: number): Promise<void> {
  if (ms === 0) return
  const seconds = Math.ceil(ms / 1_000)
  console.error(
    `waiting ${seconds} s: then no gateway, were it cut off from ${topics.keys}, seals what ${user} writes under the keys that are gone`,
  )
  const stopped = new Promise<void>((resolve) => {
    tool.signal.addEventListener('abort', () => resolve(), { once: true })
  })
  await Promise.race([tool.clock.sleep(ms), stopped])
}

async function commandEnds(tool: Tool): Promise<readonly number[]> {
  const { ranges } = await standingOf(tool.store('ends'), topics.commands)
  return ranges.map(({ end }) => end)
}

function summaryOf({ contents, inClear, redis, archive }: Erased): string {
  const clear =
    inClear > 0
      ? `\n${grouped(inClear)} contents were logged in clear, before there were keys: they stand in im.events as they were`
      : ''
  return `${grouped(contents)} contents without a key; blanked ${grouped(redis)} items in Redis and ${grouped(archive)} rows of the archive${clear}`
}

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

/** All namespaces, those that nobody reads any more included. */
async function readModelsOf(tool: Tool, namespaces: Namespaces) {
  const redis = tool.redis('erase')
  await redis.ready(REDIS_READY_MS)
  const active = databaseOf(tool.clickHouseOptions.database, namespaces.of('archive').active)
  const databases = (await archivesIn(tool.clickHouseOptions)).map(({ database }) => database)
  const archives = [...databases.filter((one) => one !== active), active].map((database) =>
    createClickHouse({ ...tool.clickHouseOptions, database }),
  )
  for (const archive of archives) tool.atEnd(() => archive.close())
  return { redis: namespaces.of('live').namespaces.map(({ name }) => inNamespace(redis, name)), archives }
}

function list(
  tool: Tool,
  all: Iterable<{ id: string; state: string; heldUntil: number | null; by: string; at: number }>,
): number {
  const rows = [...all]
    .filter(({ id, state }) => !isPart(id) && state !== 'live')
    .map(({ id, state, heldUntil, by, at }) => [
      userOf(id),
      state === 'held' && (heldUntil ?? 0) <= tool.clock.now() ? 'due' : state,
      heldUntil === null ? '' : day(heldUntil),
      day(at),
      by,
    ])
  console.log(rows.length === 0 ? '  nobody' : table(['user', 'state', 'held until', 'since', 'by'], rows))
  return 0
}
