import type { Log } from './log.ts'

export interface ShutdownStep {
  name: string
  stop: () => Promise<void> | void
  /** Longest time this step may take before the next one starts anyway. Default 10 s. */
  deadlineMs?: number
}

export interface Shutdown {
  /** Runs the steps once, in order, then exits the process with `exitCode`. Later calls do nothing. */
  stop(reason: string, exitCode?: number): Promise<void>
}

const stepDeadlineMsDefault = 10_000

/**
 * Runs `steps` in order on SIGINT, SIGTERM or SIGHUP, each with its own deadline, then exits 0; a second signal exits at
 * once with 130. The list is read when it is needed, so steps may be pushed onto it while the process starts.
 */
export function onShutdown(log: Log, steps: readonly ShutdownStep[]): Shutdown {
  let stopping = false
  const stop = async (reason: string, exitCode = 0) => {
    if (stopping) return
    stopping = true
    log.info({ reason }, 'stopping')
    const failed = await runSteps(log, steps)
    log.info({ reason, failed }, 'stopped')
    process.exit(exitCode === 0 && failed > 0 ? 1 : exitCode)
  }
  const onSignal = (signal: NodeJS.Signals) => {
    if (stopping) process.exit(130)
    void stop(signal)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal)
  return { stop }
}

/** Runs every step even when one fails or hangs; answers how many did. */
export async function runSteps(log: Log, steps: readonly ShutdownStep[]): Promise<number> {
  let failed = 0
  for (const step of steps) {
    try {
      await withDeadline(Promise.resolve(step.stop()), step.deadlineMs ?? stepDeadlineMsDefault)
    } catch (err) {
      failed += 1
      log.error({ err, step: step.name }, 'shutdown step failed')
    }
  }
  return failed
}

/** A bug ends the process: the log makes a restart cheap, and going on with broken state does not. */
export function exitOnCrash(log: Log): void {
  const crash = (kind: string) => (err: unknown) => {
    log.fatal({ err, kind }, 'crashed')
    // Leave the logger's worker a moment to write the line.
    setTimeout(() => process.exit(1), 50)
  }
  process.on('uncaughtException', crash('uncaughtException'))
  process.on('unhandledRejection', crash('unhandledRejection'))
}

/**
 * Ends this process when the supervisor that started it is gone, however it went: the IPC channel closes with it.
 * Does nothing in a process that was started on its own.
 */
export function exitWithParent(onParentGone: () => void): void {
  if (!process.channel) return
  process.channel.unref()
  process.once('disconnect', onParentGone)
}

/**
 * npm does not hand SIGTERM on to what its shell runs, so a service manager that stops `npm start` would leave everything running:
 * notices, within a second, that the shell is gone. Does nothing in a process that npm did not start.
 */
export function endWithNpm(onNpmGone: () => void): void {
  if (process.env.npm_lifecycle_event === undefined) return
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    onNpmGone()
  }, 500)
  timer.unref()
}

async function withDeadline(work: Promise<void>, deadlineMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${deadlineMs} ms`)), deadlineMs)
  })
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
