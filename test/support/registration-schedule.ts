/**
 * Gateways that register connections in one online map, which is slow, loses calls or their answers, goes away and is emptied,
 * while users log in and drop, and gateways are killed; then everything is well for a while, and it is looked at what stands there.
 */
import { createConnections } from '../../gateway/connections.ts'
import { newCounters } from '../../gateway/counters.ts'
import { type DevicePolicy, victor } from '../../gateway/devices.ts'
import { createKicks } from '../../gateway/kicks.ts'
import { createRegistry } from '../../gateway/registry.ts'
import { createSignals } from '../../gateway/signals.ts'
import { silentLog } from '../../infra/log.ts'
import { createMemoryOnlineMap, type MemoryOnlineMap } from '../../infra/memory/online-map.ts'
import { createMemorySignalBus } from '../../infra/memory/signal-bus.ts'
import {
  createProcessClock,
  createVirtualClock,
  type VirtualClock,
} from '../../infra/memory/virtual-clock.ts'
import type { OnlineRegistry } from '../../infra/redis/online-map.ts'
import { startOnlineSweeper } from '../../infra/redis/online-sweeper.ts'
import { type Clock, Fault } from '../../schemas/ports.ts'
import { connect, session } from './fake-connection.ts'
import type { Random } from './random.ts'

export interface Outcome {
  /** Records of nobody, and connections without one. */
  readonly strays: string[]
  readonly missing: string[]
  /** Users under a gateway, as the map says and as they are, where these differ. */
  readonly users: string[]
  readonly recordsAhead: number[]
  /** Logins that are there although a newer one took their place. */
  readonly beaten: string[]
  readonly counts: Readonly<Record<'logins' | 'kicked' | 'replaced' | 'kills' | 'faults' | 'swept', number>>
}

export interface Broken {
  /** Nobody looks for what was left behind. */
  readonly noSweep?: boolean
  /** Signals are lost, and nobody looks for newer logins. */
  readonly blind?: boolean
}

const ANSWER_MS_MAX = 500
const types = ['phone', 'web']

interface Weather {
  slow: boolean
  /** Probabilities of a call that is never applied, and of an answer that is never heard. */
  lost: number
  unheard: number
  signalsLost: number
}

