/** Three brokers with replication 3, Redis, ClickHouse, and two processes of each role; the writers behind the proxy. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { systemClock } from '../../infra/clock.ts'
import { loadConfig, requireServices } from '../../infra/config.ts'
import { freePorts } from '../../infra/embedded/ports.ts'
import { type Embedded, startEmbedded } from '../../infra/embedded/services.ts'
import { kafkaStore } from '../../infra/kafka/store.ts'
import { createLogger } from '../../infra/log.ts'
import { setup } from '../../infra/setup.ts'
import { untilReady } from '../../infra/supervisor/ready.ts'
import { Fault, type LogStore } from '../../schemas/ports.ts'
import { type KafkaProxy, startKafkaProxy } from '../support/kafka-proxy.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import type { Random } from './random.ts'
import { type RoleHandle, type RoleKind, roleKinds, startRole } from './role.ts'
import { heartbeatMs, linkFaults, partitions, type RunSettings } from './settings.ts'

export interface Cluster {
  readonly dir: string
  readonly engines: Embedded<{ kafka: true; redis: true; clickhouse: true }>
  readonly proxy: KafkaProxy
  /** Before the gateways, in the order of `urls`, which lead through them; empty in runs that do not hurt them. */
  readonly links: readonly TcpProxy[]
  /** Before Redis, for the roles. */
  readonly redisLink: TcpProxy | null
  /** Before ClickHouse, for the roles. */
  readonly clickhouseLink: TcpProxy | null
  readonly roles: readonly RoleHandle[]
  readonly urls: readonly string[]
  readonly omtpPorts: readonly number[]
  /** API ports of the gateways. */
  readonly apis: readonly string[]
  readonly secretFile: string
  /** With the secret of the keys of contents. */
  readonly keysFile: string
  readonly store: LogStore
  /** Settings of a command that an operator gives beside the roles. */
  readonly env: Readonly<Record<string, string>>
  stop(): Promise<void>
}

export interface ClusterOptions {
  readonly dir: string
  readonly enginesDir: string
  readonly random: Random
  /** Files to load into the processes of a role before its main. */
  readonly preloads: (kind: RoleKind, index: number) => readonly string[]
  readonly say: (line: string) => void
  readonly died: (name: string, how: string) => void
  readonly settings: RunSettings
}

const brokerHeapMb = 320
const roleGraceMs = 10_000

