/** The bus between gateways in memory: one for all gateways of a test. */
import { Fault } from '../../schemas/ports.ts'
import type { SignalBus } from '../redis/signal-bus.ts'

export interface MemorySignalBus extends SignalBus {
  /** Nothing is taken, as when Redis does not answer. */
  down: boolean
}

/** `later` runs its argument after the caller's turn: what is told arrives on its own. */
export function createMemorySignalBus(later: (fn: () => void) => void = queueMicrotask): MemorySignalBus {
  const handlers = new Map<string, (text: string) => void>()
  const bus: MemorySignalBus = {
    down: false,
    async publish(messages) {
      if (bus.down) throw new Fault('redis_unavailable', 'down', { retriable: true })
      for (const { gateway, text } of messages) later(() => handlers.get(gateway)?.(text))
    },
    listen(gateway, handler) {
      handlers.set(gateway, handler)
    },
    async close() {
      handlers.clear()
    },
  }
  return bus
}
