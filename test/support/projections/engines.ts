/** A real Redis and a real ClickHouse engine for a test file, with the clients under test. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type ClickHouse, createClickHouse } from '../../../infra/clickhouse/client.ts'
import { migrateArchive } from '../../../infra/clickhouse/migrate.ts'
import { startEmbedded } from '../../../infra/embedded/services.ts'
import { silentLog } from '../../../infra/log.ts'
import { createRedis, type RedisClient } from '../../../infra/redis/client.ts'

export async function startEngines<const C extends boolean>(need: { clickhouse: C }) {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'longwire-projections-'))
  const engines = await startEmbedded({
    dataDir,
    need: { kafka: false, redis: true, clickhouse: need.clickhouse },
    log: silentLog,
  })
  const redisEngine = engines.redis as NonNullable<typeof engines.redis>
  const redis: RedisClient = createRedis({ urls: [redisEngine.url], name: 'test' }, silentLog)
  await redis.ready(5_000)
  const options = { url: engines.clickhouse?.url ?? 'http://127.0.0.1:9', database: 'longwire' }
  if (need.clickhouse) await migrateArchive(options, silentLog)
  const clickhouse: ClickHouse = createClickHouse(options)
  return {
    redis,
    redisEngine,
    clickhouse,
    clickhouseEngine: engines.clickhouse as NonNullable<typeof engines.clickhouse>,
    async stop() {
      await redis.close()
      await clickhouse.close()
      await engines.stop()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}