export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { dir, say } = options
  const logs = path.join(dir, 'logs')
  mkdirSync(logs, { recursive: true })
  const log = createLogger({ name: 'chaos', level: 'error' })
  const engines = await startEmbedded({
    dataDir: path.join(dir, 'data'),
    enginesDir: options.enginesDir,
    need: { kafka: true, redis: true, clickhouse: true },
    kafkaNodes: 3,
    kafkaHeapMb: brokerHeapMb,
    progress: ({ name, text, ms }) => say(`${name} ${text}${ms === undefined ? '' : ` in ${ms} ms`}`),
    log,
  })
  const roles: RoleHandle[] = []
  const links: TcpProxy[] = []
  const hurtsLinks = linkFaults.some((fault) => options.settings.faults.includes(fault))
  let redisLink: TcpProxy | null = null
  let clickhouseLink: TcpProxy | null = null
  let proxy: KafkaProxy | undefined
  const stop = async () => {
    await Promise.all(roles.filter(({ kind }) => kind === 'gateway').map((role) => role.stop(roleGraceMs)))
    await Promise.all(roles.map((role) => role.stop(roleGraceMs)))
    await proxy?.close()
    for (const link of links) await link.close()
    await redisLink?.close()
    await clickhouseLink?.close()
    await engines.stop()
  }
  try {
    proxy = await startKafkaProxy(engines.kafka.brokers)
    const secretFile = path.join(dir, 'token-secret')
    const keysFile = path.join(dir, 'keys-secret')
    for (const file of [secretFile, keysFile])
      writeFileSync(file, randomBytes(32).toString('hex'), { mode: 0o600 })
    const direct = engines.kafka.brokers.join(',')
    if (hurtsLinks) redisLink = await startTcpProxy(engines.redis.port)
    if (
      ['clickhouse-lost', 'clickhouse-full'].some((name) =>
        options.settings.faults.some((one) => one === name),
      )
    )
      clickhouseLink = await startTcpProxy(Number(new URL(engines.clickhouse.url).port))
    const base = {
      ...ownEnvironment(),
      LONGWIRE_DATA: path.join(dir, 'data'),
      LONGWIRE_ENGINES: options.enginesDir,
      LONGWIRE_KAFKA: direct,
      LONGWIRE_KAFKA_REPLICATION: '3',
      LONGWIRE_KAFKA_MIN_INSYNC: '2',
      LONGWIRE_REDIS: redisLink ? `redis://127.0.0.1:${redisLink.port}` : engines.redis.url,
      LONGWIRE_CLICKHOUSE: clickhouseLink
        ? `http://127.0.0.1:${clickhouseLink.port}`
        : engines.clickhouse.url,
      LONGWIRE_PARTITIONS: String(partitions),
      LONGWIRE_TOKEN_SECRET_FILE: secretFile,
      LONGWIRE_KEYS_SECRET_FILE: keysFile,
      LONGWIRE_HOST: '127.0.0.1',
    }
    const config = requireServices(loadConfig(base), ['kafka', 'redis', 'clickhouse'])
    await patiently(() => setup(config, log))
    if (options.settings.redisLateMs > 0) await engines.redis.stop()
    const ports = await freePorts(6)
    const apis: string[] = []
    const omtpPorts: number[] = []
    const urls: string[] = []
    const proxied = proxy.brokers.join(',')
    for (const kind of roleKinds)
      for (const index of [1, 2]) {
        const name = `${kind}-${index}`
        const env: Record<string, string> = { ...base, LONGWIRE_PROCESS_NAME: name }
        if (kind === 'gateway' || kind === 'sequencer') env.LONGWIRE_KAFKA = proxied
        if (kind === 'gateway') {
          const [port = 0, apiPort = 0, omtpPort = 0] = ports.slice((index - 1) * 3)
          Object.assign(env, {
            LONGWIRE_GATEWAY_ID: `gw-${index}`,
            LONGWIRE_PORT: String(port),
            LONGWIRE_API_PORT: String(apiPort),
            LONGWIRE_OMTP_PORT: String(omtpPort),
            ...(hurtsLinks ? { LONGWIRE_HEARTBEAT_MS: String(heartbeatMs) } : {}),
          })
          if (hurtsLinks) links.push(await startTcpProxy(port))
          urls.push(`ws://127.0.0.1:${links.at(-1)?.port ?? port}/ws`)
          omtpPorts.push(omtpPort)
          apis.push(`http://127.0.0.1:${apiPort}`)
        }
        const spec = {
          name,
          kind,
          env,
          logFile: path.join(logs, `${name}.log`),
          preloads: options.preloads(kind, index),
        }
        roles.push(
          startRole(spec, {
            record: engines.record,
            restartAfterMs: () => options.random.between(500, 1_000),
            died: options.died,
          }),
        )
      }
    await Promise.all(apis.map((url) => untilReady(`${url}/ready`, () => false)))
    const store = kafkaStore(
      { brokers: engines.kafka.brokers, clientId: 'chaos' },
      { debug() {}, info() {}, warn() {}, error() {} },
      systemClock,
    )
    return {
      ...{ dir, engines, proxy, links, redisLink, clickhouseLink, roles },
      ...{ urls, omtpPorts, apis, secretFile, keysFile, store, stop },
      env: base,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Brokers that have just met elect leaders for a while. */
async function patiently(work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof Fault && error.retriable) || attempt === 20) throw error
      await new Promise((resolve) => setTimeout(resolve, 1_000))
    }
  }
}

/** The environment without settings of ours, which are checked strictly, and without what a test runner adds. */
function ownEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value === undefined || name.startsWith('LONGWIRE_') || name === 'NODE_OPTIONS' ? [] : [[name, value]],
    ),
  )
}
