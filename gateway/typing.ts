/** Who types, shown to those who are online: located by the online map, told to their gateways, kept nowhere. */
import type { OnlineRegistry } from '../infra/redis/online-map.ts'
import type { OnlineEntry } from '../processors/fanout/ports.ts'
import type { ReadModels } from '../projections/reads.ts'
import type { ServerFrame } from '../schemas/frames.ts'
import { limits } from '../schemas/limits.ts'
import { type Clock, Fault, type Logger } from '../schemas/ports.ts'
import type { Connection, Connections } from './connections.ts'
import type { Counters } from './counters.ts'
import type { Signals, TypingSignal } from './signals.ts'

export interface Typing {
  /** The user of this connection types. Never throws; dropped where it comes too fast or nobody can be found. */
  typed(connection: Connection, conversationId: string): void
  /** Shows it to those of `to` who are connected here. */
  show(signal: TypingSignal): void
}

export interface TypingOptions {
  readonly gatewayId: string
  readonly reads: Pick<ReadModels, 'typingAudience'>
  readonly online: Pick<OnlineRegistry, 'locate'>
  readonly connections: Pick<Connections, 'byUser'>
  readonly counters: Counters
  readonly clock: Clock
  readonly log: Logger
  lives(entry: OnlineEntry): boolean
  signals(): Signals
  send(connection: Connection, frame: ServerFrame): void
}

export function createTyping(options: TypingOptions): Typing {
  const { reads, online, connections, counters, clock, log } = options
  let looking = 0

  /** One per conversation and interval; the oldest conversations are forgotten. */
  function isTooFast(connection: Connection, conversationId: string): boolean {
    connection.typedAt ??= new Map()
    const { typedAt } = connection
    const now = clock.now()
    if (now - (typedAt.get(conversationId) ?? Number.NEGATIVE_INFINITY) < limits.typingIntervalMs) return true
    typedAt.delete(conversationId)
    typedAt.set(conversationId, now)
    if (typedAt.size > limits.typingConversationsMax) {
      const oldest = typedAt.keys().next()
      if (!oldest.done) typedAt.delete(oldest.value)
    }
    return false
  }

  async function tell(user: string, conversationId: string): Promise<void> {
    const audience = await reads.typingAudience(user, conversationId)
    const others = audience?.filter((other) => other !== user) ?? []
    if (others.length === 0) return
    const found = await online.locate(others)
    const byGateway = new Map<string, string[]>()
    for (const other of others)
      for (const gateway of new Set(
        (found.get(other) ?? []).filter(options.lives).map((entry) => entry.gateway),
      )) {
        const there = byGateway.get(gateway)
        if (there) there.push(other)
        else byGateway.set(gateway, [other])
      }
    byGateway.delete(options.gatewayId)
    const signal = { kind: 'typing', conversationId, user } as const
    // Of those who are here this gateway knows better than the map.
    show({ ...signal, to: others })
    options.signals().send(new Map([...byGateway].map(([gateway, to]) => [gateway, { ...signal, to }])))
  }

  function show({ conversationId, user: userId, to }: TypingSignal): void {
    for (const user of to)
      for (const connection of connections.byUser(user) ?? []) {
        if (connection.session.phase !== 'open') continue
        // The first that goes when a socket takes no more.
        if ((connection.socket?.buffered() ?? 0) > 0) {
          counters.typingDropped += 1
          continue
        }
        counters.typingShown += 1
        options.send(connection, { type: 'userTyping', conversationId, userId })
      }
  }

  return {
    typed(connection, conversationId) {
      const { user } = connection
      if (user === null) return
      if (isTooFast(connection, conversationId) || looking >= limits.signalsInFlightMax) {
        counters.typingDropped += 1
        return
      }
      looking += 1
      tell(user, conversationId)
        .catch((error: unknown) => {
          counters.typingDropped += 1
          if (!(error instanceof Fault)) log.error({ err: error }, 'telling who types failed by a defect')
        })
        .finally(() => {
          looking -= 1
        })
    },
    show,
  }
}
