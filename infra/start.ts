/** `npm start`: all of Longwire on one machine. Engines that have no address are embedded; every role is a child process. */
import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { Fault } from '../schemas/ports.ts'
import { type Config, ConfigError, loadConfig, requireServices } from './config.ts'
import { EngineError } from './embedded/engine-process.ts'
import { freePorts, isPortFree } from './embedded/ports.ts'
import { type Embedded, type Need, startEmbedded } from './embedded/services.ts'
import { ensureKeysSecretFile } from './keys-secret.ts'
import { endWithNpm, onShutdown, type ShutdownStep } from './lifecycle.ts'
import { silentLog } from './log.ts'
import { setup } from './setup.ts'
import { watchEngines } from './supervisor/engine-watch.ts'
import { untilReady } from './supervisor/ready.ts'
import { type RoleProcess, runRoleProcess } from './supervisor/role-process.ts'
import { createScreen, screenLog } from './supervisor/screen.ts'
import { ensureTokenSecretFile } from './token-secret.ts'

const startedMs = Date.now()
const roleGraceMs = 15_000
const setupDeadlineMs = 30_000
const root = path.resolve(import.meta.dirname, '..')
const screen = createScreen(process.stdout, process.stderr)
const log = screenLog(screen)
const steps: ShutdownStep[] = []
const shutdown = onShutdown(log, steps)
let stopping = false
let ready = false
steps.push({
  name: 'notice',
  stop: () => {
    stopping = true
    screen.plain()
  },
})

endWithNpm(() => void shutdown.stop('npm is gone'))

try {
  await start(loadConfig(process.env))
} catch (err) {
  const known = err instanceof ConfigError || err instanceof EngineError
  // A stack trace is for a bug of ours only.
  if (!stopping) screen.error(known ? err.message : `cannot start: ${(err as Error).stack ?? String(err)}`)
  await shutdown.stop('failed to start', err instanceof ConfigError ? 2 : 1)
}

async function start(given: Config): Promise<void> {
  const config = await withPorts(given)
  const relative = path.relative(process.cwd(), config.dataDir)
  const shownDir = relative.startsWith('..') ? config.dataDir : relative || '.'
  screen.plain(`Longwire: data in ${shownDir}`)
  screen.plain()
  const [engines] = await Promise.all([startEngines(config), buildPage()])
  if (stopping) return
  const env = roleEnv(config, engines)
  await timed('setup', 'topics and tables', () => setUp(loadConfig({ ...process.env, ...env })))
  if (stopping) return
  if (!(await startRoles(config, engines, env))) return
  const host = config.publicUrl ?? `http://localhost:${config.port}`
  screen.plain()
  screen.line('page', `${host}/`)
  screen.line('WebSocket', `${host.replace(/^http/, 'ws')}/ws`)
  screen.line('OMTP', `omtp${config.tlsCertFile === undefined ? '' : 's'}://localhost:${config.omtpPort}`)
  screen.line('API', `http://${config.apiHost}:${config.apiPort}/ready, /metrics`)
  const folder = process.env.LONGWIRE_DATA ? `LONGWIRE_DATA=${shownDir} ` : ''
  screen.line('a token', `${folder}npm run -s token -- alice`)
  screen.line('logs', path.join(shownDir, 'logs'))
  screen.plain()
  screen.plain(`ready in ${((Date.now() - startedMs) / 1000).toFixed(1)} s. Ctrl-C stops all of it.`)
}

/** Checks the ports before anything slow begins; 0 becomes a free one. */
async function withPorts(config: Config): Promise<Config> {
  const [free = 0, freeApi = 0, freeOmtp = 0] = await freePorts(3)
  const port = config.port || free
  const apiPort = config.apiPort || freeApi
  const omtpPort = config.omtpPort || freeOmtp
  for (const [name, value, host] of [
    ['LONGWIRE_PORT', port, config.host],
    ['LONGWIRE_API_PORT', apiPort, config.apiHost],
    ['LONGWIRE_OMTP_PORT', omtpPort, config.host],
  ] as const) {
    if (!(await isPortFree(value, host))) {
      throw new ConfigError(
        `port ${value} on ${host} is taken: set ${name} to another one, or stop what holds it`,
      )
    }
  }
  return { ...config, port, apiPort, omtpPort }
}

/** Bundles web/ into the folder that gateways serve. */
async function buildPage(): Promise<void> {
  const build = () => promisify(execFile)(process.execPath, [path.join(root, 'web/build.ts')])
  await timed('page', 'bundled', async () => void (await build()))
}

