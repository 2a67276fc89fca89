/** What this gateway tells others at most once, and hears from them: who types, whose login is over. Bounded: what is over, malformed or unknown is dropped. */
import type { SignalBus, SignalMessage } from '../infra/redis/signal-bus.ts'
import { isId, parseStream } from '../schemas/ids.ts'
import { limits } from '../schemas/limits.ts'
import type { Counters } from './counters.ts'
import type { Ending, Login } from './devices.ts'

/** `user` types in this conversation, which is to be shown to these users. */
export interface TypingSignal {
  readonly kind: 'typing'
  readonly conversationId: string
  readonly user: string
  readonly to: readonly string[]
}

/** This connection of that boot is over: `by`, a newer login of the user, took its place. */
export interface KickSignal {
  readonly kind: 'kick'
  readonly boot: string
  readonly user: string
  readonly connection: string
  readonly ending: Ending
  readonly by: Login
}

export type Signal = TypingSignal | KickSignal

export interface Signals {
  /** By gateway. Never throws. */
  send(signals: ReadonlyMap<string, Signal>): void
}

export interface SignalsOptions {
  readonly bus: Pick<SignalBus, 'publish' | 'listen'>
  readonly gatewayId: string
  readonly counters: Counters
  heard(signal: Signal): void
}

export function createSignals(options: SignalsOptions): Signals {
  const { bus, counters } = options
  let inFlight = 0

  bus.listen(options.gatewayId, (text) => {
    const signal = readSignal(text)
    if (signal) {
      counters.signalsReceived += 1
      options.heard(signal)
    } else counters.signalsDropped += 1
  })

  async function publish(messages: readonly SignalMessage[]): Promise<void> {
    inFlight += messages.length
    try {
      await bus.publish(messages)
      counters.signalsSent += messages.length
    } catch {
      counters.signalsDropped += messages.length
    }
    inFlight -= messages.length
  }

  return {
    send(signals) {
      if (signals.size === 0) return
      if (inFlight + signals.size > limits.signalsInFlightMax) {
        counters.signalsDropped += signals.size
        return
      }
      void publish([...signals].map(([gateway, signal]) => ({ gateway, text: JSON.stringify(signal) })))
    },
  }
}

/** Null for what is none, or of a kind that this build does not know. */
export function readSignal(text: string): Signal | null {
  if (text.length > limits.signalBytesMax) return null
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  if (typeof value !== 'object' || value === null) return null
  const fields = value as Record<string, unknown>
  return fields.kind === 'kick' ? readKick(fields) : readTyping(fields)
}

function readTyping({ kind, conversationId, user, to }: Record<string, unknown>): TypingSignal | null {
  if (kind !== 'typing' || !isId(user)) return null
  if (typeof conversationId !== 'string' || parseStream(conversationId) === null) return null
  if (!Array.isArray(to) || to.length > limits.typingMembersMax || !to.every(isId)) return null
  return { kind, conversationId, user, to }
}

function readKick({ boot, user, connection, ending, by }: Record<string, unknown>): KickSignal | null {
  if (!isId(boot) || !isId(user) || !isId(connection)) return null
  if (ending !== 'kicked' && ending !== 'replaced') return null
  if (typeof by !== 'object' || by === null) return null
  const { connection: newer, deviceId, deviceType, loginAt } = by as Record<string, unknown>
  if (!isId(newer) || !isId(deviceId) || !isId(deviceType) || !Number.isSafeInteger(loginAt)) return null
  const login = { connection: newer, deviceId, deviceType, loginAt: loginAt as number }
  return { kind: 'kick', boot, user, connection, ending, by: login }
}
