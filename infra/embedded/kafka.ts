import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { EngineError, type EngineProcess, startEngineProcess, waitUntilUp } from './engine-process.ts'
import { stablePorts } from './ports.ts'
import { liveBrokers } from './probes.ts'
import type { RunRecord } from './run-record.ts'

const run = promisify(execFile)

// Any fixed id will do: the folder belongs to one installation.
const clusterId = 'TG9uZ3dpcmVMb2NhbDAwMQ'
const startDeadlineMs = 90_000

export interface KafkaNode {
  readonly id: number
  readonly address: string
  readonly pid: number
  readonly running: boolean
  kill(signal?: NodeJS.Signals): void
  /** SIGSTOP and SIGCONT: a broker that hangs, and wakes up again. */
  pause(): void
  resume(): void
  /** Starts it again after a kill or a stop, on the same data and ports. */
  restart(): Promise<void>
  stop(): Promise<void>
}

export interface KafkaCluster {
  /** host:port of every broker. */
  readonly brokers: string[]
  readonly nodes: KafkaNode[]
  stop(): Promise<void>
}

export interface KafkaOptions {
  readonly dir: string
  /** Folder with Kafka's jars. */
  readonly lib: string
  /** 3 = replicated, with min.insync.replicas 2. */
  readonly nodes: 1 | 3
  readonly heapMb?: number
  readonly record: RunRecord
}

/** Starts Kafka in KRaft mode on loopback; every node is broker and controller. Resolves when all brokers are registered. */
export async function startKafka(options: KafkaOptions): Promise<KafkaCluster> {
  const { dir, nodes: count } = options
  mkdirSync(dir, { recursive: true })
  const ports = await stablePorts(dir, count * 2)
  const layout = Array.from({ length: count }, (_, i) => ({
    id: i + 1,
    brokerPort: ports[i * 2] ?? 0,
    controllerPort: ports[i * 2 + 1] ?? 0,
    dir: path.join(dir, `node-${i + 1}`),
  }))
  await Promise.all(layout.map((node) => prepareNode(node, layout, options.lib)))
  const nodes = await startAll(layout.map((node) => startNode(node, count, options)))
  return {
    brokers: nodes.map((node) => node.address),
    nodes,
    // All at once: the last of three would wait in vain for a quorum to hand its leaderships to.
    stop: async () => {
      await Promise.all(nodes.map((node) => node.stop()))
    },
  }
}

/** Like Promise.all, but what did start is stopped when another did not. */
async function startAll(starting: Promise<KafkaNode>[]): Promise<KafkaNode[]> {
  const results = await Promise.allSettled(starting)
  const failed = results.find((result) => result.status === 'rejected')
  const nodes = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  if (!failed) return nodes
  for (const node of nodes) node.kill('SIGKILL')
  throw failed.reason
}

interface NodeLayout {
  readonly id: number
  readonly brokerPort: number
  readonly controllerPort: number
  readonly dir: string
}

async function prepareNode(node: NodeLayout, all: readonly NodeLayout[], lib: string): Promise<void> {
  const logDir = path.join(node.dir, 'log')
  mkdirSync(node.dir, { recursive: true })
  writeFileSync(path.join(node.dir, 'server.properties'), serverProperties(node, all, logDir))
  writeFileSync(path.join(node.dir, 'log4j2.properties'), log4jProperties(path.join(node.dir, 'kafka.log')))
  if (existsSync(path.join(logDir, 'meta.properties'))) return
  // A folder half formatted by a killed start is formatted anew: nothing is in it yet.
  rmSync(logDir, { recursive: true, force: true })
  const args = ['format', '-t', clusterId, '-c', path.join(node.dir, 'server.properties')]
  await run(
    'java',
    ['-Xmx128m', '-XX:TieredStopAtLevel=1', '-cp', `${lib}/*`, 'kafka.tools.StorageTool', ...args],
    { env: { ...process.env, ...javaEnv } },
  ).catch((err: Error) => {
    throw new EngineError(`cannot prepare Kafka's folder ${logDir}: ${err.message.split('\n').at(-1)}`)
  })
}

// Options meant for other Java programs would print to our output and change the heap.
const javaEnv = { JAVA_TOOL_OPTIONS: undefined, _JAVA_OPTIONS: undefined, JDK_JAVA_OPTIONS: undefined }