async function startEngines(config: Config): Promise<Embedded<Need>> {
  const need = { kafka: !config.kafka, redis: !config.redis, clickhouse: !config.clickhouse }
  for (const name of ['kafka', 'redis', 'clickhouse'] as const) {
    if (!need[name]) screen.line(name, `external, ${String(config[name])}`)
  }
  const starting = startEmbedded<Need>({
    dataDir: config.dataDir,
    enginesDir: config.enginesDir,
    need,
    progress: ({ name, state, text, ms }) => screen.line(name, state === 'working' ? `${text} …` : text, ms),
    log,
  })
  let watch: { stop(): void } | undefined
  steps.push({
    name: 'engines',
    deadlineMs: 40_000,
    stop: async () => {
      watch?.stop()
      const engines = await starting.catch(() => undefined)
      if (!engines) return
      if (Object.values(need).some(Boolean)) await timed('engines', 'stopped', () => engines.stop())
      else await engines.stop()
    },
  })
  const engines = await starting
  watch = watchEngines(engines, screen, (reason) => giveUp(reason))
  return engines
}

async function startRoles(
  config: Config,
  engines: Embedded<Need>,
  env: Record<string, string>,
): Promise<boolean> {
  let failed: string | undefined
  const gaveUp = (reason: string) => {
    failed = reason
    giveUp(reason)
  }
  // Until all of it runs, and again while it stops, parts wait for each other: that is no news.
  const begin = (name: string): RoleProcess =>
    runRoleProcess(
      {
        name,
        file: path.join(root, name, 'main.ts'),
        env,
        logFile: path.join(config.dataDir, 'logs', `${name}.log`),
      },
      { screen, record: engines.record, warnings: () => ready && !stopping, gaveUp },
    )
  const fromMs = Date.now()
  const roles = ['processors', 'projections', 'gateway'].map(begin)
  // The gateway drains first, while the processors can still answer its senders.
  const inOrder = ['gateway', 'processors', 'projections'].flatMap((name) =>
    roles.filter((role) => role.name === name),
  )
  const roleSteps = inOrder.map((role) => ({
    name: role.name,
    deadlineMs: roleGraceMs + 5_000,
    stop: () => timed(role.name, 'stopped', () => role.stop(roleGraceMs)),
  }))
  steps.splice(1, 0, ...roleSteps)
  const apiHost = ['0.0.0.0', '::'].includes(config.apiHost) ? '127.0.0.1' : config.apiHost
  const hopeless = () => failed !== undefined || stopping
  await untilReady(`http://${apiHost}:${config.apiPort}/ready`, hopeless)
  if (hopeless()) return false
  ready = true
  screen.line('roles', 'processors, projections, gateway', Date.now() - fromMs)
  return true
}

function roleEnv(config: Config, engines: Embedded<Need>): Record<string, string> {
  const kafka = config.kafka ?? engines.kafka?.brokers ?? []
  const redis = config.redis ?? [engines.redis?.url ?? '']
  return {
    LONGWIRE_DATA: config.dataDir,
    LONGWIRE_ENGINES: config.enginesDir,
    LONGWIRE_PORT: String(config.port),
    LONGWIRE_API_PORT: String(config.apiPort),
    LONGWIRE_OMTP_PORT: String(config.omtpPort),
    LONGWIRE_KAFKA: kafka.join(','),
    LONGWIRE_REDIS: redis.join(','),
    LONGWIRE_CLICKHOUSE: config.clickhouse ?? engines.clickhouse?.url ?? '',
    LONGWIRE_PARTITIONS: String(config.partitions),
    LONGWIRE_TOKEN_SECRET_FILE: ensureTokenSecretFile(config),
    LONGWIRE_KEYS_SECRET_FILE: ensureKeysSecretFile(config),
    // Nobody is there to go to.
    LONGWIRE_DRAIN_MS: process.env.LONGWIRE_DRAIN_MS ?? '0',
  }
}

/** Creates topics and tables. A broker that has just started may not lead its partitions yet: retried for half a minute. */
async function setUp(given: Config): Promise<void> {
  const config = requireServices(given, ['kafka', 'clickhouse'])
  const until = Date.now() + setupDeadlineMs
  for (;;) {
    try {
      // Its faults come as errors; the clients' own lines about each attempt would only confuse.
      return await setup(config, silentLog)
    } catch (err) {
      if (!(err instanceof Fault)) throw err
      if (!err.retriable || Date.now() > until || stopping) {
        throw new EngineError(
          `cannot create topics and tables: ${err.message}; Kafka is ${config.kafka.join(',')}, ClickHouse ${config.clickhouse}`,
        )
      }
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
}

async function timed(name: string, text: string, work: () => Promise<void>): Promise<void> {
  const fromMs = Date.now()
  await work()
  screen.line(name, text, Date.now() - fromMs)
}

function giveUp(reason: string): void {
  if (stopping) return
  screen.error(reason)
  void shutdown.stop(reason, 1)
}
