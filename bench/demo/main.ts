/**
 * `npm run demo -- FILE`: a day of real chat, played through the SDK. Exits 1 if anything is missing, doubled or out of order, if a
 * recalled text is left anywhere, or if a count of unread messages or mentions is not what a recount says.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { bar, createProgress, grouped } from '../../infra/terminal.ts'
import { archivedMessages } from '../support/archive.ts'
import { openPlatform, type Platform } from '../support/platform.ts'
import { createAudit } from './audit.ts'
import { dialogue } from './dialogue.ts'
import { parseDay } from './parse.ts'
import { planOf } from './plan.ts'
import { hear, type Performance, play } from './play.ts'
import { createRecount } from './recount.ts'
import { countsOf, faultsOf, report } from './report.ts'
import { openRoom, type Room } from './room.ts'
import { type Script, scriptOf } from './script.ts'
import { verify } from './verify.ts'

const ARCHIVE_MS_MAX = 60_000
const PLAY_MS_MIN = 30_000
const PLAY_MS_MAX = 60_000
const DIALOGUE_MS = 8_000
/** Deliveries per second at which the default speed aims: a day in a large room takes longer. */
const DELIVERIES_PER_SEC = 8_000

interface Flags {
  readonly speed?: number
  readonly usersMax?: number
  readonly seed: number
}

const positive = (value: string): number => {
  const n = Number(value)
  if (!(n > 0)) throw new InvalidArgumentError('a number above 0')
  return n
}

const program = new Command('npm run demo --')
  .description(
    'Plays one day of real chat: every nick is a user with a connection of its own, all in one group.',
  )
  .argument('[file]', 'lines like "[HH:MM] <nick> text"; without one a short dialogue is played')
  .option('--speed <n>', 'times as fast as it was said (default: it takes 30 to 60 s)', positive)
  .option('--users-max <n>', 'leave out whoever comes later than the first n', positive)
  .option('--seed <n>', 'of what is read, recalled, edited and reacted to', Number, 1)
  .addHelpText(
    'after',
    '\nUses the platform at LONGWIRE_URL if that is set, else starts one in a temporary folder.',
  )
  .parse()

process.exitCode = await main(program.args[0], program.opts<Flags>())

async function main(file: string | undefined, flags: Flags): Promise<number> {
  let script: Script
  try {
    script = scriptOf(file === undefined ? dialogue : parseDay(readFileSync(file, 'utf8')), flags.usersMax)
  } catch (error) {
    console.error(`cannot read ${file}: ${(error as Error).message}`)
    return 2
  }
  if (script.turns.length === 0) {
    console.error(`${file} holds no line of the form "[HH:MM] <nick> text"`)
    return 2
  }
  const name = file === undefined ? 'A short dialogue' : path.basename(file)
  console.log(`\n  ${name}: ${grouped(script.people.length)} people, ${grouped(script.turns.length)} lines`)
  if (script.renames > 0)
    console.log(`  ${grouped(script.renames)} renames, the same user goes on under the new nick`)
  if (script.linesCut > 0) console.log(`  ${grouped(script.linesCut)} lines left out (--users-max)`)
  console.log('')

  let platform: Platform | undefined
  let room: Room | undefined
  let ended: Promise<void> | undefined
  const end = (keep: boolean): Promise<void> => {
    ended ??= (async () => {
      await room?.close().catch(() => {})
      if (platform?.isPrivate) console.log('  stopping the platform …')
      await platform?.stop({ keep })
    })()
    return ended
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void end(false).finally(() => process.exit(130)))

  let ok = false
  try {
    platform = await openPlatform({ name: 'demo', say: (line) => console.log(line) })
    if (platform.isPrivate) console.log('')
    ok = await demo(platform, script, name, flags, (opened) => {
      room = opened
    })
  } catch (error) {
    console.error(`\n  ${(error as Error).message}`)
  }
  await end(!ok)
  if (!ok && platform?.isPrivate) console.error(`  data and logs are kept in ${platform.dataDir}`)
  return ok ? 0 : 1
}

async function demo(
  platform: Platform,
  script: Script,
  name: string,
  flags: Flags,
  opened: (room: Room) => void,
): Promise<boolean> {
  const progress = createProgress(process.stdout)
  const people = script.people.length
  const audit = createAudit(
    people,
    script.turns.map((turn) => turn.person),
  )
  const on: Performance = { script, plan: planOf(script, flags.seed), audit, recount: createRecount() }
  const room = await openRoom(
    platform,
    script.people,
    name.slice(0, 60),
    (heard) => hear(on, heard),
    (step, done) =>
      progress.show(`  ${bar(done / people, 30)}  ${grouped(done)} of ${grouped(people)} ${step}`),
  )
  opened(room)
  progress.done(`  ${grouped(people)} people online, all in ${room.conversationId}`)

  const speed = flags.speed ?? script.spanMs / defaultPlayMs(script)
  const fromMs = Date.now()
  console.log(`  ${countsOf(script, on.plan)}`)
  const refusals = await play(on, room, speed, (share) => {
    const { sent, committed, received } = audit.counts()
    const said = `${grouped(sent)} sent  ${grouped(committed)} committed  ${grouped(received)} delivered`
    progress.show(`  ${bar(share, 30)}  ${said}`)
  })
  progress.done(
    `  played in ${((Date.now() - fromMs) / 1000).toFixed(1)} s, ${speed < 10 ? speed.toFixed(1) : grouped(speed)} times as fast as it was said`,
  )

  const { committed } = audit.counts()
  progress.show('  counting the archive …')
  const archived = platform.clickhouse
    ? await archivedMessages(platform.clickhouse, room.conversationId, committed, ARCHIVE_MS_MAX)
    : null
  progress.show('  comparing counts, pages and searches …')
  const checks = await verify(on, room)
  progress.done()
  const wireDuplicates = room.clients.reduce((sum, client) => sum + client.stats().duplicates, 0)
  const result = audit.result()
  const extras = { archived, wireDuplicates, refusals, checks }
  console.log(`\n${report(result, extras)}\n`)
  const faults = faultsOf(result, extras)
  if (faults.length === 0)
    console.log('  ✔ everybody got everything, once and in order, and every count is right\n')
  else console.log(`  ✘ ${faults.join(', ')}\n`)
  return faults.length === 0
}

function defaultPlayMs(script: Script): number {
  if (script.turns.length < 100) return DIALOGUE_MS
  const deliveries = script.turns.length * script.people.length
  return Math.min(PLAY_MS_MAX, Math.max(PLAY_MS_MIN, (deliveries / DELIVERIES_PER_SEC) * 1_000))
}
