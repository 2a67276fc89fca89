/** The load processes as one: splits connections and rate over them and adds up what they counted. */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { NamedProcess } from '../support/processes.ts'
import { joined } from '../support/samples.ts'
import type { Answer, Order, RunTally } from './protocol.ts'

export interface LoadPool {
  connect(options: Omit<Extract<Order, { do: 'connect' }>, 'do' | 'first'>): Promise<{ ms: number }>
  run(options: Omit<Extract<Order, { do: 'run' }>, 'do' | 'run'>): Promise<RunTally>
  processes(): NamedProcess[]
  close(): Promise<void>
}

const workerFile = fileURLToPath(new URL('./worker.ts', import.meta.url))
const CLOSE_MS_MAX = 20_000

export async function startLoad(size: number): Promise<LoadPool> {
  const workers = Array.from({ length: size }, startWorker)
  await Promise.all(workers.map((worker) => worker.ready))
  let runs = 0
  return {
    async connect(options) {
      // In whole pairs.
      const each = Math.ceil(options.count / size / 2) * 2
      const answers = await Promise.all(
        workers.map((worker, i) => {
          const first = i * each
          return worker.ask({
            ...options,
            do: 'connect',
            first,
            count: Math.min(each, options.count - first),
          })
        }),
      )
      return { ms: Math.max(...answers.map((answer) => (answer.done === 'connected' ? answer.ms : 0))) }
    },
    async run(options) {
      runs += 1
      const run = runs
      const perSec = options.perSec / size
      const answers = await Promise.all(
        workers.map((worker) => worker.ask({ ...options, do: 'run', run, perSec })),
      )
      return added(answers.flatMap((answer) => (answer.done === 'run' ? [answer.tally] : [])))
    },
    processes: () => workers.map((worker) => ({ name: 'load', pid: worker.pid })),
    async close() {
      await Promise.all(workers.map((worker) => worker.close()))
    },
  }
}

interface Worker {
  readonly pid: number
  readonly ready: Promise<void>
  ask(order: Order): Promise<Answer>
  close(): Promise<void>
}

function startWorker(): Worker {
  const child = fork(workerFile, [], { serialization: 'advanced', execArgv: profileFlags() })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const next = (): Promise<Answer> => answerOf(child)
  return {
    pid: child.pid ?? 0,
    ready: next().then(() => {}),
    async ask(order) {
      const answered = next()
      child.send(order)
      const answer = await answered
      if (answer.done === 'failed') throw new Error(`load process: ${answer.reason}`)
      return answer
    },
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const kill = setTimeout(() => child.kill('SIGKILL'), CLOSE_MS_MAX)
      child.send({ do: 'close' } satisfies Order)
      await Promise.race([next().catch(() => {}), exited])
      if (child.connected) child.disconnect()
      await exited
      clearTimeout(kill)
    },
  }
}

/** A profile of the load itself goes where the bench was told to put those of the platform. */
function profileFlags(): string[] {
  const dir = process.env.BENCH_PROFILE_DIR
  return dir ? ['--cpu-prof', `--cpu-prof-dir=${dir}/load`] : []
}

function answerOf(child: ChildProcess): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`a load process ended with code ${code}`))
    child.once('exit', onExit)
    child.once('message', (message) => {
      child.off('exit', onExit)
      resolve(message as Answer)
    })
  })
}

function added(tallies: readonly RunTally[]): RunTally {
  const sum = (of: (tally: RunTally) => number): number => tallies.reduce((n, tally) => n + of(tally), 0)
  return {
    due: sum((t) => t.due),
    sent: sum((t) => t.sent),
    committed: sum((t) => t.committed),
    refused: sum((t) => t.refused),
    received: sum((t) => t.received),
    lost: sum((t) => t.lost),
    unanswered: sum((t) => t.unanswered),
    doubled: sum((t) => t.doubled),
    outOfOrder: sum((t) => t.outOfOrder),
    resends: sum((t) => t.resends),
    reconnects: sum((t) => t.reconnects),
    committedMs: joined(tallies.map((t) => t.committedMs)),
    receivedMs: joined(tallies.map((t) => t.receivedMs)),
    sendLateMsMax: Math.max(...tallies.map((t) => t.sendLateMsMax)),
  }
}
