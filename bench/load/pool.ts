/** The load processes as one: splits connections and rate over them and adds up what they counted. */
import { fileURLToPath } from 'node:url'
import { startChild } from '../support/child.ts'
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

export async function startLoad(size: number): Promise<LoadPool> {
  const workers = Array.from({ length: size }, () => startChild<Order, Answer>(workerFile))
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
      await Promise.all(workers.map((worker) => worker.close({ do: 'close' })))
    },
  }
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
