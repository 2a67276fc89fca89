/**
 * Keeps this gateway's connections in the online map. A connection is registered before its client may read heads; a
 * map that cannot be written delays nobody: fan-out then tells every gateway, until this one announces that all its
 * connections are registered again.
 */
import type { OnlineRecord, OnlineRegistry } from '../infra/redis/online-map.ts'
import type { OnlineEntry } from '../processors/fanout/ports.ts'
import { limits } from '../schemas/limits.ts'
import type { Clock, Logger } from '../schemas/ports.ts'
import type { Connection, Connections } from './connections.ts'

export interface Registry {
  start(): void
  /** Resolves when the attempt has ended, well or not. */
  register(connection: Connection): Promise<void>
  /** After the connection left `connections`. */
  unregister(connection: Connection): Promise<void>
  /** The map lacks something of this gateway: until a round has written everything, fan-out is to go by it no more. */
  distrust(): void
  announced(): boolean
  /** Records written here and not removed, less the connections that should have one. */
  recordsAhead(): number
  /** Takes everything of this boot out of the map, as far as it answers. */
  stop(): Promise<void>
}

export interface RegistryOptions {
  readonly online: OnlineRegistry
  readonly connections: Connections
  readonly gatewayId: string
  readonly boot: string
  readonly clock: Clock
  readonly log: Logger
  /** The map had lost these connections: their clients may have missed pushes. */
  onLost(connections: readonly Connection[]): void
  /** A connection has come into the map, beside these. */
  onRegistered(connection: Connection, others: readonly OnlineEntry[]): void
  /** What the map holds of this connection's user now. */
  onSeen(connection: Connection, all: readonly OnlineEntry[]): void
  /** Writes what else fan-out goes by; rejects with a Fault. */
  refreshRest(): Promise<void>
}

const CHUNK = 500
const RETRY_MS = 1_000
/** In one of so many rounds it is looked for what a lost answer or a removal that failed left behind. */
const SWEEP_ROUNDS = 6
const OWED_MAX = 100_000

