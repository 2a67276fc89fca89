/** Takes away everything that is built from the log, has it built anew, and compares: byte by byte, where order means nothing sorted. */
import { createHash } from 'node:crypto'
import { createRedis, type RedisClient } from '../../infra/redis/client.ts'
import type { RedisCall, RedisReply } from '../../projections/ports.ts'
import { query } from './checker/read-archive.ts'
import type { Finding } from './checker/types.ts'
import type { Cluster } from './cluster.ts'

export interface Contents {
  /** Redis key → hash of what it holds. */
  readonly keys: ReadonlyMap<string, string>
  /** Table of the archive → count and hash of its rows. */
  readonly tables: ReadonlyMap<string, string>
}

const database = 'longwire'
/** Of the log's records alone: login records are best effort and have no log for ever. */
const tables = [
  'messages',
  'items',
  'changes',
  'membership',
  'reactions',
  'read_marks',
  'single_chats',
  'events_once',
]
/** What is about connections, and positions, whose rebuild ids are drawn. */
const notOfTheLog = /^lw:(pos|connect|connectUsers|gateways|announced|interest|signals|limit|revoked)\b/
const silent = { debug() {}, info() {}, warn() {}, error() {} }
const keysAtOnce = 200

export async function contentsOf(cluster: Cluster): Promise<Contents> {
  return { keys: await redisContents(cluster.engines.redis.url), tables: await archiveContents(cluster) }
}

/** Stops the projections, empties both stores, and starts the projections again. Resolves when they are started, not when they are done. */
export async function takeAway(cluster: Cluster): Promise<void> {
  const { redis, clickhouse } = cluster.engines
  for (const role of cluster.roles) if (role.kind === 'projection') role.hold()
  await redis.stop()
  await redis.restart({ emptied: true })
  await query(clickhouse.url, `DROP DATABASE ${database} SYNC`)
  for (const role of cluster.roles) if (role.kind === 'projection') role.letGo()
}

export function differences(before: Contents, after: Contents): Finding[] {
  const findings: Finding[] = []
  for (const [what, a, b] of [
    ['Redis', before.keys, after.keys],
    ['archive', before.tables, after.tables],
  ] as const)
    for (const key of new Set([...a.keys(), ...b.keys()]))
      if (a.get(key) !== b.get(key))
        findings.push({
          kind: 'rebuilt-otherwise',
          detail: `${what} ${key}: ${a.get(key) ?? 'nothing'} before, ${b.get(key) ?? 'nothing'} after`,
        })
  return findings
}

const readers: Record<string, (key: string) => RedisCall> = {
  hash: (key) => ['HGETALL', key],
  zset: (key) => ['ZRANGE', key, 0, -1, 'WITHSCORES'],
  set: (key) => ['SMEMBERS', key],
  list: (key) => ['LRANGE', key, 0, -1],
  string: (key) => ['GET', key],
}

async function redisContents(url: string): Promise<Map<string, string>> {
  const redis = createRedis({ urls: [url], name: 'chaos', timeoutMs: 30_000 }, silent)
  const contents = new Map<string, string>()
  try {
    await redis.ready(5_000)
    const [found] = await redis.batch([['EVAL', 'return redis.call("KEYS", "lw:*")', 0] as never])
    const names = (found as string[]).filter((name) => !notOfTheLog.test(name)).sort()
    const reads = await readPositions(redis, names)
    for (let at = 0; at < names.length; at += keysAtOnce) {
      const some = names.slice(at, at + keysAtOnce)
      const types = await redis.batch(some.map((name): RedisCall => ['TYPE', name]))
      const values = await redis.batch(
        some.map((name, i) => readers[String(types[i])]?.(name) ?? ['GET', name]),
      )
      for (const [i, name] of some.entries()) {
        const hash = hashOf(String(types[i]), above(reads, name, values[i] ?? null))
        if (!hash.startsWith('0 of')) contents.set(name, hash)
      }
    }
  } finally {
    await redis.close()
  }
  return contents
}

/** `<user> <conversation>` → ordinal up to which he has read. */
type Reads = ReadonlyMap<string, number>

async function readPositions(redis: RedisClient, names: readonly string[]): Promise<Reads> {
  const reads = new Map<string, number>()
  for (const name of names) {
    const user = /^lw:read:\{(.*)\}$/.exec(name)?.[1]
    if (user === undefined) continue
    const [flat] = await redis.batch([['HGETALL', name]])
    const pairs = flat as readonly string[]
    for (let i = 0; i + 1 < pairs.length; i += 2)
      reads.set(`${user} ${pairs[i]}`, Number(String(pairs[i + 1]).split(':')[1]))
  }
  return reads
}

const ownPerChunk = 512

/**
 * Mentions and one's own messages up to what one has read are of no account, and are cleared away as it happens: what was read before
 * they came, as in a log that is read partition by partition, is cleared away later or never.
 */
function above(reads: Reads, name: string, value: RedisReply): RedisReply {
  if (!Array.isArray(value)) return value
  const pairs = (keep: (member: string) => boolean) =>
    value.flatMap((_, i) =>
      i % 2 === 0 && keep(String(value[i])) ? [value[i], value[i + 1]] : [],
    ) as string[]
  const conversation = /^lw:men:\{(.*)\}$/.exec(name)?.[1]
  if (conversation !== undefined)
    return pairs((member) => {
      const at = member.lastIndexOf(':')
      return Number(member.slice(at + 1)) > (reads.get(`${member.slice(0, at)} ${conversation}`) ?? -1)
    })
  const own = /^lw:mine:\{(.*?)\}:(.*)$/.exec(name)
  if (!own) return value
  const read = reads.get(`${own[1]} ${own[2]}`) ?? -1
  return pairs((chunk) => (Number(chunk) + 1) * ownPerChunk - 1 > read)
}

function hashOf(type: string, value: RedisReply): string {
  const flat = Array.isArray(value) ? value.map(String) : [String(value)]
  const pairs = () => flat.flatMap((_, i) => (i % 2 === 0 ? [`${flat[i]} = ${flat[i + 1]}`] : [])).sort()
  const rows = type === 'hash' || type === 'zset' ? pairs() : type === 'set' ? flat.sort() : flat
  return `${rows.length} of ${createHash('sha256').update(rows.join('\n')).digest('hex').slice(0, 16)}`
}

async function archiveContents({ engines }: Cluster): Promise<Map<string, string>> {
  const contents = new Map<string, string>()
  for (const table of tables) {
    const final = table === 'events_once' ? '' : 'FINAL'
    const sql = `SELECT count(), hex(groupBitXor(sipHash64(*))) FROM ${database}.${table} ${final} FORMAT TSV`
    contents.set(table, (await query(engines.clickhouse.url, sql)).trim().replace('\t', ' of '))
  }
  return contents
}
