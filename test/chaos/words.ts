/** What stands in clear in Redis and in the archive, as the first words of all texts there. */
import { createRedis } from '../../infra/redis/client.ts'
import { contentsOf } from '../../projections/replay/contents.ts'
import type { Standing } from './checker/erasures.ts'
import { query } from './checker/read-archive.ts'
import type { Cluster } from './cluster.ts'

/** How each text of the load begins. */
const word = /[0-9a-f]{24}/g
const database = 'longwire'
const silent = { debug() {}, info() {}, warn() {}, error() {} }

export async function wordsStanding({ engines }: Cluster): Promise<Standing[]> {
  return [
    { store: 'Redis', words: await wordsInRedis(engines.redis.url) },
    { store: 'the archive', words: await wordsInArchive(engines.clickhouse.url) },
  ]
}

async function wordsInRedis(url: string): Promise<Set<string>> {
  const redis = createRedis({ urls: [url], name: 'chaos', timeoutMs: 30_000 }, silent)
  const words = new Set<string>()
  try {
    await redis.ready(5_000)
    for await (const names of redis.keysLike('*'))
      for (const contents of await contentsOf(redis, names))
        for (const text of [...contents].flat()) for (const [found] of text.matchAll(word)) words.add(found)
  } finally {
    await redis.close()
  }
  return words
}

/** Every text in every column of every table, views apart. */
async function wordsInArchive(url: string): Promise<Set<string>> {
  const columns = await query(
    url,
    `SELECT table, name FROM system.columns WHERE database = '${database}' AND type LIKE '%String%' AND default_kind NOT IN ('EPHEMERAL', 'ALIAS')
       AND table IN (SELECT name FROM system.tables WHERE database = '${database}' AND engine LIKE '%MergeTree')
     FORMAT TSV`,
  )
  const words = new Set<string>()
  for (const line of columns.split('\n').filter((text) => text !== '')) {
    const [table, column] = line.split('\t')
    const found = await query(
      url,
      `SELECT DISTINCT arrayJoin(extractAll(ifNull(toString(${column}), ''), '${word.source}')) FROM ${database}.${table} FORMAT TSV`,
    )
    for (const text of found.split('\n')) if (text !== '') words.add(text)
  }
  return words
}
