/** The online map and the heads in Redis: fan-out's store and the gateway's registry. */
import type { FanoutStore, Interest, OnlineEntry } from '../../processors/fanout/ports.ts'
import { keys } from '../../projections/keys.ts'
import { valueIn } from '../../projections/latest.ts'
import { type Namespaces, oneNamespace } from '../../projections/namespaces/follower.ts'
import { inActive, inEach } from '../../projections/namespaces/redis.ts'
import type { RedisCall, RedisPort, RedisReply, Script } from '../../projections/ports.ts'
import { raiseHead } from '../../projections/timeline/scripts.ts'

export interface OnlineRecord {
  readonly user: string
  readonly entry: OnlineEntry
}

export interface Registered {
  readonly loginAt: number
  readonly others: OnlineEntry[]
}

/** The gateway's side. Every call rejects with Fault `redis_unavailable` within 500 ms when Redis does not answer; all are idempotent. */
export interface OnlineRegistry {
  /** Answers what else stands there of the user, and the login's time: after that of all of these. */
  register(record: OnlineRecord): Promise<Registered>
  /** Removes the field only if it is of this boot. `lastOfUser`: the user has no other connection on this gateway. */
  unregister(record: {
    readonly user: string
    readonly gateway: string
    readonly boot: string
    readonly connection: string
    readonly lastOfUser: boolean
  }): Promise<void>
  /** Rewrites fields with their new expiry; answers the connections whose field had been lost (tell those clients to resync). */
  refresh(records: readonly OnlineRecord[]): Promise<string[]>
  /** Says that all sockets of this boot are registered. */
  announce(gateway: string, boot: string): Promise<void>
  /** Takes the announcement back, if it is of this boot. */
  retract(gateway: string, boot: string): Promise<void>
  /** At start: removes what earlier boots of this gateway left. Answers how many records went. */
  clearGateway(gateway: string, bootNow: string): Promise<number>
  /** Removes records of a gateway that does not live which expired before `now`. Answers how many. */
  sweep(gateway: string, now: number): Promise<number>
  /** These users have no connection on this gateway. */
  forget(gateway: string, users: readonly string[]): Promise<void>
  /** Gateways under which something may stand. */
  gateways(): Promise<string[]>
  /** Nothing stands under it any more, if so. */
  forgetGateway(gateway: string): Promise<void>
  /** Says that this gateway has members of these large groups; answers those of which that did not stand there. */
  registerInterest(interest: Interest, conversations: readonly string[]): Promise<string[]>
  /** Takes it back, where it is of this boot. */
  dropInterest(gateway: string, boot: string, conversations: readonly string[]): Promise<void>
  locate: FanoutStore['locate']
  announced: FanoutStore['announced']
  connectionsOf(user: string): Promise<OnlineEntry[]>
  connection(user: string, connection: string): Promise<OnlineEntry | null>
  usersOf(gateway: string): Promise<string[]>
}

export type OnlineMap = FanoutStore & OnlineRegistry

/** A key whose fields nobody rewrites any more goes by itself; far beyond the expiry of a field (Redis 6.2 has none of its own). */
const CONNECT_KEY_TTL_MS = 10 * 60_000
const CALLS_PER_BATCH_MAX = 500

/**
 * KEYS connect. ARGV connection, its JSON up to the login time, that time, TTL in ms. Answers the time written, then what the
 * other fields hold: who comes later has the later time, whatever the clocks of gateways say.
 */
const registerLast: Script = {
  name: 'registerLast',
  text: `
local all = redis.call('HGETALL', KEYS[1])
local time, answer = tonumber(ARGV[3]), {''}
for i = 1, #all, 2 do
  if all[i] ~= ARGV[1] then
    answer[#answer + 1] = all[i + 1]
    local other = tonumber(string.match(all[i + 1], '"loginAt":(%d+)'))
    if other and other >= time then time = other + 1 end
  end
end
answer[1] = string.format('%.0f', time)
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. answer[1] .. '}')
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return answer
`,
}

