/** Says on im.gateways that this gateway lives, so that fan-out tells it what concerns its connections. */
import { seal } from '../schemas/avro.ts'
import { limits } from '../schemas/limits.ts'
import type { Appender, Clock, Logger } from '../schemas/ports.ts'
import { records } from '../schemas/records.ts'
import { topics } from '../schemas/topics.ts'

export interface Alive {
  /** From now on fan-out may prefer others; what is connected is still told. */
  drain(): Promise<void>
  /** No more heartbeats. `leave`: tell that it is gone; false where a newer boot has the id. */
  stop(leave: boolean): Promise<void>
}

export interface AliveOptions {
  readonly appender: Appender
  readonly gatewayId: string
  readonly boot: string
  readonly clock: Clock
  readonly log: Logger
}

/** Resolves when the first heartbeat is in the log. */
export async function startAlive(options: AliveOptions): Promise<Alive> {
  const { appender, gatewayId: gateway, boot, clock, log } = options
  let draining = false
  let stopped = false
  let silent = false
  let cancel = () => {}

  const beat = () => {
    const value = seal(records.GatewayAlive, { gateway, boot, draining })
    return appender.append(topics.gateways, 0, { key: gateway, value })
  }

  async function run(): Promise<void> {
    try {
      await beat()
      if (silent) log.info({}, 'heartbeats reach the log again')
      silent = false
    } catch (error) {
      if (!silent) log.warn({ err: error }, 'heartbeats do not reach the log')
      silent = true
    }
    if (!stopped) cancel = clock.after(limits.gatewayHeartbeatMs, () => void run())
  }

  await beat()
  cancel = clock.after(limits.gatewayHeartbeatMs, () => void run())

  return {
    async drain() {
      draining = true
      await beat().catch(() => {})
    },
    async stop(leave) {
      stopped = true
      cancel()
      if (leave) await appender.append(topics.gateways, 0, { key: gateway, value: null }).catch(() => {})
    },
  }
}
