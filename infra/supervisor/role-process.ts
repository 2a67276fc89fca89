import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream, mkdirSync, renameSync, statSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { RunRecord } from '../embedded/run-record.ts'
import { createLineLimit } from './line-limit.ts'
import { createRestartPolicy } from './restart-policy.ts'
import { forScreen, type Screen } from './screen.ts'

export interface RoleSpec {
  readonly name: string
  readonly file: string
  readonly env: Readonly<Record<string, string>>
  readonly logFile: string
}

export interface RoleProcess {
  readonly name: string
  /** SIGTERM, SIGKILL after `graceMs`; resolves when the process is gone and will not come back. */
  stop(graceMs: number): Promise<void>
}

const logBytesMax = 20_000_000
const screenLinesMax = 4
const screenWindowMs = 10_000

/**
 * Runs a role as a child process and starts it again when it dies. Its log goes to a file, what is worth it to the screen.
 * `gaveUp` is called once, with a line that says why, when restarting makes no sense.
 */
export function runRoleProcess(
  spec: RoleSpec,
  deps: { screen: Screen; record: RunRecord; warnings: () => boolean; gaveUp: (reason: string) => void },
): RoleProcess {
  const { screen, record } = deps
  mkdirSync(path.dirname(spec.logFile), { recursive: true })
  rotate(spec.logFile)
  const log = createWriteStream(spec.logFile, { flags: 'a', mode: 0o600 })
  const policy = createRestartPolicy()
  const limit = createLineLimit(screenLinesMax, screenWindowMs)
  let stopping = false
  let child: ChildProcess | undefined
  let exited: Promise<void> = Promise.resolve()
  let timer: NodeJS.Timeout | undefined

  const start = () => {
    const startedMs = Date.now()
    // A session of its own: Ctrl-C in the terminal is for the supervisor, which stops the roles in order.
    const started = spawn(process.execPath, [spec.file], {
      env: { ...process.env, ...spec.env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    child = started
    if (started.pid !== undefined) record.add(spec.name, started.pid)
    for (const stream of [started.stdout, started.stderr]) {
      if (!stream) continue
      createInterface({ input: stream }).on('line', (line) => {
        log.write(`${line}\n`)
        const shown = forScreen(spec.name, line, deps.warnings())
        if (shown === undefined) return
        const { show, heldBack } = limit.take(Date.now())
        if (heldBack > 0) screen.line(spec.name, `(${heldBack} more lines in ${spec.logFile})`)
        if (show) screen.plain(shown)
      })
    }
    exited = new Promise((resolve) => {
      started.once('error', (err) => {
        screen.error(`${spec.name} cannot be started: ${err.message}`)
        resolve()
      })
      started.once('exit', (code, signal) => {
        if (started.pid !== undefined) record.remove(started.pid)
        resolve()
        if (!stopping) onDeath(Date.now() - startedMs, code, signal)
      })
    })
  }

  const onDeath = (livedMs: number, code: number | null, signal: NodeJS.Signals | null) => {
    const how = signal ? `was ended by ${signal}` : `ended with code ${code}`
    const decision = policy.died(livedMs, code)
    if (decision.kind === 'give-up') {
      deps.gaveUp(`${spec.name} ${how} and is not started again: ${decision.reason}; see ${spec.logFile}`)
      return
    }
    screen.line(spec.name, `${how}; starting it again`)
    timer = setTimeout(start, decision.afterMs)
  }

  start()
  return {
    name: spec.name,
    stop: async (graceMs) => {
      stopping = true
      clearTimeout(timer)
      child?.kill('SIGTERM')
      child?.kill('SIGCONT')
      const kill = setTimeout(() => child?.kill('SIGKILL'), graceMs)
      await exited
      clearTimeout(kill)
      await new Promise((resolve) => log.end(resolve))
    },
  }
}

function rotate(file: string): void {
  try {
    if (statSync(file).size > logBytesMax) renameSync(file, `${file}.1`)
  } catch {
    // No earlier file.
  }
}