export async function runSchedule(random: Random, broken: Broken = {}): Promise<Outcome> {
  const clock = createVirtualClock()
  const map = createMemoryOnlineMap()
  const bus = createMemorySignalBus()
  const weather: Weather = { slow: false, lost: 0, unheard: 0, signalsLost: broken.blind ? 1 : 0 }
  const policy: DevicePolicy = random.pick(['none', 'per-type', 'single'])
  const counts = { logins: 0, kicked: 0, replaced: 0, kills: 0, faults: 0, swept: 0 }
  const publish: typeof bus.publish = async (messages) => {
    if (!random.chance(weather.signalsLost)) await bus.publish(messages)
  }
  let boots = 0

  function start(gatewayId: string) {
    const boot = `boot${String(++boots).padStart(4, '0')}`
    const skewMs = random.int(3_000) - 1_500
    const process = createProcessClock(clock)
    const local: Clock = { now: () => clock.now() + skewMs, after: process.after }
    const connections = createConnections(32)
    const counters = newCounters()
    const online = farMap(map, clock, random, weather, counts)
    const seen = broken.blind ? { ...online, locate: async () => new Map() } : online
    const common = { gatewayId, boot, connections, counters, clock: local, log: silentLog }
    const leave = (id: string): void => {
      const connection = connections.byId(id)
      if (!connection) return
      connection.session = session('closed')
      connections.remove(connection)
      void registry.unregister(connection)
    }
    const registry = createRegistry({
      ...common,
      online: broken.noSweep ? { ...seen, usersOf: async () => [], locate: async () => new Map() } : seen,
      onLost() {},
      onRegistered: (connection, others) => kicks.registered(connection, others),
      onSeen: (connection, all) => kicks.examine(connection, all),
      refreshRest: async () => {},
    })
    const kicks = createKicks({
      ...common,
      policy,
      lives: ({ expiresAt }) => expiresAt > local.now(),
      signals: () => signals,
      input: (connection) => leave(connection.id),
    })
    const signals = createSignals({
      ...common,
      bus: { publish, listen: bus.listen },
      heard: (signal) => signal.kind === 'kick' && kicks.heard(signal),
    })
    registry.start()
    return {
      ...{ gatewayId, boot, connections, counters, registry, leave },
      login(user: string, device: number) {
        const deviceId = `d${device}`
        const deviceType = types[device % 2] as string
        const login = { connection: 'new', deviceId, deviceType, loginAt: local.now() }
        const { loginAt, ended } = kicks.before(user, login)
        const entry = { gateway: gatewayId, boot, deviceId, deviceType, loginAt, expiresAt: 0 }
        const connection = connect(connections, user, { entry })
        kicks.end(ended)
        void registry.register(connection)
        counts.logins += 1
      },
      kill() {
        process.kill()
        online.cut()
        bus.listen(gatewayId, () => {})
        counts.kicked += counters.devicesKicked
        counts.replaced += counters.devicesReplaced
      },
    }
  }

  const gateways = new Map(['g1', 'g2', 'g3'].map((id) => [id, start(id)]))
  const sweeper = startOnlineSweeper({
    online: map,
    live: () => new Map([...gateways].map(([id, { boot }]) => [id, boot])),
    clock,
    log: silentLog,
  })
  const one = () => random.pick([...gateways.values()])

  for (let step = 0; step < 120; step++) {
    const dice = random.int(100)
    if (dice < 45) one().login(`u${random.int(4)}`, random.int(4))
    else if (dice < 65) {
      const gateway = one()
      const all = [...gateway.connections.all()]
      if (all.length > 0) gateway.leave(random.pick(all).id)
    } else if (dice < 68 && gateways.size > 1) {
      const { gatewayId, kill } = one()
      kill()
      counts.kills += 1
      gateways.delete(gatewayId)
      if (random.chance(0.7)) gateways.set(gatewayId, start(gatewayId))
    } else if (dice < 72) map.down = !map.down
    else if (dice < 73) map.empty()
    else if (dice < 78) {
      weather.slow = random.chance(0.5)
      weather.lost = random.chance(0.5) ? 0.2 : 0
      weather.unheard = random.chance(0.5) ? 0.2 : 0
      if (!broken.blind) weather.signalsLost = random.chance(0.5) ? 0.5 : 0
    }
    await clock.advance(random.chance(0.6) ? random.int(20) : random.int(4_000))
  }
  map.down = false
  Object.assign(weather, { slow: false, lost: 0, unheard: 0 })
  // A record expires, is looked for a minute later by its own gateway, and half a minute later of one that is gone.
  await clock.advance(180_000)
  sweeper.stop()
  counts.swept = sweeper.swept()

  const living = [...gateways.values()]
  const connected = living.flatMap(({ connections }) => [...connections.all()])
  const ids = new Set(connected.map(({ id }) => id))
  for (const { counters } of living) {
    counts.kicked += counters.devicesKicked
    counts.replaced += counters.devicesReplaced
  }
  const users = await Promise.all(
    ['g1', 'g2', 'g3'].map(async (id) => {
      const said = (await map.usersOf(id)).sort().join()
      const real = [...(gateways.get(id)?.connections.userNames() ?? [])].sort().join()
      return said === real ? '' : `${id}: ${said} instead of ${real}`
    }),
  )
  const beaten = connected.filter(({ user, entry }) => {
    const all = connected.flatMap((other) => (other.user === user && other.entry ? [other.entry] : []))
    return entry !== null && victor(policy, entry, all) !== null
  })
  const outcome: Outcome = {
    // Of a user who is nowhere, all goes by itself a while after it was last renewed.
    strays: [...map.records].flatMap(([id, { user, entry }]) =>
      ids.has(id) || (entry.expiresAt < clock.now() && !connected.some((other) => other.user === user))
        ? []
        : [id],
    ),
    missing: [...ids].filter((id) => !map.records.has(id)),
    users: users.filter((text) => text !== ''),
    recordsAhead: living.map(({ registry }) => registry.recordsAhead()),
    beaten: beaten.map(({ id }) => id),
    counts,
  }
  for (const { kill } of living) kill()
  return outcome
}

/** The map as one gateway reaches it: calls are applied in order, after a while, or not; answers come back in time, or not. */
function farMap(
  map: MemoryOnlineMap,
  clock: VirtualClock,
  random: Random,
  weather: Weather,
  counts: { faults: number },
): OnlineRegistry & { cut(): void } {
  let freeAt = 0
  let isCut = false

  function call<T>(work: () => Promise<T>): Promise<T> {
    const spread = weather.slow ? 300 : 3
    freeAt = Math.max(freeAt, clock.now()) + 1 + random.int(spread)
    const isLost = random.chance(weather.lost)
    const isUnheard = random.chance(weather.unheard)
    return new Promise((resolve, reject) => {
      if (isCut) return
      const late = clock.after(ANSWER_MS_MAX, () => {
        counts.faults += 1
        if (!isCut) reject(new Fault('redis_unavailable', 'late', { retriable: true }))
      })
      const answer = (tell: () => void): void => {
        if (isUnheard) return
        clock.after(1 + random.int(spread), () => {
          late()
          if (!isCut) tell()
        })
      }
      if (!isLost)
        clock.after(freeAt - clock.now(), () => {
          work().then(
            (value) => answer(() => resolve(value)),
            (error) => answer(() => reject(error)),
          )
        })
    })
  }

  const far =
    <A extends unknown[], R>(method: (...args: A) => Promise<R>) =>
    (...args: A): Promise<R> =>
      call(() => method(...args))
  return {
    register: far(map.register),
    unregister: far(map.unregister),
    refresh: far(map.refresh),
    announce: far(map.announce),
    retract: far(map.retract),
    clearGateway: far(map.clearGateway),
    sweep: far(map.sweep),
    forget: far(map.forget),
    gateways: far(map.gateways),
    forgetGateway: far(map.forgetGateway),
    registerInterest: far(map.registerInterest),
    dropInterest: far(map.dropInterest),
    locate: far(map.locate),
    announced: far(map.announced),
    connectionsOf: far(map.connectionsOf),
    connection: far(map.connection),
    usersOf: far(map.usersOf),
    cut() {
      isCut = true
    },
  }
}
