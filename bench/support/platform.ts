/** A platform to play on: the running one that LONGWIRE_URL names, else a private one in a temporary folder. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { mintToken } from '../../gateway/tokens/mint.ts'
import { type Config, loadConfig } from '../../infra/config.ts'
import { type EngineAddresses, engineAddresses } from '../../infra/embedded/addresses.ts'
import { freePorts } from '../../infra/embedded/ports.ts'
import { ensureTokenSecretFile, readTokenSecret } from '../../infra/token-secret.ts'
import { type NamedProcess, platformProcesses } from './processes.ts'

export interface Platform {
  /** ws(s)://…/ws */
  readonly url: string
  readonly secret: Uint8Array
  readonly dataDir: string
  /** True: started here, and stopped and removed by `stop`. */
  readonly isPrivate: boolean
  /** Where the archive answers, if it is known. */
  readonly clickhouse: { readonly url: string; readonly database: string } | null
  /** Where the log and Redis answer, if it is known. */
  readonly stores: { readonly kafka: readonly string[]; readonly redis: readonly string[] } | null
  token(userId: string): Promise<string>
  /** The platform's processes on this machine; empty when it runs elsewhere. */
  processes(): NamedProcess[]
  /** Ends a private platform; `keep` leaves its folder for a look at the logs. */
  stop(options?: { keep?: boolean }): Promise<void>
}

const TOKEN_TTL_SEC = 24 * 3600
const STOP_MS_MAX = 60_000
/** What `npm start` prints for people who will use it; this platform is gone in a minute. */
const ADDRESSES = /:\/\/|npm run|^ {2}logs /

/** `say` gets one line for each thing that happens while a private platform starts. */
export async function openPlatform(options: {
  readonly name: string
  readonly say: (line: string) => void
  /** More environment for the private platform's processes. */
  readonly env?: Readonly<Record<string, string>>
}): Promise<Platform> {
  const { LONGWIRE_URL: running, ...env } = process.env
  return running ? useRunning(running, env) : startPrivate(env, options)
}

function useRunning(address: string, env: NodeJS.ProcessEnv): Platform {
  const config = loadConfig(env)
  const url = socketUrl(address)
  const embedded = engineAddresses(config.dataDir)
  const clickhouseUrl = config.clickhouse ?? embedded?.clickhouse
  return {
    ...common(url, config.dataDir, readTokenSecret(ensureTokenSecretFile(config))),
    isPrivate: false,
    clickhouse: clickhouseUrl ? { url: clickhouseUrl, database: config.clickhouseDatabase } : null,
    stores: storesOf(config, embedded),
    stop: async () => {},
  }
}

async function startPrivate(
  env: NodeJS.ProcessEnv,
  options: Parameters<typeof openPlatform>[0],
): Promise<Platform> {
  const dataDir = mkdtempSync(path.join(tmpdir(), `longwire-${options.name}-`))
  const [port = 0, apiPort = 0] = await freePorts(2)
  const starting: NodeJS.ProcessEnv = {
    ...env,
    ...options.env,
    LONGWIRE_DATA: dataDir,
    LONGWIRE_HOST: '127.0.0.1',
    LONGWIRE_PORT: String(port),
    LONGWIRE_API_PORT: String(apiPort),
    LONGWIRE_OMTP_PORT: '0',
  }
  const config = loadConfig(starting)
  const child = spawn(process.execPath, [path.resolve(import.meta.dirname, '../../infra/start.ts')], {
    env: starting,
    stdio: ['ignore', 'pipe', 'pipe'],
    // Ctrl-C is ours: the platform is stopped after the clients.
    detached: true,
  })
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const stop = async ({ keep = false } = {}): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
    const kill = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX)
    await exited
    clearTimeout(kill)
    if (!keep) rmSync(dataDir, { recursive: true, force: true })
  }
  try {
    await untilReady(child, exited, options.say)
  } catch (error) {
    await stop({ keep: true })
    throw error
  }
  const embedded = engineAddresses(dataDir)
  return {
    ...common(`ws://127.0.0.1:${port}/ws`, dataDir, readTokenSecret(ensureTokenSecretFile(config))),
    isPrivate: true,
    clickhouse: {
      url: config.clickhouse ?? embedded?.clickhouse ?? '',
      database: config.clickhouseDatabase,
    },
    stores: storesOf(config, embedded),
    stop,
  }
}

function common(url: string, dataDir: string, secret: Uint8Array) {
  return {
    url,
    dataDir,
    secret,
    token: (userId: string) => mintToken(secret, userId, TOKEN_TTL_SEC),
    processes: () => platformProcesses(dataDir),
  }
}

function untilReady(child: ChildProcess, exited: Promise<void>, say: (line: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const last: string[] = []
    for (const stream of [child.stdout, child.stderr]) {
      if (!stream) continue
      createInterface({ input: stream }).on('line', (line) => {
        if (line.trim() !== '') last.push(line.trim())
        if (/^ready\b/.test(line)) resolve()
        else if (line.startsWith('  ') && !ADDRESSES.test(line)) say(line)
      })
    }
    child.once('error', reject)
    void exited.then(() => {
      const why = last.findLast(
        (line) => /cannot|must|taken|needed|error/i.test(line) && !line.startsWith('at '),
      )
      reject(new Error(`the platform did not start: ${why ?? last.at(-1) ?? 'it said nothing'}`))
    })
  })
}

/** http://host:port, ws://host:port or the whole address of the socket. */
function socketUrl(address: string): string {
  const url = new URL(address.replace(/^http/, 'ws'))
  if (url.pathname === '/') url.pathname = '/ws'
  return url.href
}

function storesOf(config: Config, embedded: EngineAddresses | null): Platform['stores'] {
  const kafka = config.kafka ?? embedded?.kafka
  const redis = config.redis ?? (embedded ? [embedded.redis] : undefined)
  return kafka && redis ? { kafka, redis } : null
}
