/** The online map and the heads as a map in memory, which can be down, and can lose everything. */
import type { OnlineMap, OnlineRecord } from '../../../infra/redis/online-map.ts'
import { Fault } from '../../../schemas/ports.ts'

export interface WorldMap extends OnlineMap {
  /** Every call fails, as when the store does not answer. */
  down: boolean
  /** It answers again, and knows nothing. */
  empty(): void
}

export function createWorldMap(): WorldMap {
  const records = new Map<string, OnlineRecord>()
  const boots = new Map<string, string>()
  const up = async () => {
    await Promise.resolve()
    if (map.down) throw new Fault('redis_unavailable', 'down', { retriable: true })
  }
  const of = (user: string) =>
    [...records.values()].filter((one) => one.user === user).map(({ entry }) => entry)
  const removeWhere = (gone: (record: OnlineRecord) => boolean): number => {
    const found = [...records].filter(([, record]) => gone(record))
    for (const [id] of found) records.delete(id)
    return found.length
  }

  const map: WorldMap = {
    down: false,
    empty() {
      records.clear()
      boots.clear()
    },
    async writeHeads() {
      await up()
    },
    async locate(users) {
      await up()
      return new Map(users.map((user) => [user, of(user)]))
    },
    async announced(gateways) {
      await up()
      return new Map(gateways.flatMap((id) => (boots.has(id) ? [[id, boots.get(id) as string]] : [])))
    },
    async register(record) {
      await up()
      records.set(record.entry.connection, record)
    },
    async unregister({ connection, boot }) {
      await up()
      if (records.get(connection)?.entry.boot === boot) records.delete(connection)
    },
    async refresh(all) {
      await up()
      const created = all.filter(({ entry }) => !records.has(entry.connection))
      for (const record of all) records.set(record.entry.connection, record)
      return created.map(({ entry }) => entry.connection)
    },
    async announce(gateway, boot) {
      await up()
      boots.set(gateway, boot)
    },
    async retract(gateway, boot) {
      await up()
      if (boots.get(gateway) === boot) boots.delete(gateway)
    },
    async clearGateway(gateway, bootNow) {
      await up()
      return removeWhere(({ entry }) => entry.gateway === gateway && entry.boot !== bootNow)
    },
    async sweep(gateway, liveBoot, now) {
      await up()
      return removeWhere(
        ({ entry }) => entry.gateway === gateway && (entry.boot !== liveBoot || entry.expiresAt <= now),
      )
    },
    async connectionsOf(user) {
      await up()
      return of(user)
    },
    async connection(_user, id) {
      await up()
      return records.get(id)?.entry ?? null
    },
    async usersOf(gateway) {
      await up()
      const here = [...records.values()].filter(({ entry }) => entry.gateway === gateway)
      return [...new Set(here.map(({ user }) => user))]
    },
  }
  return map
}
