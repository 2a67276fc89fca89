/** One role process of the cluster: started, hurt, and started again after a death, as an orchestrator would. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import path from 'node:path'
import type { RunRecord } from '../../infra/embedded/run-record.ts'

export type RoleKind = 'sequencer' | 'fanout' | 'gateway' | 'projection'
export const roleKinds: readonly RoleKind[] = ['sequencer', 'fanout', 'gateway', 'projection']

const mains: Record<RoleKind, readonly string[]> = {
  sequencer: ['processors/main.ts', 'sequencer'],
  fanout: ['processors/main.ts', 'fanout'],
  gateway: ['gateway/main.ts'],
  projection: ['projections/main.ts', 'all'],
}
/** So long an ordered end may take. */
const restartGraceMs = 15_000
const root = path.resolve(import.meta.dirname, '../..')

export interface RoleSpec {
  readonly name: string
  readonly kind: RoleKind
  readonly env: Readonly<Record<string, string>>
  readonly logFile: string
  /** Files loaded before the main: how a broken build is made. */
  readonly preloads: readonly string[]
}

export interface RoleHandle {
  readonly name: string
  readonly kind: RoleKind
  readonly logFile: string
  readonly pid: number
  readonly running: boolean
  /** Taken by a fault: others leave it alone. */
  busy: boolean
  signal(signal: NodeJS.Signals): void
  /** Deaths that no fault of ours asked for. */
  readonly ownDeaths: readonly string[]
  readonly starts: number
  /** Ended as an orchestrator does, and started with these files loaded beside its own. Resolves when it is started. */
  restartWith(preloads: readonly string[]): Promise<void>
  /** Killed, and not started again until it is let go. */
  hold(): void
  /** `as`: the part of its kind that it is from now on. Default: as it was. */
  letGo(as?: string): void
  stop(graceMs: number): Promise<void>
}

export function startRole(
  spec: RoleSpec,
  deps: { record: RunRecord; restartAfterMs: () => number; died: (name: string, how: string) => void },
): RoleHandle {
  let child: ChildProcess | undefined
  let running = false
  let stopping = false
  let killed = false
  let held = false
  let starts = 0
  let timer: NodeJS.Timeout | undefined
  let more: readonly string[] = []
  let part: string | undefined
  let exited: Promise<void> = Promise.resolve()
  const ownDeaths: string[] = []

  const start = () => {
    const out = openSync(spec.logFile, 'a', 0o600)
    const [file = '', ...whole] = mains[spec.kind]
    const rest = part === undefined ? whole : [part]
    const imports = [...spec.preloads, ...more].flatMap((preload) => ['--import', preload])
    const started = spawn(process.execPath, [...imports, path.join(root, file), ...rest], {
      env: { ...spec.env },
      cwd: root,
      detached: true,
      stdio: ['ignore', out, out, 'ipc'],
    })
    closeSync(out)
    child = started
    running = true
    killed = false
    starts += 1
    const { pid } = started
    if (pid !== undefined) deps.record.add(spec.name, pid)
    exited = new Promise((resolve) => {
      started.once('error', () => resolve())
      started.once('exit', (code, signal) => {
        running = false
        if (pid !== undefined) deps.record.remove(pid)
        resolve()
        if (stopping) return
        if (!killed) {
          const how = signal ?? `code ${code}`
          ownDeaths.push(how)
          deps.died(spec.name, how)
        }
        if (!held) timer = setTimeout(start, deps.restartAfterMs())
      })
    })
  }
  start()

  return {
    name: spec.name,
    kind: spec.kind,
    logFile: spec.logFile,
    busy: false,
    get pid() {
      return child?.pid ?? 0
    },
    get running() {
      return running
    },
    get starts() {
      return starts
    },
    ownDeaths,
    signal(signal) {
      if (signal === 'SIGKILL') killed = true
      if (running) child?.kill(signal)
    },
    async restartWith(preloads) {
      more = preloads
      const before = starts
      if (running) {
        killed = true
        child?.kill('SIGTERM')
        const hard = setTimeout(() => child?.kill('SIGKILL'), restartGraceMs)
        await exited
        clearTimeout(hard)
      }
      while (starts === before && !stopping) await new Promise((resolve) => setTimeout(resolve, 50))
    },
    hold() {
      held = true
      killed = true
      clearTimeout(timer)
      child?.kill('SIGKILL')
    },
    letGo(as) {
      held = false
      part = as ?? part
      start()
    },
    async stop(graceMs) {
      stopping = true
      clearTimeout(timer)
      if (!running) return
      child?.kill('SIGTERM')
      child?.kill('SIGCONT')
      const hard = setTimeout(() => child?.kill('SIGKILL'), graceMs)
      await exited
      clearTimeout(hard)
    },
  }
}