/** KEYS connect. ARGV then per record: connection, JSON that must still stand there. */
const removeSame: Script = {
  name: 'removeSame',
  text: `
local gone = 0
for i = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then gone = gone + redis.call('HDEL', KEYS[1], ARGV[i]) end
end
return gone
`,
}

/** KEYS connect. ARGV connection, boot. */
const removeOfBoot: Script = {
  name: 'removeOfBoot',
  text: `
local value = redis.call('HGET', KEYS[1], ARGV[1])
if value and cjson.decode(value).boot == ARGV[2] then return redis.call('HDEL', KEYS[1], ARGV[1]) end
return 0
`,
}

/** KEYS announced. ARGV boot. */
const retractSame: Script = {
  name: 'retractSame',
  text: `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`,
}

/** KEYS interest. ARGV gateway, boot. */
const dropInterestOfBoot: Script = {
  name: 'dropInterestOfBoot',
  text: `
local value = redis.call('HGET', KEYS[1], ARGV[1])
if value and string.sub(value, 1, #ARGV[2] + 1) == ARGV[2] .. ';' then return redis.call('HDEL', KEYS[1], ARGV[1]) end
return 0
`,
}

/** Heads and lists are the projections': they are written to each of their namespaces, and friends read from the active one. */
export function createRedisOnlineMap(redis: RedisPort, namespaces: Namespaces = oneNamespace): OnlineMap {
  const fed = inEach(redis, namespaces)
  const active = inActive(redis, namespaces)

  /** A round trip of ten thousand calls would hold up everybody else's. */
  async function inBatches(calls: readonly RedisCall[], port: RedisPort = redis): Promise<RedisReply[]> {
    const replies: RedisReply[] = []
    for (let at = 0; at < calls.length; at += CALLS_PER_BATCH_MAX)
      replies.push(...(await port.batch(calls.slice(at, at + CALLS_PER_BATCH_MAX))))
    return replies
  }

  async function locate(users: readonly string[]): Promise<Map<string, OnlineEntry[]>> {
    const replies = await inBatches(users.map((user) => ['HVALS', keys.connect(user)]))
    const found = new Map<string, OnlineEntry[]>()
    for (const [i, user] of users.entries()) {
      const entries = entriesIn(replies[i])
      if (entries.length > 0) found.set(user, entries)
    }
    return found
  }

  async function sweep(gateway: string, isStale: (entry: OnlineEntry) => boolean): Promise<number> {
    const users = await usersOf(gateway)
    let gone = 0
    for (let at = 0; at < users.length; at += CALLS_PER_BATCH_MAX) {
      const some = users.slice(at, at + CALLS_PER_BATCH_MAX)
      const replies = await redis.batch(some.map((user) => ['HVALS', keys.connect(user)]))
      const removals: RedisCall[] = []
      const leaving: string[] = []
      for (const [i, user] of some.entries()) {
        const values = (replies[i] ?? []) as string[]
        const here = values.filter((value) => entryOf(value)?.gateway === gateway)
        const stale = here.filter((value) => isStale(entryOf(value) as OnlineEntry))
        if (stale.length > 0) {
          const args = stale.flatMap((value) => [(entryOf(value) as OnlineEntry).connection, value])
          removals.push({ script: removeSame, keys: [keys.connect(user)], args })
        }
        if (stale.length === here.length) leaving.push(user)
      }
      for (const count of await redis.batch(removals)) gone += Number(count)
      if (leaving.length > 0) await redis.batch([['SREM', keys.connectUsers(gateway), ...leaving]])
    }
    return gone
  }

  async function usersOf(gateway: string): Promise<string[]> {
    const users = new Set<string>()
    let cursor = '0'
    do {
      const [reply] = await redis.batch([['SSCAN', keys.connectUsers(gateway), cursor, 'COUNT', 1_000]])
      const [next, members] = reply as [string, string[]]
      for (const user of members) users.add(user)
      cursor = next
    } while (cursor !== '0')
    return [...users]
  }

  return {
    async writeHeads(heads, lists) {
      const byUser = new Map<string, Set<string>>()
      for (const { user, conversationId } of lists) {
        const known = byUser.get(user)
        if (known) known.add(conversationId)
        else byUser.set(user, new Set([conversationId]))
      }
      await inBatches(
        [
          ...heads.map(
            ({ stream, seq, ordinal, time }): RedisCall => ({
              script: raiseHead,
              keys: [keys.head(stream)],
              args: [seq, ordinal, time],
            }),
          ),
          ...[...byUser].map(([user, ids]): RedisCall => ['SADD', keys.conversations(user), ...ids]),
        ],
        fed,
      )
    },
    locate,
    async announced(gateways) {
      const replies = await redis.batch(gateways.map((gateway) => ['GET', keys.announced(gateway)]))
      const boots = new Map<string, string>()
      for (const [i, gateway] of gateways.entries()) {
        const boot = replies[i]
        if (typeof boot === 'string') boots.set(gateway, boot)
      }
      return boots
    },
    async interested(streams) {
      const replies = await inBatches(streams.map((stream) => ['HGETALL', keys.interest(stream)]))
      const found = new Map<string, Interest[]>()
      for (const [i, stream] of streams.entries()) {
        const interests = interestsIn(replies[i])
        if (interests.length > 0) found.set(stream, interests)
      }
      return found
    },
    async friends(users, max) {
      const replies = await inBatches(
        users.map((user) => ['HGETALL', keys.relations(user)]),
        active,
      )
      const asked = users.map((user, i) => ({ user, friends: friendsIn(replies[i], max) }))
      const blocks = await inBatches(
        asked.flatMap(({ user, friends }) =>
          friends.map((friend): RedisCall => ['HGET', keys.relations(friend), `b:${user}`]),
        ),
        active,
      )
      let at = 0
      return new Map(
        asked.map(({ user, friends }) => [user, friends.filter(() => valueIn(blocks[at++]) === null)]),
      )
    },
    async registerInterest({ gateway, boot, expiresAt }, conversations) {
      const calls = conversations.flatMap((conversation): RedisCall[] => [
        ['HSET', keys.interest(conversation), gateway, `${boot};${expiresAt}`],
        ['PEXPIRE', keys.interest(conversation), CONNECT_KEY_TTL_MS],
      ])
      const replies = await inBatches(calls)
      return conversations.filter((_, i) => replies[2 * i] === 1)
    },
    async dropInterest(gateway, boot, conversations) {
      await inBatches(
        conversations.map((conversation) => ({
          script: dropInterestOfBoot,
          keys: [keys.interest(conversation)],
          args: [gateway, boot],
        })),
      )
    },
    async register({ user, entry }) {
      const { loginAt, ...rest } = entry
      const begun = `${JSON.stringify(rest).slice(0, -1)},"loginAt":`
      const args = [entry.connection, begun, loginAt, CONNECT_KEY_TTL_MS]
      // What an emptied Redis forgot of this gateway must be found even if it dies before it announces itself again.
      const [, , reply] = await redis.batch([
        ['SADD', keys.gateways(), entry.gateway],
        ['SADD', keys.connectUsers(entry.gateway), user],
        { script: registerLast, keys: [keys.connect(user)], args },
      ])
      const [time, ...others] = reply as string[]
      return { loginAt: Number(time), others: entriesIn(others) }
    },
    async unregister({ user, gateway, boot, connection, lastOfUser }) {
      const calls: RedisCall[] = [
        { script: removeOfBoot, keys: [keys.connect(user)], args: [connection, boot] },
      ]
      if (lastOfUser) calls.push(['SREM', keys.connectUsers(gateway), user])
      await redis.batch(calls)
    },
    async refresh(records) {
      const users = new Map<string, Set<string>>()
      for (const { user, entry } of records) {
        const known = users.get(entry.gateway)
        if (known) known.add(user)
        else users.set(entry.gateway, new Set([user]))
      }
      for (const [gateway, names] of users) {
        await redis.batch([['SADD', keys.gateways(), gateway]])
        const all = [...names]
        for (let at = 0; at < all.length; at += CALLS_PER_BATCH_MAX)
          await redis.batch([
            ['SADD', keys.connectUsers(gateway), ...all.slice(at, at + CALLS_PER_BATCH_MAX)],
          ])
      }
      const calls = records.flatMap(({ user, entry }): RedisCall[] => [
        ['HSET', keys.connect(user), entry.connection, JSON.stringify(entry)],
        ['PEXPIRE', keys.connect(user), CONNECT_KEY_TTL_MS],
      ])
      const replies = await inBatches(calls)
      return records.filter((_, i) => replies[2 * i] === 1).map(({ entry }) => entry.connection)
    },
    async announce(gateway, boot) {
      await redis.batch([
        ['SADD', keys.gateways(), gateway],
        ['SET', keys.announced(gateway), boot],
      ])
    },
    async retract(gateway, boot) {
      await redis.batch([{ script: retractSame, keys: [keys.announced(gateway)], args: [boot] }])
    },
    async clearGateway(gateway, bootNow) {
      await redis.batch([['SADD', keys.gateways(), gateway]])
      return sweep(gateway, (entry) => entry.boot !== bootNow)
    },
    sweep: (gateway, now) => sweep(gateway, (entry) => entry.expiresAt <= now),
    async forget(gateway, users) {
      if (users.length > 0) await redis.batch([['SREM', keys.connectUsers(gateway), ...users]])
    },
    async gateways() {
      const [reply] = await redis.batch([['SMEMBERS', keys.gateways()]])
      return reply as string[]
    },
    async forgetGateway(gateway) {
      await redis.batch([['SREM', keys.gateways(), gateway]])
    },
    async connectionsOf(user) {
      return (await locate([user])).get(user) ?? []
    },
    async connection(user, connection) {
      const [reply] = await redis.batch([['HGET', keys.connect(user), connection]])
      return typeof reply === 'string' ? entryOf(reply) : null
    },
    usersOf,
  }
}

