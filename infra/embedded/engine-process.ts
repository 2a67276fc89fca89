import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from 'node:fs'
import path from 'node:path'
import type { RunRecord } from './run-record.ts'

/** An engine could not be started or reached. The message is one line that says what to do. */
export class EngineError extends Error {
  override readonly name = 'EngineError'
}

export interface EngineCommand {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  /** Output goes here; the file of the run before is kept as `.1`. */
  readonly outputFile: string
  /** Opens an IPC channel, for Node processes that end with their parent. */
  readonly ipc?: boolean
}

/** A running engine, for the supervisor and for tests that hurt it. */
export interface EngineProcess {
  readonly name: string
  readonly pid: number
  readonly running: boolean
  kill(signal?: NodeJS.Signals): void
  pause(): void
  resume(): void
  /** SIGTERM, SIGKILL after `graceMs`; resolves when the process is gone. */
  stop(graceMs?: number): Promise<void>
  /** Resolves when the process is gone, however it went. */
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

const outputBytesMax = 5_000_000

/**
 * Starts a process in a session of its own, so that Ctrl-C in the terminal reaches only the supervisor, which then stops
 * everything in order.
 */
export function startEngineProcess(spec: EngineCommand, record: RunRecord): Promise<EngineProcess> {
  mkdirSync(path.dirname(spec.outputFile), { recursive: true })
  rotate(spec.outputFile)
  const out = openSync(spec.outputFile, 'a', 0o600)
  const child = spawn(spec.command, spec.args, {
    cwd: spec.cwd,
    env: { ...process.env, ...spec.env },
    detached: true,
    stdio: spec.ipc ? ['ignore', out, out, 'ipc'] : ['ignore', out, out],
  })
  closeSync(out)
  return new Promise((resolve, reject) => {
    child.once('error', (err) => reject(new EngineError(`cannot run ${spec.command}: ${err.message}`)))
    child.once('spawn', () => resolve(toEngine(spec.name, child, record)))
  })
}

function toEngine(name: string, child: ChildProcess, record: RunRecord): EngineProcess {
  const pid = child.pid ?? 0
  record.add(name, pid)
  let running = true
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('exit', (code, signal) => {
      running = false
      record.remove(pid)
      resolve({ code, signal })
    })
  })
  const kill = (signal: NodeJS.Signals = 'SIGKILL') => {
    if (running) child.kill(signal)
  }
  return {
    name,
    pid,
    get running() {
      return running
    },
    kill,
    pause: () => kill('SIGSTOP'),
    resume: () => kill('SIGCONT'),
    stop: async (graceMs = 10_000) => {
      kill('SIGTERM')
      kill('SIGCONT')
      const timer = setTimeout(() => kill('SIGKILL'), graceMs)
      await exited
      clearTimeout(timer)
    },
    exited,
  }
}

/** Polls `check` until it answers true; fails at once when the engine dies, with the end of its output. */
export async function waitUntilUp(
  engine: EngineProcess,
  outputFile: string,
  check: () => Promise<boolean>,
  deadlineMs: number,
): Promise<void> {
  const until = Date.now() + deadlineMs
  while (!(await check())) {
    if (!engine.running) throw new EngineError(`${engine.name} ended while starting: ${lastLine(outputFile)}`)
    if (Date.now() > until) {
      engine.kill('SIGKILL')
      throw new EngineError(`${engine.name} did not answer within ${deadlineMs / 1000} s; see ${outputFile}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 40))
  }
}

function lastLine(file: string): string {
  try {
    const lines = readFileSync(file, 'utf8').trim().split('\n')
    const telling = lines.findLast(
      (line) => /error|exception|fatal|fail/i.test(line) && !/^\s+at /.test(line),
    )
    return `${(telling ?? lines.at(-1) ?? 'it said nothing').slice(0, 300)} (see ${file})`
  } catch {
    return `see ${file}`
  }
}

function rotate(file: string): void {
  try {
    if (statSync(file).size > outputBytesMax) renameSync(file, `${file}.1`)
  } catch {
    // No earlier file.
  }
}
