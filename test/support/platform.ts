/** All of Longwire as a user starts it, in a folder of its own on free ports. */
import { execFile, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'

const root = path.resolve(import.meta.dirname, '../..')
const run = promisify(execFile)

export interface Platform {
  readonly page: string
  readonly ws: string
  token(user: string): Promise<string>
  /** As by Ctrl-C. Resolves to the exit code. */
  stop(): Promise<number | null>
}

/** Rejects with what was printed when it ends before it is ready. */
export async function startPlatform(): Promise<Platform> {
  const data = await mkdtemp(path.join(tmpdir(), 'longwire-'))
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
  return {
    page,
    ws: `${page.replace(/^http/, 'ws')}/ws`,
    token: async (user) =>
      (await run(process.execPath, ['infra/token.ts', user], { cwd: root, env })).stdout.trim(),
    async stop() {
      child.kill('SIGINT')
      const code = await ended
      await rm(data, { recursive: true, force: true })
      return code
    },
  }
}
