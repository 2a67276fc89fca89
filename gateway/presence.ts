/**
 * Which friends are online, on which devices: by subscription of a connection, read from the online map in one batch a round,
 * and at once where it changes here. Told only when changed, at most once a second per connection. Whoever is no friend looks
 * offline, so that nobody's being online can be found out by asking.
 */
import type { OnlineRegistry } from '../infra/redis/online-map.ts'
import type { OnlineEntry } from '../processors/fanout/ports.ts'
import type { ReadModels } from '../projections/reads.ts'
import { type CodeName, codes } from '../schemas/codes.ts'
import type { Presence as PresenceOf, ServerFrame } from '../schemas/frames.ts'
import { limits } from '../schemas/limits.ts'
import { type Clock, Fault, type Logger } from '../schemas/ports.ts'
import type { Connection, Connections } from './connections.ts'
import type { Counters } from './counters.ts'
import { retryAfter } from './session-answers.ts'

export interface Presence {
  /** Answered by presenceResult, or by an error frame. */
  change(
    connection: Connection,
    id: number,
    request: { readonly subscribe: readonly string[]; readonly unsubscribe: readonly string[] },
  ): Promise<void>
  /** A connection of this user came or went here. */
  changed(user: string): void
  /** This connection is gone. */
  left(connection: Connection): void
  /** With whom these users are friends, or who blocks whom, has changed. */
  relationsChanged(users: readonly string[]): void
  /** It may have changed for any of them: all are read again, some at a time. */
  relationsLost(): void
  watched(): number
  start(): void
  stop(): void
}

export interface PresenceOptions {
  readonly gatewayId: string
  readonly reads: Pick<ReadModels, 'openFriends'>
  readonly online: Pick<OnlineRegistry, 'locate'>
  readonly connections: Pick<Connections, 'byUser'>
  readonly counters: Counters
  /** Whether what the map says may still be so. */
  lives(entry: OnlineEntry): boolean
  readonly clock: Clock
  readonly log: Logger
  send(connection: Connection, frame: ServerFrame): void
}

type Devices = PresenceOf['devices']

/** A user whose friends are subscribed here. */
interface Watched {
  /** On other gateways, as of the last round. */
  remote: Devices
  readonly watchers: Set<Connection>
}

interface Known {
  /** A friend, and neither blocks the other. */
  readonly open: boolean
  readonly readAt: number
}

const ROUND_MS = 2_000
const FLUSH_MS = 1_000
/** Who is friends with whom, and blocks whom, is read again before something is told, when it is older. */
const FRIENDS_MS_MAX = 60_000
const DOUBTED_PER_FLUSH = 100

