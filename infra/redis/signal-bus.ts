/**
 * What gateways tell each other at most once, over Redis pub/sub: nothing of it is kept, and while Redis is away it is lost.
 * Listening takes a connection of its own, since one that listens takes no other commands.
 */
import { Cluster } from 'ioredis'
import { keys } from '../../projections/keys.ts'
import type { RedisPort } from '../../projections/ports.ts'
import type { Logger } from '../../schemas/ports.ts'
import { connectRedis, logConnection, type RedisClientOptions } from './client.ts'

export interface SignalMessage {
  readonly gateway: string
  readonly text: string
}

export interface SignalBus {
  /** Rejects with a Fault where Redis does not answer; resolves also where nobody listens. */
  publish(messages: readonly SignalMessage[]): Promise<void>
  /** Handles what is told to this gateway from now on, for as long as it is not closed. */
  listen(gateway: string, handler: (text: string) => void): void
  close(): Promise<void>
}

const ASK_MS = 5_000
const ANSWER_MS_MAX = 2_000

/** `redis` publishes; the connection that listens is made when it is first needed. */
export function createRedisSignalBus(
  options: RedisClientOptions,
  redis: RedisPort,
  logger: Logger,
): SignalBus {
  let close = (): void => {}

  return {
    async publish(messages) {
      await redis.batch(messages.map(({ gateway, text }) => ['PUBLISH', keys.signals(gateway), text]))
    },
    listen(gateway, handler) {
      close()
      const channel = keys.signals(gateway)
      const connection = connectRedis(options)
      const closing = logConnection(connection, `${options.name} signals`, logger)
      connection.on('message', (from: string, text: string) => {
        if (from === channel) handler(text)
      })
      const subscribe = () => connection.subscribe(channel)
      connection.on('ready', () => {
        subscribe().catch((err: unknown) => logger.warn({ err }, 'signals of other gateways do not arrive'))
      })
      // Asked again and again: a connection that hangs, or a Cluster's that lost its subscription, is not noticed otherwise.
      const asking = setInterval(() => void ask(), ASK_MS)
      const ask = async (): Promise<void> => {
        if (connection.status !== 'ready') return
        if (await inTime(subscribe())) return
        if (!(connection instanceof Cluster) && connection.status === 'ready') connection.disconnect(true)
      }
      close = () => {
        closing()
        clearInterval(asking)
        connection.disconnect()
      }
    },
    async close() {
      close()
    },
  }
}

function inTime(work: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const late = setTimeout(() => resolve(false), ANSWER_MS_MAX)
    work
      .then(
        () => resolve(true),
        () => resolve(false),
      )
      .finally(() => clearTimeout(late))
  })
}
