/** `npm run bench`: see `--help`. Exits 1 where anything was lost, doubled, refused or out of order. */
import { Command, InvalidArgumentError } from 'commander'
import { type ArchiveFlags, benchArchive } from './archive/run.ts'
import { benchGroups, type GroupsFlags } from './groups/run.ts'
import { benchIsolation, type IsolationFlags } from './isolation/run.ts'
import { benchOffline, type OfflineFlags } from './offline/run.ts'
import { benchRates, type RatesFlags } from './rates.ts'
import { benchReplay, type ReplayFlags } from './replay/run.ts'
import { benchRooms, type RoomsFlags } from './rooms/run.ts'
import { benchSlow, type SlowFlags } from './slow/run.ts'
import { benchStorm, type StormFlags } from './storm/run.ts'

/** Long enough for the broker's just-in-time compiler to be done with what is hot. */
const WARM_UP_SECONDS = 20
const PLATFORM = '\nUses the platform at LONGWIRE_URL if that is set, else starts one in a temporary folder.'

const positive = (value: string): number => {
  const n = Number(value)
  if (!(n > 0)) throw new InvalidArgumentError('a number above 0')
  return n
}
const positives = (value: string): number[] => value.split(',').map(positive)

const program = new Command('npm run bench --')
program
  .command('rates', { isDefault: true })
  .description('Open-loop load through the SDK; latency counts from the moment a message was due.')
  .option('--rate <n>', 'only one run at this many messages per second', positive)
  .option('--find-max', 'only the search for the highest rate')
  .option('--idle <n>', 'only the memory of this many idle connections', positive)
  .option('--seconds <n>', 'length of a measured run', positive, 20)
  .option('--connections <n>', 'connections, in pairs', positive, 1_000)
  .option('--bytes <n>', 'bytes of text in a message', positive, 200)
  .option('--from <n>', 'rate at which the search begins', positive, 1_000)
  .option('--loaders <n>', 'load processes', positive, 1)
  .option('--codec <name>', 'json or avro', 'json')
  .option('--warm-up <n>', 'seconds of load before anything counts', positive, WARM_UP_SECONDS)
  .option('--profile <folder>', 'write CPU profiles of all Node processes there (private platform only)')
  .addHelpText('after', PLATFORM)
  .action(async (flags: RatesFlags) => {
    process.exitCode = await benchRates(flags)
  })
program
  .command('groups')
  .description(
    'What one message costs in groups of very different sizes of which as many members are online.',
  )
  .option('--sizes <list>', 'members of the groups', positives, [1_000, 10_000, 100_000])
  .option('--online <n>', 'members online in the largest', positive, 2_000)
  .option('--rate <n>', 'messages per second', positive, 5)
  .option('--seconds <n>', 'length of a measured run', positive, 20)
  .option('--bytes <n>', 'bytes of text in a message', positive, 200)
  .addHelpText('after', PLATFORM)
  .action(async (flags: GroupsFlags) => {
    process.exitCode = await benchGroups(flags)
  })
program
  .command('rooms')
  .description('Everyone in one live room: deliveries per second, how late, and what is skipped.')
  .option('--connections <n>', 'connections in the room', positive, 10_000)
  .option('--rate <n>', 'messages per second', positive, 20)
  .option('--seconds <n>', 'length of the measured run', positive, 20)
  .option('--bytes <n>', 'bytes of text in a message', positive, 100)
  .option('--loaders <n>', 'processes of listeners', positive, 1)
  .addHelpText('after', PLATFORM)
  .action(async (flags: RoomsFlags) => {
    process.exitCode = await benchRooms(flags)
  })
program
  .command('storm')
  .description('A crowd loses its connections at once and comes back, while others who stayed go on talking.')
  .option('--crowd <n>', 'connections that are cut', positive, 5_000)
  .option('--stay <n>', 'connections that stay, in pairs', positive, 100)
  .option('--rate <n>', 'messages per second among those', positive, 50)
  .option('--seconds <n>', 'length of a measured run', positive, 20)
  .option('--within <n>', 'seconds in which all must be back', positive, 30)
  .addHelpText('after', PLATFORM)
  .action(async (flags: StormFlags) => {
    process.exitCode = await benchStorm(flags)
  })
program
  .command('slow')
  .description(
    'Clients that log in and then read nothing: what they cost, how they end, and what others notice.',
  )
  .option('--slow <n>', 'connections that read nothing', positive, 1_000)
  .option('--others <n>', 'connections that talk, in pairs', positive, 100)
  .option('--rate <n>', 'messages per second among those', positive, 50)
  .option('--flood <n>', 'messages per second to the slow ones', positive, 20)
  .option('--bytes <n>', 'bytes of text in those', positive, 4_000)
  .option('--seconds <n>', 'length of a measured run', positive, 60)
  .addHelpText('after', PLATFORM)
  .action(async (flags: SlowFlags) => {
    process.exitCode = await benchSlow(flags)
  })
program
  .command('archive')
  .description('How long pages and searches take that only a full archive can answer; on engines of its own.')
  .option('--rows <n>', 'messages in the archive', positive, 1_000_000)
  .option('--pages <n>', 'pages read in a measured run', positive, 2_000)
  .option('--limit <n>', 'messages in a page', positive, 30)
  .action(async (flags: ArchiveFlags) => {
    process.exitCode = await benchArchive(flags)
  })
program
  .command('replay')
  .description('How fast the log is folded into Redis and into the archive; on engines of its own.')
  .option('--events <n>', 'events in the log', positive, 200_000)
  .option('--only <name>', 'nothing (reading, decoding and opening alone), live or archive')
  .option('--clear', 'contents in the log are not sealed')
  .action(async (flags: ReplayFlags) => {
    process.exitCode = await benchReplay(flags)
  })
program
  .command('offline')
  .description(
    'What a member of a great group is sent at login, after missing a little and after missing a lot.',
  )
  .option('--members <n>', 'members of the group', positive, 6_000)
  .option('--missed <list>', 'messages missed', positives, [2_000, 200_000])
  .option('--chats <n>', 'his other chats', positive, 20)
  .option('--bytes <n>', 'bytes of text in a message', positive, 100)
  .addHelpText('after', PLATFORM)
  .action(async (flags: OfflineFlags) => {
    process.exitCode = await benchOffline(flags)
  })
program
  .command('isolation')
  .description(
    "What a flood in one group, notices to everyone and a surge of logins do to single chat's latency.",
  )
  .option('--rate <n>', 'single messages per second', positive, 100)
  .option('--seconds <n>', 'length of a measured run', positive, 10)
  .option('--rounds <n>', 'measured runs of each kind', positive, 5)
  .option('--members <n>', 'members of the flooded group, all online', positive, 200)
  .option('--everyone <n>', 'who gets a notice, all online', positive, 2_000)
  .option('--flood <n>', 'messages per second in the group', positive, 100)
  .option('--notices <n>', 'notices per second', positive, 1)
  .option('--logins <n>', 'logins per second at rest; the surge is ten times as many', positive, 10)
  .option('--silent <n>', 'TCP connections per second, from one address, that say nothing', positive, 800)
  .option('--hammer <n>', 'commands per second on one connection', positive, 2_000)
  .addHelpText('after', PLATFORM)
  .action(async (flags: IsolationFlags) => {
    process.exitCode = await benchIsolation(flags)
  })
await program.parseAsync()
