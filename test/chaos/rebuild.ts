/** Takes away everything that is built from the log, has it built anew, and compares: byte by byte, where order means nothing sorted. */
import { createHash } from 'node:crypto'
import { createRedis } from '../../infra/redis/client.ts'
import { contentsOf } from '../../projections/replay/contents.ts'
import { type Contents, mentionsAbove, ownAbove } from '../../projections/replay/normal.ts'
import { query } from './checker/read-archive.ts'
import type { Finding } from './checker/types.ts'
import type { Cluster } from './cluster.ts'

export interface Built {
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

/** `fanout`: also what fan-out writes beside the projections, for which it waits for none of them. */
export async function builtIn(cluster: Cluster, { fanout = true } = {}): Promise<Built> {
  const { url } = cluster.engines.redis
  return { keys: await redisContents(url, fanout), tables: await archiveContents(cluster) }
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

export function differences(before: Built, after: Built): Finding[] {
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

async function redisContents(url: string, fanout: boolean): Promise<Map<string, string>> {
  const redis = createRedis({ urls: [url], name: 'chaos', timeoutMs: 30_000 }, silent)
  const hashes = new Map<string, string>()
  try {
    await redis.ready(5_000)
    const names: string[] = []
    for await (const found of redis.keysLike('lw:*'))
      names.push(...found.filter((name) => !notOfTheLog.test(name)))
    const contents = await contentsOf(redis, names)
    const reads = readPositions(names, contents)
    for (const [i, name] of names.entries()) {
      const whole = above(reads, name, contents[i] as Contents)
      const counted = fanout ? whole : withoutFanout(name, whole)
      if (counted.size > 0) hashes.set(name, hashOf(counted))
    }
  } finally {
    await redis.close()
  }
  return hashes
}

/** `<user> <conversation>` → ordinal up to which he has read. */
function readPositions(names: readonly string[], contents: readonly Contents[]): Map<string, number> {
  const reads = new Map<string, number>()
  for (const [i, name] of names.entries()) {
    const user = /^lw:read:\{(.*)\}$/.exec(name)?.[1]
    if (user === undefined) continue
    for (const [conversation, mark] of contents[i] ?? [])
      reads.set(`${user} ${conversation}`, Number(mark.split(':')[1]))
  }
  return reads
}

/**
 * Mentions and one's own messages up to what one has read are of no account, and are cleared away as it happens: what was read before
 * they came, as in a log that is read partition by partition, is cleared away later or never.
 */
function above(reads: ReadonlyMap<string, number>, name: string, contents: Contents): Contents {
  const readOf = (user: string, conversation: string) => reads.get(`${user} ${conversation}`) ?? -1
  const conversation = /^lw:men:\{(.*)\}$/.exec(name)?.[1]
  if (conversation !== undefined) return mentionsAbove(contents, conversation, readOf)
  const [, user, about] = /^lw:mine:\{(.*?)\}:(.*)$/.exec(name) ?? []
  return user === undefined || about === undefined ? contents : ownAbove(contents, readOf(user, about))
}

/** How far conversations are, and who has which. */
function withoutFanout(name: string, contents: Contents): Contents {
  if (name.startsWith('lw:convs:')) return new Map()
  if (!name.startsWith('lw:head:')) return contents
  return new Map([...contents].filter(([field]) => !['seq', 'ordinal', 'time'].includes(field)))
}

function hashOf(contents: Contents): string {
  const rows = [...contents].map(([name, value]) => `${name} = ${value}`).sort()
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