async function startNode(node: NodeLayout, count: number, options: KafkaOptions): Promise<KafkaNode> {
  const outputFile = path.join(node.dir, 'output.log')
  const start = async (brokersWanted: number): Promise<EngineProcess> => {
    const engine = await startEngineProcess(
      {
        name: `kafka-${node.id}`,
        command: 'java',
        args: [
          '-Xms96m',
          `-Xmx${options.heapMb ?? 512}m`,
          '-XX:+UseSerialGC',
          '-Xshare:auto',
          '-XX:+ExitOnOutOfMemoryError',
          '-Djava.awt.headless=true',
          `-Dlog4j2.configurationFile=${path.join(node.dir, 'log4j2.properties')}`,
          '-cp',
          `${options.lib}/*`,
          'kafka.Kafka',
          path.join(node.dir, 'server.properties'),
        ],
        env: javaEnv,
        cwd: node.dir,
        outputFile,
      },
      options.record,
    )
    const up = async () => (await liveBrokers(node.brokerPort)) >= brokersWanted
    await waitUntilUp(engine, path.join(node.dir, 'kafka.log'), up, startDeadlineMs)
    return engine
  }
  let engine = await start(count)
  return {
    id: node.id,
    address: `127.0.0.1:${node.brokerPort}`,
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
      if (engine.running) await engine.stop(20_000)
      engine = await start(1)
    },
    stop: () => engine.stop(20_000),
  }
}

function serverProperties(node: NodeLayout, all: readonly NodeLayout[], logDir: string): string {
  const replicas = all.length
  const minInsync = replicas === 1 ? 1 : 2
  const settings: Record<string, string | number | boolean> = {
    'process.roles': 'broker,controller',
    'node.id': node.id,
    'controller.quorum.voters': all.map((n) => `${n.id}@127.0.0.1:${n.controllerPort}`).join(','),
    listeners: `PLAINTEXT://127.0.0.1:${node.brokerPort},CONTROLLER://127.0.0.1:${node.controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${node.brokerPort}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': logDir,
    // Nothing acknowledged may be lost, and no topic may appear by a typing error.
    'auto.create.topics.enable': false,
    'unclean.leader.election.enable': false,
    'default.replication.factor': replicas,
    'min.insync.replicas': minInsync,
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': minInsync,
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': minInsync,
    // Small counts: on one machine each partition costs start time and open files.
    'offsets.topic.num.partitions': replicas === 1 ? 4 : 6,
    'transaction.state.log.num.partitions': 2,
    'share.coordinator.state.topic.num.partitions': 1,
    'num.partitions': 1,
    'num.network.threads': 2,
    'num.io.threads': 4,
    'num.recovery.threads.per.data.dir': 2,
    'log.cleaner.dedupe.buffer.size': 16_000_000,
    // A group begins at once instead of waiting for members that do not exist.
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 1000,
    // A killed broker may register again only when its session is over; with one broker nobody else could lead meanwhile,
    // so a short session costs nothing and saves seconds at the next start.
    ...(replicas === 1 ? { 'broker.session.timeout.ms': 3_000, 'broker.heartbeat.interval.ms': 500 } : {}),
    'message.max.bytes': 1_048_576,
    'log.segment.bytes': 134_217_728,
    // Topics state their own retention; one that forgets to must not lose anything.
    'log.retention.ms': -1,
    'offsets.retention.minutes': 43_200,
  }
  return `${Object.entries(settings)
    .map(([key, value]) => `${key}=${value}`)
    .join('\n')}\n`
}

/** Warnings and worse, in a file that cannot grow without limit. */
function log4jProperties(file: string): string {
  return `status=error
appender.f.type=RollingFile
appender.f.name=f
appender.f.fileName=${file}
appender.f.filePattern=${file}.%i
appender.f.layout.type=PatternLayout
appender.f.layout.pattern=%d{ISO8601} %p %c{1} %m%n
appender.f.policies.type=Policies
appender.f.policies.size.type=SizeBasedTriggeringPolicy
appender.f.policies.size.size=10MB
appender.f.strategy.type=DefaultRolloverStrategy
appender.f.strategy.max=2
rootLogger.level=warn
rootLogger.appenderRef.f.ref=f
logger.server.name=kafka.server.KafkaRaftServer
logger.server.level=info
`
}
