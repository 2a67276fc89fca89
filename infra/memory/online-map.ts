/** The online map in memory: it can be away, and it can lose everything. */
import type { Interest, StreamHead } from '../../processors/fanout/ports.ts'
import { Fault } from '../../schemas/ports.ts'
import type { OnlineMap, OnlineRecord } from '../redis/online-map.ts'

export interface MemoryOnlineMap extends OnlineMap {
  /** Every call fails, as when the store does not answer. */
  down: boolean
  /** It answers again, and knows nothing. */
  empty(): void
  /** Who has members of this large group is lost, and nothing else. */
  forgetInterest(conversationId: string): void
  readonly records: ReadonlyMap<string, OnlineRecord>
  readonly heads: ReadonlyMap<string, StreamHead>
  /** Large group → gateway → its interest. */
  readonly interests: ReadonlyMap<string, ReadonlyMap<string, Interest>>
  /** Who is friends with whom. */
  readonly friendships: Map<string, readonly string[]>
}

export function createMemoryOnlineMap(): MemoryOnlineMap {
  const records = new Map<string, OnlineRecord>()
  const boots = new Map<string, string>()
  const known = new Set<string>()
  /** Gateway → users, kept apart from the records as in Redis. */
  const usersHere = new Map<string, Set<string>>()
  const heads = new Map<string, StreamHead>()
  const interests = new Map<string, Map<string, Interest>>()
  const up = async () => {
    await Promise.resolve()
    if (map.down) throw new Fault('redis_unavailable', 'down', { retriable: true })
  }
  const of = (user: string) =>
    [...records.values()].filter((one) => one.user === user).map(({ entry }) => entry)
  const join = (user: string, gateway: string): void => {
    known.add(gateway)
    const users = usersHere.get(gateway)
    if (users) users.add(user)
    else usersHere.set(gateway, new Set([user]))
  }
  const removeWhere = (gone: (record: OnlineRecord) => boolean): number => {
    const found = [...records].filter(([, record]) => gone(record))
    for (const [id] of found) records.delete(id)
    return found.length
  }

  const map: MemoryOnlineMap = {
    down: false,
    records,
    heads,
    interests,
    friendships: new Map(),
    empty() {
      for (const lost of [records, boots, heads, interests, known, usersHere]) lost.clear()
    },
    forgetInterest(conversationId) {
      interests.delete(conversationId)
    },
    async writeHeads(raised) {
      await up()
      for (const head of raised)
        if (head.seq > (heads.get(head.stream)?.seq ?? 0)) heads.set(head.stream, head)
    },
    async locate(users) {
      await up()
      return new Map(users.map((user) => [user, of(user)]))
    },
    async announced(gateways) {
      await up()
      return new Map(gateways.flatMap((id) => (boots.has(id) ? [[id, boots.get(id) as string]] : [])))
    },
    async interested(streams) {
      await up()
      return new Map(
        streams.flatMap((stream) => {
          const found = interests.get(stream)
          return found ? [[stream, [...found.values()]]] : []
        }),
      )
    },
    async friends(users, max) {
      await up()
      return new Map(users.map((user) => [user, (map.friendships.get(user) ?? []).slice(0, max)]))
    },
    async registerInterest(interest, conversations) {
      await up()
      return conversations.filter((conversation) => {
        const found = interests.get(conversation) ?? new Map<string, Interest>()
        const isNew = !found.has(interest.gateway)
        interests.set(conversation, found.set(interest.gateway, interest))
        return isNew
      })
    },
    async dropInterest(gateway, boot, conversations) {
      await up()
      for (const conversation of conversations) {
        const found = interests.get(conversation)
        if (found?.get(gateway)?.boot === boot) found.delete(gateway)
      }
    },
    async register(record) {
      await up()
      const { user, entry } = record
      join(user, entry.gateway)
      const others = of(user).filter(({ connection }) => connection !== entry.connection)
      const loginAt = Math.max(entry.loginAt, ...others.map((other) => other.loginAt + 1))
      records.set(entry.connection, { user, entry: { ...entry, loginAt } })
      return { loginAt, others }
    },
    async unregister({ user, gateway, connection, boot, lastOfUser }) {
      await up()
      if (lastOfUser) usersHere.get(gateway)?.delete(user)
      if (records.get(connection)?.entry.boot === boot) records.delete(connection)
    },
    async refresh(all) {
      await up()
      const created = all.filter(({ entry }) => !records.has(entry.connection))
      for (const record of all) {
        join(record.user, record.entry.gateway)
        records.set(record.entry.connection, record)
      }
      return created.map(({ entry }) => entry.connection)
    },
    async announce(gateway, boot) {
      await up()
      boots.set(gateway, boot)
      known.add(gateway)
    },
    async retract(gateway, boot) {
      await up()
      if (boots.get(gateway) === boot) boots.delete(gateway)
    },
    async clearGateway(gateway, bootNow) {
      await up()
      known.add(gateway)
      const gone = removeWhere(({ entry }) => entry.gateway === gateway && entry.boot !== bootNow)
      for (const user of usersHere.get(gateway) ?? [])
        if (!of(user).some((entry) => entry.gateway === gateway)) usersHere.get(gateway)?.delete(user)
      return gone
    },
    async sweep(gateway, now) {
      await up()
      const gone = removeWhere(({ entry }) => entry.gateway === gateway && entry.expiresAt <= now)
      for (const user of usersHere.get(gateway) ?? [])
        if (!of(user).some((entry) => entry.gateway === gateway)) usersHere.get(gateway)?.delete(user)
      return gone
    },
    async forget(gateway, users) {
      await up()
      for (const user of users) usersHere.get(gateway)?.delete(user)
    },
    async gateways() {
      await up()
      return [...known]
    },
    async forgetGateway(gateway) {
      await up()
      known.delete(gateway)
    },
    async connectionsOf(user) {
      await up()
      return of(user)
    },
    async connection(user, id) {
      await up()
      const found = records.get(id)
      return found?.user === user ? found.entry : null
    },
    async usersOf(gateway) {
      await up()
      return [...(usersHere.get(gateway) ?? [])]
    },
  }
  return map
}
