/**
 * Sends the clients of a gateway that stops elsewhere: little by little, so that those who wait for their turn are served as ever
 * and the other gateways get no storm of logins.
 */
import { type Clock, sleepOf } from '../schemas/ports.ts'
import type { Connection } from './connections.ts'
import type { Input } from './session-types.ts'

export interface DrainOptions {
  /** Those that are open at the moment. */
  readonly connections: () => Iterable<Connection>
  readonly input: (connection: Connection, input: Input) => void
  readonly clock: Clock
  readonly random: () => number
  /** Runs its argument after the current round of I/O callbacks. */
  readonly defer: (fn: () => void) => void
  /** 0: all at once, each told to return some time later. */
  readonly drainMs: number
}

export const TURN_MS = 50
/** Few clients need no long time: at this rate others take them easily. */
const MS_PER_CLIENT = 2
/** Connections ended in one turn of the event loop. */
const SLICE = 256
const RETURN_MS_MAX = 10_000

/** How long sending these away takes. */
export const spreadMs = (count: number, drainMs: number): number => Math.min(drainMs, MS_PER_CLIENT * count)

/** How many of those who are left go now. */
export const goingNow = (left: number, turnsLeft: number): number => Math.ceil(left / Math.max(1, turnsLeft))

/** Those with nothing on its way first: what is accepted is then answered here. */
export function inOrder(connections: Iterable<Connection>): Connection[] {
  const idle: Connection[] = []
  const busy: Connection[] = []
  for (const connection of connections) {
    const { session } = connection
    ;(session.phase === 'open' && session.appending > 0 ? busy : idle).push(connection)
  }
  return idle.concat(busy)
}

/** Resolves when all are gone. */
export async function sendAway(options: DrainOptions): Promise<void> {
  const { clock, drainMs, random } = options
  const pause = (): Promise<void> => new Promise((resolve) => options.defer(resolve))
  const sleep = sleepOf(clock)
  const count = [...options.connections()].length
  const turns = Math.ceil(spreadMs(count, drainMs) / TURN_MS)
  // Within a turn they return one after the other as well; all at once, as many a second as others can take.
  const returnMs = turns > 0 ? TURN_MS : Math.min(RETURN_MS_MAX, MS_PER_CLIENT * count)
  for (let turnsLeft = turns; ; turnsLeft--) {
    const left = inOrder(options.connections())
    if (left.length === 0) return
    const going = left.slice(0, goingNow(left.length, turnsLeft))
    for (let at = 0; at < going.length; at += SLICE) {
      for (const connection of going.slice(at, at + SLICE))
        options.input(connection, { kind: 'drain', reconnectAfterMs: Math.floor(random() * returnMs) })
      await pause()
    }
    if (turnsLeft > 1) await sleep(TURN_MS)
  }
}
