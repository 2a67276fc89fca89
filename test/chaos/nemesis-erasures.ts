/**
 * Users are erased while all write, by the command as an operator gives it, and gateways die while newcomers get their first keys.
 * Those who were erased go on writing.
 */
import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import path from 'node:path'
import { untilReady } from '../../infra/supervisor/ready.ts'
import type { Cluster } from './cluster.ts'
import type { History } from './history.ts'
import type { Bites, Traffic } from './nemesis.ts'
import { randomOf } from './random.ts'
import { newcomersOf } from './settings.ts'

const root = path.resolve(import.meta.dirname, '../..')
/** A command that says that it should be run again is. */
const triesMax = 6
const againMs = 1_000
/** Until a command that was started has read the keys, and is about to change them. */
const commandStartMs = 1_200
/** A first key is made within some milliseconds of the first words. */
const firstKeyMsMax = 25
const freeMsMax = 60_000

type Sleep = (ms: number) => Promise<void>

export async function eraseUsers(
  cluster: Cluster,
  { seed, users, arrive, speak }: { readonly seed: number } & Pick<Traffic, 'users' | 'arrive' | 'speak'>,
  bites: Bites,
  history: History,
  sleep: Sleep,
): Promise<void> {
  const random = randomOf(seed)
  const [first = '', second = ''] = random.shuffle(users)
  const [early, late] = [newcomersOf(0), newcomersOf(1)]

  /** `user` '': what nobody sees any more. */
  async function erase(user: string, args: readonly string[], settings = {}): Promise<void> {
    history.add({ dev: '', op: 'erase', phase: 'invoke', detail: user })
    for (let tries = 1; (await runErase(cluster, args, settings)) !== 0; tries++) {
      if (tries === triesMax) throw new Error(`erase ${args.join(' ')} was not done in ${tries} tries`)
      await sleep(againMs)
    }
    history.add({ dev: '', op: 'erase', phase: 'ok', detail: user })
    bites.erasures += 1
  }
  // No gateway is cut off from im.keys here: there is nothing to wait for.
  const eraseNow = (user: string) => erase(user, ['user', user, '--now', '--no-wait'])

  async function comeAndLoseGateway(newcomers: readonly string[], gateway: number): Promise<void> {
    await arrive(newcomers)
    const role = cluster.roles.filter(({ kind }) => kind === 'gateway')[gateway]
    for (let waited = 0; !role?.running || role.busy; waited += 50) {
      if (waited > freeMsMax) throw new Error('no gateway runs')
      await sleep(50)
    }
    speak()
    await sleep(random.below(firstKeyMsMax))
    role.signal('SIGKILL')
    bites.firstKeyKills += 1
    await sleep(2_000)
    await untilReady(`${cluster.apis[gateway]}/ready`, () => false)
  }

  await comeAndLoseGateway(early, 0)
  await eraseNow(first)
  await erase(second, ['user', second, '--no-wait'])
  // His first words, his first key, its gateway's end and his erasure at once.
  await Promise.all([eraseNow(late[0] ?? ''), sleep(commandStartMs).then(() => comeAndLoseGateway(late, 1))])
  await eraseNow(second)
  await erase('', ['due'], { LONGWIRE_HOLD_DAYS: '0' })
}

/** Exit code. */
async function runErase(
  { dir, env, engines }: Cluster,
  args: readonly string[],
  settings: Readonly<Record<string, string>>,
): Promise<number | null> {
  const out = openSync(path.join(dir, 'logs', 'erase.log'), 'a', 0o600)
  const child = spawn(process.execPath, ['projections/erase/main.ts', ...args], {
    cwd: root,
    env: { ...env, ...settings },
    stdio: ['ignore', out, out],
  })
  closeSync(out)
  const { pid } = child
  if (pid !== undefined) engines.record.add('erase', pid)
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', resolve)
  })
  if (pid !== undefined) engines.record.remove(pid)
  return code
}
