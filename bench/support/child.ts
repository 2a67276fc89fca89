/** A helper process of a bench: takes one order at a time over IPC and answers it. */
import { type ChildProcess, fork } from 'node:child_process'

export type Failed = { readonly done: 'failed'; readonly reason: string }

export interface Child<Order, Answer> {
  readonly pid: number
  readonly ready: Promise<void>
  /** Rejects with what the process says went wrong, or when it ends. */
  ask(order: Order): Promise<Exclude<Answer, Failed>>
  /** By its own order first, by SIGKILL after 20 s. */
  close(order: Order): Promise<void>
}

const CLOSE_MS_MAX = 20_000

/** Starts `file`, which answers once when it is ready and then once per order. */
export function startChild<Order, Answer>(file: string): Child<Order, Answer> {
  const child = fork(file, [], { serialization: 'advanced', execArgv: profileFlags() })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const next = (): Promise<Answer> => answerOf(child) as Promise<Answer>
  return {
    pid: child.pid ?? 0,
    ready: next().then(() => {}),
    async ask(order) {
      const answered = next()
      child.send(order as object)
      const answer = (await answered) as Answer | Failed
      if (isFailed(answer)) throw new Error(`a helper process: ${answer.reason}`)
      return answer as Exclude<Answer, Failed>
    },
    async close(order) {
      if (child.exitCode !== null || child.signalCode !== null) return
      const kill = setTimeout(() => child.kill('SIGKILL'), CLOSE_MS_MAX)
      child.send(order as object)
      await Promise.race([next().catch(() => {}), exited])
      if (child.connected) child.disconnect()
      await exited
      clearTimeout(kill)
    },
  }
}

/** The other end, called in the helper process: obeys until the bench is gone. */
export function serve<Order, Answer>(ready: Answer, obey: (order: Order) => Promise<Answer>): void {
  const answer = (message: Answer | Failed): void => void process.send?.(message)
  process.on('message', (order: Order) => {
    obey(order).then(answer, (error: unknown) => answer({ done: 'failed', reason: String(error) }))
  })
  process.on('disconnect', () => process.exit(0))
  // Ctrl-C reaches the whole group; the bench ends its helpers itself.
  process.on('SIGINT', () => {})
  answer(ready)
}

const isFailed = (answer: unknown): answer is Failed => (answer as Failed).done === 'failed'

/** A profile of the load itself goes where the bench was told to put those of the platform. */
function profileFlags(): string[] {
  const dir = process.env.BENCH_PROFILE_DIR
  return dir ? ['--cpu-prof', `--cpu-prof-dir=${dir}/load`] : []
}

function answerOf(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void =>
      reject(new Error(`a helper process ended with code ${code}`))
    child.once('exit', onExit)
    child.once('message', (message) => {
      child.off('exit', onExit)
      resolve(message)
    })
  })
}
