/** What every command of an operator begins with: the running platform's services, an orderly end, and one line for what went wrong. */
import type { Command } from 'commander'
import { Fault, type LogStore } from '../schemas/ports.ts'
import { type ClickHouse, type ClickHouseOptions, createClickHouse } from './clickhouse/client.ts'
import { clickHouseOptions } from './clickhouse/migrate.ts'
import { systemClock } from './clock.ts'
import { type Config, ConfigError, loadConfig, type requireServices } from './config.ts'
import { engineAddresses } from './embedded/addresses.ts'
import { EngineError } from './embedded/engine-process.ts'
import { startEmbedded } from './embedded/services.ts'
import { kafkaStore } from './kafka/store.ts'
import { silentLog } from './log.ts'
import { createRedis, type RedisClient, redisOptions } from './redis/client.ts'
import { kafkaSettings } from './role.ts'
import { createSchemaBook, knowingSchemas, type SchemaBook } from './schemas.ts'

export type ToolConfig = ReturnType<typeof requireServices<Services>>
type Services = 'kafka' | 'redis' | 'clickhouse'

/** The platform as a command sees it. What it opens is closed when the command ends, however it ends. */
export interface Tool {
  readonly config: ToolConfig
  readonly clock: typeof systemClock
  /** Aborted by the first Ctrl-C; the second one ends the process at once. */
  readonly signal: AbortSignal
  readonly clickHouseOptions: ClickHouseOptions
  store(name: string): LogStore
  /** What the consumers of `store` ask about schemas that this release does not know. */
  readonly schemas: SchemaBook
  redis(name: string): RedisClient
  clickhouse(database?: string): ClickHouse
  /** Run at the end, the last one first. */
  atEnd(close: () => Promise<unknown>): void
}

/** What a command refuses, in words that say what to do. Exit code 2. */
export class ToolError extends Error {
  override readonly name = 'ToolError'
}

export interface ToolOptions {
  /**
   * `start`: for a command that needs the services while no role of Longwire runs. Those without an address are started for it,
   * which is refused while `npm start` holds the data folder.
   */
  readonly engines?: 'running' | 'start'
}

const TIMEOUT_MS = 60_000

/**
 * Parses the arguments that `command` names, and runs it against the platform. Exit codes: what `run` answers; 2 for bad input or
 * settings, 3 where a service did not answer, 130 after Ctrl-C.
 */
export async function runTool(
  command: Command,
  run: (tool: Tool, command: Command) => Promise<number>,
  { engines = 'running' }: ToolOptions = {},
): Promise<never> {
  process.exitCode = 0
  const abort = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.on(name, () => {
      if (abort.signal.aborted) process.exit(130)
      abort.abort()
    })
  let code = 0
  command.exitOverride().action(async () => {
    const ends: (() => Promise<unknown>)[] = []
    try {
      const config = loadConfig(process.env)
      if (engines === 'start') ends.push(await startEngines(config))
      code = await run(openTool(attached(config), abort.signal, ends), command)
    } finally {
      for (const end of ends.toReversed()) await end().catch(() => {})
    }
  })
  try {
    await command.parseAsync()
  } catch (err) {
    code = codeOf(err, abort.signal)
  }
  process.exit(abort.signal.aborted ? 130 : code)
}

function codeOf(err: unknown, { aborted }: AbortSignal): number {
  const { code, exitCode, message, stack } = err as Error & { code?: string; exitCode?: number }
  // Commander has written its own line.
  if (code?.startsWith('commander.') === true) return exitCode === 0 ? 0 : 2
  if (aborted) return 130
  const isInput = err instanceof ConfigError || err instanceof ToolError || err instanceof RangeError
  const isKnown = isInput || err instanceof Fault || err instanceof EngineError
  console.error(isKnown ? message : (stack ?? String(err)))
  return isInput ? 2 : isKnown ? 3 : 1
}

async function startEngines(config: Config): Promise<() => Promise<void>> {
  const need = { kafka: !config.kafka, redis: !config.redis, clickhouse: !config.clickhouse }
  if (!Object.values(need).some(Boolean)) return async () => {}
  const { dataDir, enginesDir } = config
  const engines = await startEmbedded({ dataDir, enginesDir, need, log: silentLog })
  return () => engines.stop()
}

/** Services without an address are those that `npm start` runs for the data folder. */
function attached(config: Config): ToolConfig {
  const embedded = engineAddresses(config.dataDir)
  const kafka = config.kafka ?? embedded?.kafka
  const redis = config.redis ?? (embedded ? [embedded.redis] : undefined)
  const clickhouse = config.clickhouse ?? embedded?.clickhouse
  const missing = { KAFKA: kafka, REDIS: redis, CLICKHOUSE: clickhouse }
  for (const [name, address] of Object.entries(missing))
    if (address === undefined)
      throw new ConfigError(
        `LONGWIRE_${name} is not set, and nothing was ever started in ${config.dataDir}: start it with \`npm start\`, or name its folder by LONGWIRE_DATA`,
      )
  return { ...config, kafka: [...(kafka ?? [])], redis: [...(redis ?? [])], clickhouse: clickhouse ?? '' }
}

function openTool(config: ToolConfig, signal: AbortSignal, ends: (() => Promise<unknown>)[]): Tool {
  const options = { ...clickHouseOptions(config), requestTimeoutMs: TIMEOUT_MS }
  const closing = <T extends { close(): Promise<unknown> }>(it: T): T => {
    ends.push(() => it.close())
    return it
  }
  const bare = (name: string) => kafkaStore(kafkaSettings(config, `tool-${name}`), silentLog, systemClock)
  const schemas = createSchemaBook(bare('schemas'), systemClock, silentLog)
  return {
    config,
    clock: systemClock,
    signal,
    clickHouseOptions: options,
    store: (name) => knowingSchemas(bare(name), schemas),
    schemas,
    redis: (name) =>
      closing(createRedis({ ...redisOptions(config, `tool-${name}`), timeoutMs: TIMEOUT_MS }, silentLog)),
    clickhouse: (database) =>
      closing(createClickHouse(database === undefined ? options : { ...options, database })),
    atEnd: (close) => void ends.push(close),
  }
}