function entriesIn(reply: RedisReply | undefined): OnlineEntry[] {
  if (!Array.isArray(reply)) return []
  return reply.map(entryOf).filter((entry) => entry !== null)
}

function interestsIn(reply: RedisReply | undefined): Interest[] {
  return pairsOf(reply).flatMap(([gateway, value]) => {
    const [boot, expiresAt] = value.split(';')
    return boot && expiresAt ? [{ gateway, boot, expiresAt: Number(expiresAt) }] : []
  })
}

/** The directory keeps them as `f:<user>` → `friend:…`, and those whom the user blocks as `b:<user>`. */
function friendsIn(reply: RedisReply | undefined, max: number): string[] {
  const relations = new Map(pairsOf(reply))
  return [...relations]
    .flatMap(([field, text]) => {
      const friend = field.startsWith('f:') && valueIn(text)?.startsWith('friend:') ? field.slice(2) : null
      return friend === null || valueIn(relations.get(`b:${friend}`)) !== null ? [] : [friend]
    })
    .slice(0, max)
}

function pairsOf(reply: RedisReply | undefined): [string, string][] {
  if (!Array.isArray(reply)) return []
  const pairs: [string, string][] = []
  for (let i = 0; i + 1 < reply.length; i += 2) pairs.push([String(reply[i]), String(reply[i + 1])])
  return pairs
}

/** A field that something else wrote is nobody's connection. */
function entryOf(text: string): OnlineEntry | null {
  try {
    return JSON.parse(text) as OnlineEntry
  } catch {
    return null
  }
}
