import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { exchange, liveBrokers } from '../../infra/embedded/probes.ts'
import { identify } from '../../infra/embedded/process-identity.ts'
import { startEmbedded } from '../../infra/embedded/services.ts'
import { silentLog } from '../../infra/log.ts'

const dir = mkdtempSync(path.join(tmpdir(), 'longwire-services-'))
const minute = 60_000
const cleanups: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const redis = async (port: number, command: string) =>
  (await exchange(port, Buffer.from(`${command}\r\n`), (got) => got.includes('\r\n')))?.toString() ?? ''
const fresh = (name: string) => {
  const dataDir = path.join(dir, name)
  cleanups.push(() => rmSync(dataDir, { recursive: true, force: true }))
  return dataDir
}

describe('the embedded services', () => {
  test(
    'Redis keeps its data over a restart and loses it when emptied',
    async () => {
      const need = { kafka: false, redis: true, clickhouse: false }
      const dataDir = fresh('redis')
      const first = await startEmbedded({ dataDir, need, log: silentLog })
      cleanups.push(() => first.stop())
      const engine = first.redis
      if (!engine) throw new Error('no Redis')
      await redis(engine.port, 'SET a 1')
      await engine.restart()
      expect(await redis(engine.port, 'GET a')).toBe('$1\r\n1\r\n')
      await engine.restart({ emptied: true })
      expect(await redis(engine.port, 'GET a')).toBe('$-1\r\n')
    },
    minute,
  )

  test(
    'a replicated Kafka comes back from a kill -9 and a pause of one broker',
    async () => {
      const services = await startEmbedded({
        dataDir: fresh('kafka'),
        need: { kafka: true, redis: false, clickhouse: false },
        kafkaNodes: 3,
        log: silentLog,
      })
      cleanups.push(() => services.stop())
      const { nodes, brokers } = services.kafka
      expect(brokers).toHaveLength(3)
      const port = (i: number) => Number(brokers[i]?.split(':')[1])
      expect(await liveBrokers(port(0))).toBe(3)
      nodes[0]?.kill('SIGKILL')
      await expect.poll(() => liveBrokers(port(0))).toBe(0)
      await nodes[0]?.restart()
      await expect.poll(() => liveBrokers(port(1)), { timeout: 30_000 }).toBe(3)
      nodes[2]?.pause()
      // A process of many threads goes on for a moment.
      await expect.poll(() => liveBrokers(port(2)), { timeout: 10_000 }).toBe(0)
      nodes[2]?.resume()
      await expect.poll(() => liveBrokers(port(2)), { timeout: 30_000 }).toBe(3)
    },
    2 * minute,
  )

  test(
    'what a killed supervisor left is stopped at the next start, and the data is still there',
    async () => {
      const dataDir = fresh('killed')
      const need = { kafka: false, redis: true, clickhouse: true } as const
      const { child, said } = await supervisor(dataDir)
      const left = JSON.parse(said) as { redisPid: number; redisPort: number }
      await redis(left.redisPort, 'SET a 1')
      await expect(startEmbedded({ dataDir, need, log: silentLog })).rejects.toThrow(
        `in use by process ${child.pid}`,
      )
      child.kill('SIGKILL')
      await expect.poll(() => identify(child.pid ?? 0)).toBeUndefined()
      expect(identify(left.redisPid)).toBeDefined()
      const next = await startEmbedded({ dataDir, need, log: silentLog })
      cleanups.push(() => next.stop())
      expect(identify(left.redisPid)).toBeUndefined()
      expect(await redis(next.redis.port, 'GET a')).toBe('$1\r\n1\r\n')
    },
    minute,
  )

  test(
    'a start that fails leaves nothing running and the folder free',
    async () => {
      const dataDir = fresh('failing')
      const need = { kafka: true, redis: true, clickhouse: false }
      const before = process.env.PATH
      process.env.PATH = ''
      const failing = startEmbedded({ dataDir, need, log: silentLog })
      await expect(failing).rejects.toThrow(/Java 17 or newer is needed .* no java on the PATH: install it/)
      process.env.PATH = before
      const next = await startEmbedded({ dataDir, need: { ...need, kafka: false }, log: silentLog })
      await next.stop()
    },
    minute,
  )
})

/** A process that starts Redis and ClickHouse on `dataDir`, says so, and stays. */
function supervisor(dataDir: string): Promise<{ child: ChildProcess; said: string }> {
  const script = `
    const { startEmbedded } = await import('./infra/embedded/services.ts')
    const { silentLog } = await import('./infra/log.ts')
    const need = { kafka: false, redis: true, clickhouse: true }
    const s = await startEmbedded({ dataDir: ${JSON.stringify(dataDir)}, need, log: silentLog })
    console.log(JSON.stringify({ redisPid: s.redis.pid, redisPort: s.redis.port }))
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  cleanups.push(() => void child.kill('SIGKILL'))
  return new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error('the supervisor ended')))
    child.stdout?.once('data', (data: Buffer) => resolve({ child, said: data.toString() }))
  })
}
