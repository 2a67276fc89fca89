import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** A process that can be recognised later, even if its pid has been given to another one by then. */
export interface ProcessIdentity {
  readonly pid: number
  /** When it was started, in the system's own words; compared for equality only. */
  readonly startedAt: string
}

/** Identity of a running process, or `undefined` if there is none with this pid (a zombie counts as gone). */
export function identify(pid: number): ProcessIdentity | undefined {
  const startedAt = process.platform === 'linux' ? startOnLinux(pid) : startElsewhere(pid)
  return startedAt === undefined ? undefined : { pid, startedAt }
}

/** Whether this very process still runs. */
export function isRunning(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.startedAt === identity.startedAt
}

function startOnLinux(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The command name may hold spaces and brackets, so fields are counted from its closing bracket: state is the 3rd field
    // of the line, the start time (ticks since boot) the 22nd.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return `${boot}/${fields[19]}`
  } catch {
    return undefined
  }
}

function startElsewhere(pid: number): string | undefined {
  try {
    const line = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim()
    return line === '' || line.startsWith('Z') ? undefined : line.replace(/^\S+\s+/, '')
  } catch {
    return undefined
  }
}

/** SIGTERM, then SIGKILL after `graceMs`; resolves when the process is gone. Never touches another one with its pid. */
export async function endProcess(identity: ProcessIdentity, graceMs: number): Promise<void> {
  const waitGone = async (ms: number) => {
    for (let waited = 0; waited < ms && isRunning(identity); waited += 50) {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  signal(identity, 'SIGTERM')
  // A stopped process would never see the SIGTERM.
  signal(identity, 'SIGCONT')
  await waitGone(graceMs)
  signal(identity, 'SIGKILL')
  await waitGone(5_000)
}

function signal(identity: ProcessIdentity, name: NodeJS.Signals): void {
  if (!isRunning(identity)) return
  try {
    process.kill(identity.pid, name)
  } catch {
    // Gone between the look and the signal.
  }
}
