/** All of Longwire as a user starts it, in a folder of its own on free ports. */
import { execFile, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { mintToken } from '../../gateway/tokens/mint.ts'
import type { Right } from '../../gateway/tokens/verdict.ts'
import { loadConfig } from '../../infra/config.ts'
import { engineAddresses } from '../../infra/embedded/addresses.ts'
import { freePorts } from '../../infra/embedded/ports.ts'
import { untilReady } from '../../infra/supervisor/ready.ts'
import { ensureTokenSecretFile, readTokenSecret } from '../../infra/token-secret.ts'

const root = path.resolve(import.meta.dirname, '../..')
const run = promisify(execFile)

export interface Platform {
  readonly page: string
  readonly ws: string
  readonly dataDir: string
  readonly clickhouse: string
  /** As `npm run -s token` prints it. */
  token(user: string): Promise<string>
  /** The same without a process of its own. */
  mint(user: string, rights?: readonly Right[]): Promise<string>
  /** One more gateway, as another machine would run it; resolves when it is ready. */
  addGateway(id: string, settings?: Readonly<Record<string, string>>): Promise<ExtraGateway>
  /** Kills the process of a role with SIGKILL; the supervisor starts it again. Resolves to its pid. */
  kill(role: 'gateway' | 'processors' | 'projections'): number
  /** Processes that it started and that still run. */
  processes(): string[]
  /** As by Ctrl-C. Resolves to the exit code. With `keep` the data stays, for another start. */
  stop(options?: { keep: boolean }): Promise<number | null>
}

export interface ExtraGateway {
  readonly ws: string
  /** With SIGKILL. */
  kill(): Promise<void>
  stop(): Promise<void>
}

const tokenTtlSec = 3_600
const readyMsMax = 60_000

/** Rejects with what was printed when it ends before it is ready. `settings` are LONGWIRE_ variables. */
export async function startPlatform(
  dataDir?: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<Platform> {
  const data = dataDir ?? (await mkdtemp(path.join(tmpdir(), 'longwire-')))
  const own = { LONGWIRE_DATA: data, LONGWIRE_PORT: '0', LONGWIRE_API_PORT: '0', LONGWIRE_OMTP_PORT: '0' }
  const env = { ...process.env, ...own, ...settings }
  // The engines are downloaded once for all data folders.
  const child = spawn(process.execPath, ['infra/start.ts'], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  const page = await new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      printed += chunk.toString('utf8')
      const address = /page +(http:\S+?)\/\s/.exec(printed)?.[1]
      if (address && /^ready /m.test(printed)) resolve(address)
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    void ended.then((code) => reject(new Error(`it ended with ${code} before it was ready:\n${printed}`)))
  })
  const pids = () => childrenOf(child.pid ?? 0)
  const extra: ExtraGateway[] = []
  return {
    page,
    dataDir: data,
    clickhouse: engineAddresses(data)?.clickhouse ?? '',
    ws: `${page.replace(/^http/, 'ws')}/ws`,
    token: async (user) =>
      (await run(process.execPath, ['infra/token.ts', user], { cwd: root, env })).stdout.trim(),
    mint: (user, rights = []) =>
      mintToken(readTokenSecret(ensureTokenSecretFile(loadConfig(env))), user, tokenTtlSec, { rights }),
    async addGateway(id, own = {}) {
      const gateway = await startGateway(id, data, own)
      extra.push(gateway)
      return gateway
    },
    kill(role) {
      const pid = pids().find((one) => commandOf(one).includes(`${role}/main.ts`))
      if (pid === undefined) throw new Error(`${role} does not run`)
      process.kill(pid, 'SIGKILL')
      return pid
    },
    processes: () => pids().map(commandOf),
    async stop(options = { keep: false }) {
      await Promise.all(extra.map((gateway) => gateway.stop()))
      const started = pids()
      child.kill('SIGINT')
      const code = await ended
      const left = started.map(commandOf).filter((command) => command !== '')
      if (left.length > 0) throw new Error(`still running: ${left.join(' | ')}`)
      if (!options.keep) await rm(data, { recursive: true, force: true })
      return code
    },
  }
}

async function startGateway(
  id: string,
  dataDir: string,
  settings: Readonly<Record<string, string>>,
): Promise<ExtraGateway> {
  const engines = engineAddresses(dataDir)
  if (!engines) throw new Error('the engines do not run')
  const free = await freePorts(2)
  const port = Number(settings.LONGWIRE_PORT ?? free[0])
  const apiPort = Number(settings.LONGWIRE_API_PORT ?? free[1])
  const env = {
    ...process.env,
    LONGWIRE_DATA: dataDir,
    // As many as the supervisor chose before the engines had addresses.
    LONGWIRE_PARTITIONS: String(loadConfig({ LONGWIRE_DATA: dataDir }).partitions),
    LONGWIRE_KAFKA: engines.kafka.join(','),
    LONGWIRE_REDIS: engines.redis,
    LONGWIRE_CLICKHOUSE: engines.clickhouse,
    LONGWIRE_TOKEN_SECRET_FILE: path.join(dataDir, 'token-secret'),
    LONGWIRE_GATEWAY_ID: id,
    LONGWIRE_PORT: String(port),
    LONGWIRE_API_PORT: String(apiPort),
    LONGWIRE_OMTP_PORT: '0',
    ...settings,
  }
  const child = spawn(process.execPath, ['gateway/main.ts'], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let printed = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      printed = `${printed}${chunk}`.slice(-4_000)
    })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const untilMs = Date.now() + readyMsMax
  await untilReady(`http://127.0.0.1:${apiPort}/ready`, () => child.exitCode !== null || Date.now() > untilMs)
  if (child.exitCode !== null || Date.now() > untilMs)
    throw new Error(`gateway ${id} is not ready:\n${printed}`)
  return {
    ws: `ws://127.0.0.1:${port}/ws`,
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return text.split(' ').filter(Boolean).map(Number)
}

/** Empty for a process that has ended. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}
