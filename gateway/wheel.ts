/** One timer for all connections: each is ticked once a second, a tenth of them every 100 ms. */
import type { Clock } from '../schemas/ports.ts'
import type { Connection } from './connections.ts'

const SLOTS = 10
export const TICK_MS = 1_000

export interface Wheel {
  add(connection: Connection): void
  remove(connection: Connection): void
  stop(): void
}

export function createWheel(clock: Clock, tick: (connection: Connection, now: number) => void): Wheel {
  const slots = Array.from({ length: SLOTS }, () => new Set<Connection>())
  const slotOf = new WeakMap<Connection, Set<Connection>>()
  let turn = 0
  let added = 0
  let cancel = clock.after(TICK_MS / SLOTS, run)

  function run(): void {
    const now = clock.now()
    for (const connection of slots[turn % SLOTS] ?? []) tick(connection, now)
    turn += 1
    cancel = clock.after(TICK_MS / SLOTS, run)
  }

  return {
    add(connection) {
      const slot = slots[added++ % SLOTS]
      if (!slot) return
      slot.add(connection)
      slotOf.set(connection, slot)
    },
    remove: (connection) => void slotOf.get(connection)?.delete(connection),
    stop: () => cancel(),
  }
}
