/** Turns of logins at the gate: a turn ends by itself after a while, and takes its timer back when it ends before. */
import { limits } from '../schemas/limits.ts'
import type { Clock } from '../schemas/ports.ts'
import type { Connection } from './connections.ts'
import { createGate } from './gate.ts'

export interface Turns {
  /** Runs `go` when its turn comes. False: too many wait. */
  take(connection: Connection, go: () => void): boolean
  /** Its turn is over, or it is gone. */
  end(connection: Connection): void
  waiting(): number
}

/** `defect`: what `go` threw. It may run in another's turn, or in a timer's, which must not end by it. */
export function createTurns(
  clock: Pick<Clock, 'after'>,
  defect: (connection: Connection, error: unknown) => void,
): Turns {
  const gate = createGate<Connection>(limits.loginsAtOnceMax, limits.loginsWaitingMax)
  const cancels = new Map<Connection, () => void>()

  function end(connection: Connection): void {
    cancels.get(connection)?.()
    cancels.delete(connection)
    gate.leave(connection)
  }

  return {
    take: (connection, go) =>
      gate.pass(connection, () => {
        // A store that does not answer holds nobody else up: what it waits for costs this process nothing.
        if (!cancels.has(connection))
          cancels.set(
            connection,
            clock.after(limits.loginTurnMsMax, () => end(connection)),
          )
        try {
          go()
        } catch (error) {
          defect(connection, error)
        }
      }),
    end,
    waiting: gate.waiting,
  }
}
