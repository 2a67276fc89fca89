import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type EngineProcess, startEngineProcess, waitUntilUp } from './engine-process.ts'
import { stablePorts } from './ports.ts'
import { redisAnswers } from './probes.ts'
import type { RunRecord } from './run-record.ts'

const startDeadlineMs = 30_000

export interface EmbeddedRedis {
  /** redis://127.0.0.1:port */
  readonly url: string
  readonly port: number
  readonly pid: number
  readonly running: boolean
  kill(signal?: NodeJS.Signals): void
  pause(): void
  resume(): void
  /** Starts it again on the same port; `emptied` throws its data away first, as if the disk were lost. */
  restart(options?: { emptied?: boolean }): Promise<void>
  stop(): Promise<void>
}

/** Starts a Redis server on loopback with an append-only file, so that its data survives a restart. */
export async function startRedis(options: {
  dir: string
  binary: string
  record: RunRecord
}): Promise<EmbeddedRedis> {
  const dataDir = path.join(options.dir, 'data')
  mkdirSync(dataDir, { recursive: true })
  const [port = 0] = await stablePorts(options.dir, 1)
  const configFile = path.join(options.dir, 'redis.conf')
  const outputFile = path.join(options.dir, 'output.log')
  writeFileSync(configFile, config(port, dataDir))
  const start = async (): Promise<EngineProcess> => {
    const engine = await startEngineProcess(
      { name: 'redis', command: options.binary, args: [configFile], outputFile },
      options.record,
    )
    await waitUntilUp(engine, outputFile, () => redisAnswers(port), startDeadlineMs)
    return engine
  }
  let engine = await start()
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return engine.pid
    },
    get running() {
      return engine.running
    },
    kill: (signal) => engine.kill(signal),
    pause: () => engine.pause(),
    resume: () => engine.resume(),
    restart: async ({ emptied = false } = {}) => {
      if (engine.running) await engine.stop()
      if (emptied) rmSync(dataDir, { recursive: true, force: true })
      mkdirSync(dataDir, { recursive: true })
      engine = await start()
    },
    stop: () => engine.stop(),
  }
}

function config(port: number, dataDir: string): string {
  return `bind 127.0.0.1
protected-mode yes
port ${port}
dir "${dataDir}"
daemonize no
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
loglevel notice
`
}
