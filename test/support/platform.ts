/** All of Longwire as a user starts it, in a folder of its own on free ports. */
import { execFile, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'

const root = path.resolve(import.meta.dirname, '../..')
const run = promisify(execFile)

export interface Platform {
  readonly page: string
  readonly ws: string
  readonly dataDir: string
  token(user: string): Promise<string>
  /** Kills the process of a role with SIGKILL; the supervisor starts it again. Resolves to its pid. */
  kill(role: 'gateway' | 'processors' | 'projections'): number
  /** Processes that it started and that still run. */
  processes(): string[]
  /** As by Ctrl-C. Resolves to the exit code. With `keep` the data stays, for another start. */
  stop(options?: { keep: boolean }): Promise<number | null>
}

/** Rejects with what was printed when it ends before it is ready. */
export async function startPlatform(dataDir?: string): Promise<Platform> {
  const data = dataDir ?? (await mkdtemp(path.join(tmpdir(), 'longwire-')))
  const env = { ...process.env, LONGWIRE_DATA: data, LONGWIRE_PORT: '0', LONGWIRE_API_PORT: '0' }
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
  return {
    page,
    dataDir: data,
    ws: `${page.replace(/^http/, 'ws')}/ws`,
    token: async (user) =>
      (await run(process.execPath, ['infra/token.ts', user], { cwd: root, env })).stdout.trim(),
    kill(role) {
      const pid = pids().find((one) => commandOf(one).includes(`${role}/main.ts`))
      if (pid === undefined) throw new Error(`${role} does not run`)
      process.kill(pid, 'SIGKILL')
      return pid
    },
    processes: () => pids().map(commandOf),
    async stop(options = { keep: false }) {
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
