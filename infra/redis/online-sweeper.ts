/**
 * Takes out of the online map what gateways left that did not come back. Readers have ignored it since they fell silent; a
 * gateway that lives, or comes back, sees to its own records.
 */
import { limits } from '../../schemas/limits.ts'
import type { Clock, Logger } from '../../schemas/ports.ts'
import type { OnlineRegistry } from './online-map.ts'

export interface OnlineSweeperOptions {
  readonly online: Pick<OnlineRegistry, 'gateways' | 'sweep' | 'usersOf' | 'forgetGateway'>
  /** By id. */
  live(): ReadonlyMap<string, string>
  readonly clock: Clock
  readonly log: Logger
}

export interface OnlineSweeper {
  /** Records removed so far. */
  swept(): number
  stop(): void
}

export function startOnlineSweeper({ online, live, clock, log }: OnlineSweeperOptions): OnlineSweeper {
  let swept = 0
  let stopped = false
  let cancel = clock.after(limits.onlineSweepMs, () => void round())

  async function round(): Promise<void> {
    try {
      for (const gateway of await online.gateways()) if (!live().has(gateway)) await sweep(gateway)
    } catch (err) {
      log.debug({ err }, 'the online map was not swept')
    }
    if (!stopped) cancel = clock.after(limits.onlineSweepMs, () => void round())
  }

  async function sweep(gateway: string): Promise<void> {
    // A gateway that cannot reach the log but lives goes on renewing; its clock may be behind this one.
    const gone = await online.sweep(gateway, clock.now() - limits.onlineExpiryMs)
    swept += gone
    if (gone > 0) log.info({ gateway, records: gone }, 'removed online records of a gateway that is gone')
    if (!live().has(gateway) && (await online.usersOf(gateway)).length === 0)
      await online.forgetGateway(gateway)
  }

  return {
    swept: () => swept,
    stop() {
      stopped = true
      cancel()
    },
  }
}