export function createRegistry(options: RegistryOptions): Registry {
  const { online, connections, gatewayId, boot, clock, log } = options
  let cleared = false
  let announced = false
  let stopped = false
  let running = false
  let incomplete = false
  let records = 0
  let rounds = 0
  /** Users of whom a removal failed: they stay in the gateway's set until a sweep has seen to it, for else nobody would find it. */
  const owed = new Map<string, number>()
  let failures = 0
  let cancel = () => {}

  const recordOf = ({ user, entry }: Connection): OnlineRecord | null =>
    user === null || !entry
      ? null
      : { user, entry: { ...entry, expiresAt: clock.now() + limits.onlineExpiryMs } }

  function failed(error: unknown, what: string): void {
    if (announced) log.warn({ err: error }, `the online map does not answer: ${what}`)
    announced = false
  }

  /** One round over all connections; throws at the first part that fails. */
  async function refreshAll(): Promise<void> {
    if (!cleared) {
      const gone = await online.clearGateway(gatewayId, boot)
      cleared = true
      if (gone > 0) log.info({ records: gone }, 'removed online records of earlier boots')
    }
    const live = [...connections.all()].filter((connection) => connection.entry)
    for (let at = 0; at < live.length && !stopped; at += CHUNK) await refreshChunk(live.slice(at, at + CHUNK))
    if (!stopped && (rounds++ % SWEEP_ROUNDS === 0 || owed.size > 0)) await sweepAbsent()
    if (!stopped) await options.refreshRest()
  }

  /** Users of whom the map says that they are here, and who are not. */
  async function sweepAbsent(): Promise<void> {
    const isAbsent = (user: string): boolean => connections.byUser(user) === undefined
    const said = await online.usersOf(gatewayId)
    const absent = [...new Set([...said, ...owed.keys()])].filter(isAbsent)
    for (let at = 0; at < absent.length; at += CHUNK) {
      const some = absent.slice(at, at + CHUNK)
      const seen = failures
      const found = await online.locate(some)
      await Promise.all(some.map((user) => sweepUser(user, found.get(user) ?? [], seen)))
      await online.forget(
        gatewayId,
        some.filter((user) => isAbsent(user) && !owed.has(user)),
      )
    }
  }

  /**
   * Takes out what stood there of this gateway, as read after so many failures, and is no connection of it; and what any
   * gateway has not renewed for long.
   */
  async function sweepUser(user: string, all: readonly OnlineEntry[], seen: number): Promise<void> {
    const oldest = clock.now() - limits.onlineExpiryMs
    for (const { gateway, boot: of, connection, expiresAt } of all) {
      const isOurs = gateway === gatewayId
      if (isOurs ? of === boot && connections.byId(connection) : expiresAt > oldest) continue
      await online.unregister({ user, gateway, boot: of, connection, lastOfUser: false })
    }
    if ((owed.get(user) ?? 0) <= seen) owed.delete(user)
  }

  async function refreshChunk(chunk: readonly Connection[]): Promise<void> {
    const open = chunk.filter((connection) => connections.byId(connection.id))
    const rewritten = open.map(recordOf).filter((record) => record !== null)
    if (rewritten.length === 0) return
    const now = clock.now()
    const created = new Set(await online.refresh(rewritten))
    const lost: Connection[] = []
    for (const { entry } of rewritten) {
      const connection = connections.byId(entry.connection)
      if (!connection?.entry) continue
      // What had expired was as good as lost.
      if (created.has(entry.connection) || connection.entry.expiresAt <= now) lost.push(connection)
      markRegistered(connection, entry)
    }
    if (lost.length > 0) options.onLost(lost)
    // Closed meanwhile: the rewrite may have brought the field back after its removal.
    await Promise.all(open.filter((c) => !connections.byId(c.id)).map((c) => unregister(c)))
    await look(open)
  }

  /** One read per user and round: whoever was not told that a newer login took its place finds it here. */
  async function look(some: readonly Connection[]): Promise<void> {
    const users = new Set(
      some.flatMap(({ id, user }) => (user !== null && connections.byId(id) ? [user] : [])),
    )
    const seen = failures
    const found = await online.locate([...users])
    for (const connection of some) {
      const all = connection.user === null ? undefined : found.get(connection.user)
      if (all && connections.byId(connection.id)) options.onSeen(connection, all)
    }
    await Promise.all([...found].map(([user, all]) => sweepUser(user, all, seen)))
  }

  function markRegistered(connection: Connection, entry: OnlineEntry): void {
    connection.entry = entry
    if (connection.registered) return
    connection.registered = true
    records += 1
  }

  async function unregister(connection: Connection): Promise<void> {
    const { user } = connection
    if (user === null || !connection.entry) return
    const counted = connection.registered
    connection.registered = false
    const lastOfUser = connections.byUser(user) === undefined && !owed.has(user)
    try {
      await online.unregister({ user, gateway: gatewayId, boot, connection: connection.id, lastOfUser })
      if (counted) records -= 1
    } catch (error) {
      failed(error, 'unregister')
      failures += 1
      // What is over goes with its key, some minutes after it was last renewed.
      if (owed.size < OWED_MAX) owed.set(user, failures)
      // Its expiry removes it.
      if (counted)
        clock.after(limits.onlineExpiryMs, () => {
          records -= 1
        })
    }
  }

  async function round(): Promise<void> {
    running = true
    incomplete = false
    let nextMs: number = limits.onlineRefreshMs
    try {
      await refreshAll()
      if (incomplete) nextMs = RETRY_MS
      else if (!stopped) {
        await online.announce(gatewayId, boot)
        if (!announced) log.info({ connections: connections.size() }, 'announced in the online map')
        announced = true
      }
    } catch (error) {
      failed(error, 'refresh')
      nextMs = RETRY_MS
    }
    running = false
    if (!stopped) cancel = clock.after(nextMs, () => void round())
  }

  /** Until a round has registered everyone, fan-out must not trust the map for this gateway. */
  function retract(): void {
    announced = false
    incomplete = true
    online.retract(gatewayId, boot).catch(() => {})
    if (running || stopped) return
    cancel()
    cancel = clock.after(RETRY_MS, () => void round())
  }

  return {
    start: () => void round(),
    async register(connection) {
      const record = recordOf(connection)
      if (!record) return
      try {
        const { loginAt, others } = await online.register(record)
        if (connections.byId(connection.id)) {
          markRegistered(connection, { ...record.entry, loginAt })
          options.onRegistered(connection, others)
        } else await unregister(connection)
      } catch (error) {
        failed(error, 'register')
        retract()
      }
    },
    unregister,
    distrust: retract,
    announced: () => announced,
    recordsAhead() {
      let entered = 0
      for (const connection of connections.all()) if (connection.entry) entered += 1
      return records - entered
    },
    async stop() {
      stopped = true
      cancel()
      announced = false
      await online.retract(gatewayId, boot).catch(() => {})
    },
  }
}
