/**
 * Ends the logins that a newer one took the place of: those of this gateway at once, those of others by a signal. A signal that is
 * lost heals: whoever rewrites its records looks for a newer login.
 */
import type { OnlineEntry } from '../processors/fanout/ports.ts'
import type { Connection, Connections } from './connections.ts'
import type { Counters } from './counters.ts'
import { type DevicePolicy, type Ended, isNewer, type Login, loginTime, victims, victor } from './devices.ts'
import type { Input } from './session-types.ts'
import type { KickSignal, Signals } from './signals.ts'

export interface Kicks {
  /** Connections here that end when this one has entered, and the time by which it is newer than all that are here. */
  before(user: string, login: Login): { readonly loginAt: number; readonly ended: readonly Ended[] }
  /** Ends those of them that are here. */
  end(ended: readonly Ended[]): void
  /** It stands in the online map, beside these. */
  registered(connection: Connection, others: readonly OnlineEntry[]): void
  /** Ends this connection if one of these is newer and takes its place. */
  examine(connection: Connection, others: readonly OnlineEntry[]): void
  heard(signal: KickSignal): void
}

export interface KicksOptions {
  readonly policy: DevicePolicy
  readonly gatewayId: string
  readonly boot: string
  readonly connections: Pick<Connections, 'byId' | 'byUser'>
  readonly counters: Counters
  lives(entry: OnlineEntry): boolean
  signals(): Pick<Signals, 'send'>
  input(connection: Connection, input: Input): void
}

export function createKicks(options: KicksOptions): Kicks {
  const { policy, gatewayId, boot, connections, counters } = options

  function endHere(id: string, { by, ending }: Pick<Ended, 'by' | 'ending'>): void {
    const connection = connections.byId(id)
    if (!connection || connection.session.phase === 'closed') return
    counters[ending === 'kicked' ? 'devicesKicked' : 'devicesReplaced'] += 1
    options.input(connection, { kind: 'ended', ending, by })
  }

  const living = (others: readonly OnlineEntry[]): OnlineEntry[] =>
    others.filter((other) => other.gateway !== gatewayId && options.lives(other))

  return {
    before(user, login) {
      const here = (connections.byUser(user) ?? []).flatMap(({ entry }) => (entry ? [entry] : []))
      const loginAt = loginTime(login.loginAt, here)
      return { loginAt, ended: victims(policy, { ...login, loginAt }, here) }
    },
    end(ended) {
      for (const one of ended) endHere(one.login.connection, one)
    },
    registered({ user, entry }, others) {
      if (user === null || !entry) return
      const { connection, deviceId, deviceType, loginAt } = entry
      const by = { connection, deviceId, deviceType, loginAt }
      for (const { login, ending } of victims(policy, by, living(others))) {
        const signal = {
          kind: 'kick',
          boot: login.boot,
          user,
          connection: login.connection,
          ending,
          by,
        } as const
        options.signals().send(new Map([[login.gateway, signal]]))
      }
    },
    examine(connection, others) {
      const found = connection.entry && victor(policy, connection.entry, living(others))
      if (found) endHere(connection.id, found)
    },
    heard(signal) {
      const connection = connections.byId(signal.connection)
      // Of an earlier boot, of another user, or late: then there is nobody to tell.
      if (signal.boot !== boot || connection?.user !== signal.user || !connection.entry) return
      if (isNewer(signal.by, connection.entry)) endHere(connection.id, signal)
    },
  }
}