export function createPresence(options: PresenceOptions): Presence {
  const { reads, online, connections, counters, clock, log, gatewayId } = options
  const watched = new Map<string, Watched>()
  /** Whose changes each connection is to be told. */
  const due = new Map<Connection, Set<string>>()
  /** By user, what was read last of those he follows. */
  const knownOf = new Map<string, Map<string, Known>>()
  /** Users of whom that is to be read again. */
  const doubted = new Set<string>()
  let turn = 0
  let stopped = false

  const isOpen = (connection: Connection): boolean => connection.session.phase === 'open'

  function devicesOf(user: string): Devices {
    const here = (connections.byUser(user) ?? []).flatMap(({ entry, socket }) =>
      entry && socket ? [{ deviceId: entry.deviceId, deviceType: entry.deviceType }] : [],
    )
    return distinct([...here, ...(watched.get(user)?.remote ?? [])])
  }

  function subscriptionsOf(connection: Connection): Map<string, string> {
    connection.presence ??= new Map()
    return connection.presence
  }

  function watch(connection: Connection, user: string, remote: Devices): void {
    const of = watched.get(user)
    if (of) of.watchers.add(connection)
    else watched.set(user, { remote, watchers: new Set([connection]) })
  }

  function unwatch(connection: Connection, user: string): void {
    const of = watched.get(user)
    of?.watchers.delete(connection)
    if (of?.watchers.size === 0) watched.delete(user)
  }

  function noteChange(user: string): void {
    for (const connection of watched.get(user)?.watchers ?? []) noteDue(connection, user)
  }

  function noteDue(connection: Connection, user: string): void {
    const users = due.get(connection)
    if (users) users.add(user)
    else due.set(connection, new Set([user]))
  }

  /** Those of `others` who are friends and not blocked, read now. */
  async function readFriends(user: string, others: readonly string[]): Promise<ReadonlySet<string>> {
    const known = knownOf.get(user) ?? new Map<string, Known>()
    knownOf.set(user, known)
    const open = new Set(await reads.openFriends(user, others))
    // Of a map that was dropped meanwhile nobody hears again.
    for (const other of others) known.set(other, { open: open.has(other), readAt: clock.now() })
    return open
  }

  async function locate(users: readonly string[]): Promise<Map<string, Devices>> {
    const found = users.length === 0 ? new Map<string, OnlineEntry[]>() : await online.locate(users)
    return new Map(
      users.map((user) => {
        const entries = (found.get(user) ?? []).filter(
          (entry) => entry.gateway !== gatewayId && options.lives(entry),
        )
        return [user, distinct(entries)]
      }),
    )
  }

  async function subscribe(connection: Connection, user: string, users: readonly string[]) {
    const friends = await readFriends(user, users)
    const remote = await locate(users.filter((other) => friends.has(other)))
    const told = subscriptionsOf(connection)
    return [...new Set(users)].map((userId): PresenceOf => {
      const there = remote.get(userId)
      // Given up while it was read.
      if (!told.has(userId)) return { userId, devices: [] }
      if (there) watch(connection, userId, there)
      const devices = there ? devicesOf(userId) : []
      told.set(userId, textOf(devices))
      return { userId, devices }
    })
  }

  async function round(): Promise<void> {
    const users = [...watched.keys()]
    const count = Math.min(users.length, limits.presencePerRoundMax)
    // More than one round can read take turns.
    const some = Array.from({ length: count }, (_, i) => users[(turn + i) % users.length] as string)
    turn = users.length === 0 ? 0 : (turn + count) % users.length
    try {
      for (const [user, remote] of await locate(some)) {
        const of = watched.get(user)
        if (!of || textOf(of.remote) === textOf(remote)) continue
        of.remote = remote
        noteChange(user)
      }
    } catch (error) {
      log.debug({ err: error }, 'presence was not read')
    }
    if (!stopped) clock.after(ROUND_MS, () => void round())
  }

  function relationsChanged(users: Iterable<string>): void {
    for (const user of users) {
      knownOf.delete(user)
      doubted.delete(user)
      for (const connection of connections.byUser(user) ?? [])
        for (const other of connection.presence?.keys() ?? []) noteDue(connection, other)
    }
  }

  async function flush(): Promise<void> {
    relationsChanged([...doubted].slice(0, DOUBTED_PER_FLUSH))
    const now = [...due]
    due.clear()
    await Promise.all(now.map(([connection, users]) => flushTo(connection, users)))
    if (!stopped) clock.after(FLUSH_MS, () => void flush())
  }

  async function flushTo(connection: Connection, users: ReadonlySet<string>): Promise<void> {
    const { user, socket } = connection
    if (user === null || !isOpen(connection)) return
    // The first that goes when a socket takes no more; the state of then is told when it does.
    const friends = (socket?.buffered() ?? 0) > 0 ? null : await friendsFor(user, users)
    if (!isOpen(connection)) return
    if (friends === null) {
      counters.presenceDropped += 1
      for (const other of users) noteDue(connection, other)
      return
    }
    const told = subscriptionsOf(connection)
    const changes: PresenceOf[] = []
    for (const userId of users) {
      const last = told.get(userId)
      if (last === undefined) continue
      if (friends.has(userId)) watch(connection, userId, watched.get(userId)?.remote ?? [])
      else unwatch(connection, userId)
      const devices = friends.has(userId) ? devicesOf(userId) : []
      if (textOf(devices) === last) continue
      told.set(userId, textOf(devices))
      changes.push({ userId, devices })
    }
    if (changes.length === 0) return
    counters.presenceTold += changes.length
    options.send(connection, { type: 'presenceChanges', changes })
  }

  /** Those of `others` who are friends and not blocked; null: they cannot be read. */
  async function friendsFor(user: string, others: ReadonlySet<string>): Promise<ReadonlySet<string> | null> {
    const known = knownOf.get(user)
    const now = clock.now()
    const isStale = (other: string): boolean => {
      const of = known?.get(other)
      return of === undefined || now - of.readAt >= FRIENDS_MS_MAX
    }
    const stale = [...others].filter(isStale)
    try {
      const read = stale.length > 0 ? await readFriends(user, stale) : new Set<string>()
      const asked = new Set(stale)
      return new Set(
        [...others].filter((other) => (asked.has(other) ? read.has(other) : known?.get(other)?.open)),
      )
    } catch {
      return null
    }
  }

  function left(connection: Connection): void {
    for (const user of connection.presence?.keys() ?? []) unwatch(connection, user)
    connection.presence = null
    due.delete(connection)
    if (connection.user !== null && !connections.byUser(connection.user)) {
      knownOf.delete(connection.user)
      doubted.delete(connection.user)
    }
  }

  function fail(connection: Connection, id: number, code: CodeName): void {
    const { text } = codes[code]
    options.send(connection, { type: 'error', id, code, message: text, retryAfterMs: retryAfter(code) })
  }

  return {
    async change(connection, id, request) {
      const { user } = connection
      if (user === null) return
      const told = subscriptionsOf(connection)
      for (const other of request.unsubscribe) {
        told.delete(other)
        knownOf.get(user)?.delete(other)
        unwatch(connection, other)
      }
      const fresh = [...new Set(request.subscribe)].filter((other) => !told.has(other))
      if (told.size + fresh.length > limits.presenceSubscriptionsPerConnectionMax) {
        fail(connection, id, 'too_many')
        return
      }
      for (const other of fresh) told.set(other, textOf([]))
      try {
        const states = await subscribe(connection, user, request.subscribe)
        if (isOpen(connection)) options.send(connection, { type: 'presenceResult', id, states })
        else left(connection)
      } catch (error) {
        for (const other of fresh) told.delete(other)
        if (!(error instanceof Fault)) log.error({ err: error }, 'reading presence failed by a defect')
        fail(connection, id, error instanceof Fault ? 'unavailable' : 'internal')
      }
    },
    changed: noteChange,
    left,
    relationsChanged,
    relationsLost() {
      for (const user of knownOf.keys()) doubted.add(user)
    },
    watched: () => watched.size,
    start() {
      clock.after(ROUND_MS, () => void round())
      clock.after(FLUSH_MS, () => void flush())
    },
    stop() {
      stopped = true
    },
  }
}

/** Each device once, in an order that tells nothing. */
function distinct(devices: readonly { deviceId: string; deviceType: string }[]): Devices {
  const byId = new Map(devices.map(({ deviceId, deviceType }) => [deviceId, { deviceId, deviceType }]))
  return [...byId.values()].sort((a, b) => (a.deviceId < b.deviceId ? -1 : 1))
}

const textOf = (devices: Devices): string =>
  devices.map(({ deviceId, deviceType }) => `${deviceId}/${deviceType}`).join()
