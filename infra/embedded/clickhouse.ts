import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { EngineError, type EngineProcess, startEngineProcess, waitUntilUp } from './engine-process.ts'
import { stablePorts } from './ports.ts'
import type { RunRecord } from './run-record.ts'

const startDeadlineMs = 60_000
const serverFile = fileURLToPath(new URL('./chdb-server.ts', import.meta.url))

export interface EmbeddedClickHouse {
  /** http://127.0.0.1:port */
  readonly url: string
  readonly pid: number
  readonly running: boolean
  kill(signal?: NodeJS.Signals): void
  pause(): void
  resume(): void
  restart(): Promise<void>
  stop(): Promise<void>
}

/** Starts the ClickHouse engine behind its HTTP interface in a process of its own, on loopback. */
export async function startClickHouse(options: {
  dir: string
  record: RunRecord
}): Promise<EmbeddedClickHouse> {
  checkInstalled()
  const [port = 0] = await stablePorts(options.dir, 1)
  const outputFile = path.join(options.dir, 'output.log')
  const url = `http://127.0.0.1:${port}`
  const start = async (): Promise<EngineProcess> => {
    const engine = await startEngineProcess(
      {
        name: 'clickhouse',
        command: process.execPath,
        args: [serverFile, path.join(options.dir, 'data'), String(port)],
        // One thread for each session that may be busy.
        env: { UV_THREADPOOL_SIZE: '8' },
        outputFile,
        ipc: true,
      },
      options.record,
    )
    await waitUntilUp(engine, outputFile, () => pings(url), startDeadlineMs)
    return engine
  }
  let engine = await start()
  return {
    url,
    get pid() {
      return engine.pid
    },
    get running() {
      return engine.running
    },
    kill: (signal) => engine.kill(signal),
    pause: () => engine.pause(),
    resume: () => engine.resume(),
    restart: async () => {
      if (engine.running) await engine.stop()
      engine = await start()
    },
    stop: () => engine.stop(),
  }
}

async function pings(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/ping`, { signal: AbortSignal.timeout(1_000) })).ok
  } catch {
    return false
  }
}

function checkInstalled(): void {
  try {
    import.meta.resolve('chdb')
  } catch {
    throw new EngineError(
      'the embedded ClickHouse (npm package chdb) is not installed on this platform: run `npm install --include=optional`, or set LONGWIRE_CLICKHOUSE',
    )
  }
}
